// Commands while a server runs on the same database and keys: their changes are in force in the server within two
// seconds, and --json prints what the server's admin API answers.

import { describe, expect, test, vi } from 'vitest'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { createMachine, type Machine } from './run.ts'

const { start } = useServers()

const ORIGIN = 'https://shop.example'
const WITHIN_MS = 2000

interface Beside extends Machine {
  readonly url: string
  readonly accountId: string
  readonly credentialId: string
  /** The account token of the credential. */
  readonly token: string
  /** Claims a browser token from the server. */
  claim(): Promise<string>
  /** Status and error code of the server's answer to a browser token. */
  judge(token: string): Promise<string>
}

async function startBeside(env: Readonly<Record<string, string>> = {}): Promise<Beside> {
  const machine = createMachine(env)
  const { url } = await start({ dir: machine.dir, env })
  const body = { name: 'Shop', allowedOrigins: [ORIGIN], scopes: ['read', 'write'] }
  const { account, credential } = await admin(url, 'POST', '/accounts', { body, status: 201 })
  const issuer = { CLAIMGATE_ISSUER: url }
  return {
    ...machine,
    run: (argv, options = {}) => machine.run(argv, { ...options, env: { ...issuer, ...options.env } }),
    json: (argv, options = {}) => machine.json(argv, { ...options, env: { ...issuer, ...options.env } }),
    url,
    accountId: account.id,
    credentialId: credential.id,
    token: credential.token,
    claim: async () => (await claim(url, credential.token, ORIGIN)).token,
    judge: (token) => whoami(url, token, ORIGIN),
  }
}

/** Repeats `ask` until it gives the expected value, for as long as running servers may take to see a change. */
async function expectSoon(ask: () => Promise<unknown>, expected: unknown): Promise<void> {
  const check = async () => expect(await ask()).toEqual(expected)
  await vi.waitFor(check, { timeout: WITHIN_MS, interval: 50 })
}

function kidOf(token: string): string {
  return JSON.parse(atob(token.split('.')[0] ?? '')).kid
}

describe.concurrent('while a server runs', () => {
  test('it enforces revocations of the command line', async () => {
    const beside = await startBeside()
    const [first, second, third] = [await beside.claim(), await beside.claim(), await beside.claim()]
    expect([await beside.judge(first), await beside.judge(second)]).toEqual(['200', '200'])
    await beside.json(['revoke', first])
    await expectSoon(() => beside.judge(first), '401 token_revoked')
    expect(await beside.judge(second)).toBe('200')

    await beside.json(['revoke', '--client', beside.credentialId])
    // Issued after the command has ended: accepted, even if the server has not read the revocation yet.
    const fourth = await beside.claim()
    expect(await beside.judge(fourth)).toBe('200')
    await expectSoon(() => beside.judge(second), '401 token_revoked')

    await beside.json(['revoke', '--kid', kidOf(third)])
    await expectSoon(() => beside.judge(fourth), '401 token_revoked')
    const fifth = await beside.claim()
    expect(kidOf(fifth)).not.toBe(kidOf(third))
    expect(await beside.judge(fifth)).toBe('200')
  })

  test('it ends accounts and credentials, and accepts a resumed account again', async () => {
    const beside = await startBeside()
    const token = await beside.claim()
    const claimCode = async () => (await claim(beside.url, beside.token, ORIGIN)).refusal ?? '200'
    await beside.json(['account', 'suspend', beside.accountId])
    await expectSoon(() => beside.judge(token), '401 token_revoked')
    await expectSoon(claimCode, '401 unauthorized')
    await beside.json(['account', 'resume', beside.accountId])
    await expectSoon(() => beside.judge(token), '200')
    await expectSoon(claimCode, '200')

    const { credential } = await beside.json(['credential', 'rotate', beside.credentialId, '--overlap', '0'])
    await expectSoon(async () => (await claim(beside.url, credential.token, ORIGIN)).refusal ?? '200', '200')
    await expectSoon(claimCode, '401 unauthorized')
    expect(await beside.judge(token)).toBe('200')
    await beside.json(['credential', 'revoke', beside.credentialId])
    await expectSoon(() => beside.judge(token), '401 token_revoked')

    const other = await beside.json(['credential', 'create', beside.accountId])
    const { token: browserToken } = await claim(beside.url, other.credential.token, ORIGIN)
    expect(await beside.judge(browserToken)).toBe('200')
    await beside.json(['account', 'delete', beside.accountId, '--yes'])
    await expectSoon(() => beside.judge(browserToken), '401 token_revoked')
  })

  test('it signs with a rotated key', async () => {
    const beside = await startBeside()
    const token = await beside.claim()
    const { keys } = await beside.json(['key', 'rotate', '--force'])
    expect(keys.map(({ state }: Json) => state)).toEqual(['current', 'pending', 'retiring'])
    await expectSoon(async () => kidOf(await beside.claim()), keys[0].kid)
    expect(await beside.judge(token)).toBe('200')
    const published = (await (await fetch(`${beside.url}/.well-known/jwks.json`)).json()) as Json
    expect(published.keys.map(({ kid }: Json) => kid).sort()).toEqual(keys.map(({ kid }: Json) => kid).sort())
  })
})

describe.concurrent('--json', () => {
  test('prints what the admin API answers', async () => {
    const beside = await startBeside({ CLAIMGATE_KEY_PUBLISH: '0' })
    const { accountId } = beside
    const ask = (method: string, path: string, body?: object, status?: number): Promise<Json> =>
      admin(beside.url, method, path, { ...(body && { body }), ...(status && { status }) })
    const token = await beside.claim()
    // The server shows the use immediately, and then records it.
    const shown = await ask('GET', `/accounts/${accountId}`)
    expect(shown.credentials).toMatchObject([{ lastUsedAt: expect.stringMatching(/^\d{4}-.*Z$/) }])
    expect(await beside.json(['account', 'show', accountId])).toEqual(shown)
    expect(await beside.json(['account', 'list'])).toEqual(await ask('GET', '/accounts'))
    expect(await beside.json(['key', 'list'])).toEqual(await ask('GET', '/keys'))
    const question = { token, origin: ORIGIN, ip: '203.0.113.7', method: 'PUT', url: 'https://api.example/a' }
    const options = [
      '--origin',
      ORIGIN,
      '--ip',
      '203.0.113.7',
      '--method',
      'PUT',
      '--url',
      'https://api.example/a',
    ]
    const explained = await beside.json(['explain', token, ...options])
    expect(explained).toEqual(await ask('POST', '/explain', question))
    expect(explained.allowed).toBe(true)

    const credential = { name: 'a', scopes: ['read'], expiresAt: '2099-01-01T00:00:00Z' }
    const made = await ask('POST', `/accounts/${accountId}/credentials`, credential, 201)
    const create = ['--name', 'a', '--scope', 'read', '--expires', '2099-01-01T00:00:00Z']
    const madeHere = await beside.json(['credential', 'create', accountId, ...create])
    const { id } = madeHere.credential
    const changes: readonly (readonly [here: Json, there: Json])[] = [
      [madeHere, made],
      [
        await beside.json(['credential', 'rotate', id, '--overlap', '60']),
        await ask('POST', `/credentials/${made.credential.id}/rotate`, { overlap: 60 }),
      ],
      [
        await beside.json(['account', 'suspend', accountId]),
        await ask('PATCH', `/accounts/${accountId}`, { status: 'suspended' }),
      ],
      [
        await beside.json(['account', 'resume', accountId]),
        await ask('PATCH', `/accounts/${accountId}`, { status: 'active' }),
      ],
      [await beside.json(['key', 'rotate']), await ask('POST', '/keys/rotate', {})],
    ]
    for (const [here, there] of changes) expect(shapeOf(here)).toEqual(shapeOf(there))
    const named = { jti: payloadOf(token).jti, clientId: id, sub: accountId, kid: kidOf(token) }
    const flags = { jti: '--jti', clientId: '--client', sub: '--account', kid: '--kid' }
    for (const name of ['jti', 'clientId', 'sub', 'kid'] as const) {
      const here = await beside.json(['revoke', flags[name], named[name]])
      const there = await ask('POST', '/revocations', { [name]: named[name] }, 201)
      expect(shapeOf(here)).toEqual(shapeOf(there))
      expect(here.revocation[name]).toBe(there.revocation[name])
    }
    const { credentials } = await ask('GET', `/accounts/${accountId}`)
    const [, first, second] = credentials.map(
      ({ id: _, createdAt, previousExpiresAt, ...rest }: Json) => rest,
    )
    expect(first).toEqual(second)
  })

  test('writes the same audit entries, with the actor cli', async () => {
    const beside = await startBeside({ CLAIMGATE_KEY_PUBLISH: '0' })
    const { accountId, credentialId } = beside
    for (const argv of [
      ['account', 'suspend', accountId],
      ['account', 'suspend', accountId],
      ['account', 'resume', accountId],
      ['credential', 'rotate', credentialId],
      ['key', 'rotate'],
      ['revoke', '--client', credentialId],
      ['credential', 'revoke', credentialId],
      ['account', 'delete', accountId, '--yes'],
    ]) {
      await beside.json(argv)
    }
    const { entries } = await admin(beside.url, 'GET', '/audit')
    expect(entries.map(({ actor, action, target }: Json) => [actor, action, target]).reverse()).toEqual([
      ['admin', 'account.create', accountId],
      ['cli', 'account.suspend', accountId],
      ['cli', 'account.resume', accountId],
      ['cli', 'credential.rotate', credentialId],
      ['cli', 'key.rotate', expect.stringMatching(/^[\w-]{43}$/)],
      ['cli', 'revocation.create', credentialId],
      ['cli', 'credential.revoke', credentialId],
      ['cli', 'account.delete', accountId],
    ])
  })
})

/** A document with each value replaced by its type, members in order. */
function shapeOf(value: Json): Json {
  if (value === null || typeof value !== 'object') return value === null ? null : typeof value
  if (Array.isArray(value)) return [...new Set(value.map((one) => JSON.stringify(shapeOf(one))))].sort()
  return Object.entries(value).map(([name, one]) => [name, shapeOf(one)])
}
