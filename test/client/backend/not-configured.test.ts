// What the developer of a site learns from a client-token endpoint that is not set up: through onError, or in the answer.

import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  type ClaimClientOptions,
  ClaimRequestError,
  createClaimClient,
  createClientTokenEndpoint,
  createNodeClientTokenEndpoint,
  loadConfig,
} from '../../../src/client/backend/index.ts'
import { SITE } from '../../support/world.ts'
import { API, TOKEN } from './issuer.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const ISSUER = 'https://auth.example.com'
const URI = 'https://www.example.com/api/client-token'
const page = (headers: Record<string, string> = { origin: SITE }, method = 'POST'): Request =>
  new Request(URI, { method, headers })

const create = (options: object, more: object = {}) =>
  createClientTokenEndpoint(createClaimClient(options as ClaimClientOptions), {
    authenticate: 'public',
    baseUrl: API,
    allowedOrigins: [SITE],
    ...more,
  })

const issuer = [/\bissuer\b/, /CLAIMGATE_ISSUER/]
const credential = [/\btoken\b/, /CLAIMGATE_ACCOUNT_TOKEN/, /\bclientSecret\b/, /CLAIMGATE_CLIENT_SECRET/]

describe('missing configuration', () => {
  test.each<[string, object, readonly RegExp[], readonly RegExp[]]>([
    ['nothing', loadConfig({}), [...issuer, ...credential], []],
    ['no issuer', loadConfig({ CLAIMGATE_ACCOUNT_TOKEN: TOKEN }), issuer, credential.slice(1)],
    ['no credential', loadConfig({ CLAIMGATE_ISSUER: ISSUER }), credential, issuer.slice(1)],
    [
      'half a pair',
      { issuer: ISSUER, clientId: 'abc', clientSecret: undefined },
      credential,
      issuer.slice(1),
    ],
    ['an empty token', { issuer: ISSUER, token: '' }, credential, issuer.slice(1)],
  ])(
    '%s: onError is told once, when the endpoint is created; pages get 503',
    async (_, options, named, not) => {
      const onError = vi.fn()
      const endpoint = create(options, { onError })
      expect(onError).toHaveBeenCalledTimes(1)
      const [error, from] = onError.mock.calls[0] ?? []
      expect(error).toBeInstanceOf(ClaimRequestError)
      expect([error.code, error.status, from]).toEqual(['unavailable', 503, {}])
      for (const name of named) expect(error.message).toMatch(name)
      for (const name of not) expect(error.message).not.toMatch(name)
      for (let count = 0; count < 3; count += 1) {
        const answer = await endpoint(page())
        const text = await answer.text()
        expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
        expect(JSON.parse(text).error).toBe('unavailable')
        expect(text).not.toMatch(/CLAIMGATE_|issuer|credential|configur|account|clientSecret/)
      }
      expect(onError).toHaveBeenCalledTimes(1)
    },
  )

  test('is one line on the console without onError, for the endpoint of Node too', () => {
    const lines: string[] = []
    vi.spyOn(console, 'error').mockImplementation((...parts) => void lines.push(parts.join(' ')))
    create({ issuer: ISSUER, token: undefined })
    createNodeClientTokenEndpoint(createClaimClient({ issuer: undefined, token: TOKEN }), {
      authenticate: 'public',
      baseUrl: API,
    })
    expect(lines).toEqual([
      expect.stringMatching(
        /^claimgate: the client-token endpoint: not configured: .*CLAIMGATE_ACCOUNT_TOKEN.*$/,
      ),
      expect.stringMatching(/^claimgate: the client-token endpoint: not configured: .*CLAIMGATE_ISSUER.*$/),
    ])
  })

  test('does not change who gets a token: other pages and visitors are refused as before', async () => {
    const endpoint = create(loadConfig({}), { onError: () => undefined, authenticate: () => false })
    expect((await endpoint(page({ origin: 'https://evil.example' }))).status).toBe(403)
    expect((await endpoint(page())).status).toBe(401)
    expect((await endpoint(page({}, 'PUT'))).status).toBe(405)
  })

  test('an onError that throws or rejects does not prevent the endpoint', async () => {
    for (const onError of [
      () => {
        throw new Error('the log is full')
      },
      () => Promise.reject(new Error('the log is full')),
    ]) {
      expect((await create(loadConfig({}), { onError })(page())).status).toBe(503)
    }
  })

  test('nothing is told when issuer and credential are there, also a malformed one', () => {
    const onError = vi.fn()
    create({ issuer: ISSUER, token: 'half-of-a-token' }, { onError })
    create({ issuer: ISSUER, token: TOKEN }, { onError })
    create(loadConfig({ MISO_CONTROLLER_URL: ISSUER, MISO_CLIENTID: 'a', MISO_CLIENTSECRET: 'b' }), {
      onError,
    })
    expect(onError).not.toHaveBeenCalled()
  })

  test('a base URL that is not set is an error when the endpoint is created, which names option and variable', () => {
    const client = createClaimClient({ issuer: ISSUER, token: TOKEN })
    expect(() => createClientTokenEndpoint(client, { authenticate: 'public' })).toThrow(
      /^baseUrl: .*\(variable CLAIMGATE_API_URL\), unless includeConfig/,
    )
  })
})

describe('a refused origin', () => {
  const refusalOf = async (
    more: object,
    asked: Request,
  ): Promise<readonly [code: string, detail: string]> => {
    const answer = await create({ issuer: ISSUER, token: TOKEN }, more)(asked)
    const { type, error, detail } = await answer.json()
    expect([answer.status, type]).toEqual([403, `${ISSUER}/docs#${error}`])
    expect(detail).not.toContain(SITE)
    return [error, detail]
  }
  const stranger = { origin: 'https://evil.example' }
  const cross = { ...stranger, 'sec-fetch-site': 'cross-site' }

  test.each<[string, object, Record<string, string>]>([
    ['not in the list', {}, stranger],
    ['null', {}, { origin: 'null' }],
    ['empty', {}, { origin: '' }],
    ['not canonical', {}, { origin: `${SITE}/` }],
    ['of another site, and there is no list', { allowedOrigins: undefined }, cross],
  ])('that is %s: the answer names allowedOrigins', async (_, more, headers) => {
    expect(await refusalOf(more, page(headers))).toEqual([
      'origin_not_allowed',
      expect.stringMatching(/not among the allowedOrigins of this endpoint/),
    ])
  })

  test.each<[string, object, Request]>([
    ['in a POST', {}, page({})],
    ['in a POST of the same site', {}, page({ 'sec-fetch-site': 'same-origin' })],
    ['in a GET of the same site', { allowGet: true }, page({ 'sec-fetch-site': 'same-origin' }, 'GET')],
    ['in a GET from a bookmark', { allowGet: true, origin: SITE }, page({ 'sec-fetch-site': 'none' }, 'GET')],
  ])(
    'that is missing %s: the answer names the header, POST and the option origin',
    async (_, more, asked) => {
      const [code, detail] = await refusalOf(more, asked)
      expect(code).toBe('origin_required')
      for (const name of [/Origin header/, /POST/, /option origin/]) expect(detail).toMatch(name)
    },
  )
})
