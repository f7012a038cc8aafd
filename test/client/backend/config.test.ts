// loadConfig: our variables, or else those of the AI Fabrix client; never the issuer of one family with the credential of
// the other.

import { describe, expect, test } from 'vitest'
import { createClaimClient, loadConfig } from '../../../src/client/backend/index.ts'
import { TOKEN } from './issuer.ts'

const MISO = {
  MISO_CONTROLLER_URL: 'http://localhost:3000',
  MISO_CLIENTID: 'ctrl-dev-my-app',
  MISO_CLIENTSECRET: 'your-secret',
  MISO_ALLOWED_ORIGINS: 'http://localhost:*,https://www.example.com',
}
const FROM_MISO = {
  issuer: 'http://localhost:3000',
  clientId: 'ctrl-dev-my-app',
  clientSecret: 'your-secret',
  allowedOrigins: ['http://localhost:*', 'https://www.example.com'],
}
const OWN = {
  CLAIMGATE_ISSUER: 'https://auth.example.com',
  CLAIMGATE_CLIENT_TOKEN_URI: '/api/client-token',
  CLAIMGATE_ALLOWED_ORIGINS: ' https://a.example , https://b.example,',
  CLAIMGATE_API_URL: 'https://api.example.com/v1',
}
const FROM_OWN = {
  issuer: 'https://auth.example.com',
  clientTokenUri: '/api/client-token',
  allowedOrigins: ['https://a.example', 'https://b.example'],
  baseUrl: 'https://api.example.com/v1',
}
const PAIR = { CLAIMGATE_CLIENT_ID: 'abc', CLAIMGATE_CLIENT_SECRET: 'def' }
const FROM_PAIR = { clientId: 'abc', clientSecret: 'def' }

/** The message of the TypeError that `work` must throw. */
function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  return expect.unreachable('it did not throw')
}

describe('loadConfig', () => {
  test.each([
    ['no variables', {}, {}],
    ['an account token', { ...OWN, CLAIMGATE_ACCOUNT_TOKEN: TOKEN }, { ...FROM_OWN, token: TOKEN }],
    ['a pair', { ...OWN, ...PAIR }, { ...FROM_OWN, ...FROM_PAIR }],
    [
      'an account token, which has priority over a pair',
      { ...PAIR, CLAIMGATE_ACCOUNT_TOKEN: TOKEN },
      { token: TOKEN },
    ],
    ['the names of the AI Fabrix client', MISO, FROM_MISO],
    [
      'our names, when only the issuer has a name of the AI Fabrix client too',
      { MISO_CONTROLLER_URL: 'https://controller.example', ...OWN, ...PAIR },
      { ...FROM_OWN, ...FROM_PAIR },
    ],
    [
      'our names, when only the credential has names of the AI Fabrix client too',
      { ...MISO, MISO_CONTROLLER_URL: '', ...OWN, ...PAIR },
      { ...FROM_OWN, ...FROM_PAIR },
    ],
    [
      'our issuer, when no credential is set',
      { ...OWN, MISO_CONTROLLER_URL: 'https://controller.example' },
      FROM_OWN,
    ],
    [
      'the names of the AI Fabrix client, when ours have half a pair',
      { ...MISO, CLAIMGATE_CLIENT_ID: 'abc' },
      FROM_MISO,
    ],
    ['half a pair as no credential', { CLAIMGATE_CLIENT_SECRET: 'def' }, {}],
    [
      'empty variables as not set',
      {
        CLAIMGATE_ISSUER: '',
        CLAIMGATE_ACCOUNT_TOKEN: '',
        CLAIMGATE_ALLOWED_ORIGINS: '',
        CLAIMGATE_API_URL: '',
      },
      {},
    ],
    [
      'a list without an entry as an empty list',
      { CLAIMGATE_ALLOWED_ORIGINS: ' , ' },
      { allowedOrigins: [] },
    ],
    [
      'bindings other than text as not set',
      { CLAIMGATE_ISSUER: 5, CLAIMGATE_ACCOUNT_TOKEN: { get: () => TOKEN } },
      {},
    ],
  ])('reads %s', (_, env, expected) => {
    expect(loadConfig(env)).toEqual(expected)
    expect(() => createClaimClient(loadConfig(env))).not.toThrow()
  })

  test.each([
    ['both complete', { ...MISO, ...OWN, ...PAIR }],
    ['both complete, ours with a token', { ...MISO, ...OWN, CLAIMGATE_ACCOUNT_TOKEN: TOKEN }],
    ['our token and their issuer', { ...MISO, CLAIMGATE_ACCOUNT_TOKEN: TOKEN }],
    ['our pair and their issuer', { MISO_CONTROLLER_URL: 'https://controller.example', ...PAIR }],
    ['our issuer and their credential', { ...MISO, ...OWN }],
    ['our issuer, half of our pair and their credential', { ...MISO, ...OWN, CLAIMGATE_CLIENT_ID: 'abc' }],
    ['our issuer alone and their pair alone', { ...MISO, MISO_CONTROLLER_URL: '', ...OWN }],
  ])('refuses variables of two families: %s', (_, env) => {
    const message = messageOf(() => loadConfig(env))
    expect(message).toContain('CLAIMGATE_ISSUER')
    expect(message).toContain('CLAIMGATE_ACCOUNT_TOKEN')
    expect(message).toContain('MISO_CONTROLLER_URL')
    expect(message).toContain('MISO_CLIENTSECRET')
    for (const value of Object.values(env)) if (value !== '') expect(message).not.toContain(value)
  })

  test.each([
    ['CLAIMGATE_ACCOUNT_TOKEN', { ...OWN, CLAIMGATE_ACCOUNT_TOKEN: `${TOKEN}\n` }],
    ['CLAIMGATE_CLIENT_SECRET', { ...OWN, ...PAIR, CLAIMGATE_CLIENT_SECRET: ' def' }],
    ['MISO_CLIENTSECRET', { ...MISO, MISO_CLIENTSECRET: 'your-secret\r\n' }],
    ['MISO_CLIENTSECRET', { MISO_CLIENTSECRET: ' ' }],
  ])('refuses a secret that begins or ends with white space: %s', (name, env) => {
    expect(messageOf(() => loadConfig(env))).toMatch(new RegExp(`^${name}: .* blank`))
  })

  test('reads process.env by default, and nothing where there is no process', () => {
    process.env.CLAIMGATE_API_URL = 'https://api.example.com'
    const { process: own } = globalThis
    try {
      expect(loadConfig().baseUrl).toBe('https://api.example.com')
      Reflect.deleteProperty(globalThis, 'process')
      expect(loadConfig()).toEqual({})
    } finally {
      globalThis.process = own
      delete process.env.CLAIMGATE_API_URL
    }
  })
})
