// Commands while a server runs on the same database and keys. Their changes must be in force in the server within two
// seconds, and --json must print what the server's admin API answers.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test, vi } from 'vitest'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { createMachine, type Machine } from './run.ts'

const { start } = useServers()

const ORIGIN = 'https://shop.example'
const WITHIN_MS = 2000

interface ServedShop extends Machine {
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

/** Starts a server on a fresh machine and creates an account in it. Commands use the URL of the server as issuer. */
async function createServedShop(env: Readonly<Record<string, string>> = {}): Promise<ServedShop> {
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

/** Repeats `ask` until it gives the expected value. Fails after the two seconds in which a server must see a change. */
async function expectSoon(ask: () => Promise<unknown>, expected: unknown): Promise<void> {
  const check = async () => expect(await ask()).toEqual(expected)
  await vi.waitFor(check, { timeout: WITHIN_MS, interval: 50 })
}

function kidOf(token: string): string {
  return JSON.parse(atob(token.split('.')[0] ?? '')).kid
}

describe.concurrent('while a server runs', () => {
  test('it enforces revocations made by the command line', async () => {
    const shop = await createServedShop()
    const [first, second, third] = [await shop.claim(), await shop.claim(), await shop.claim()]
    expect([await shop.judge(first), await shop.judge(second)]).toEqual(['200', '200'])
    await shop.json(['revoke', first])
    await expectSoon(() => shop.judge(first), '401 token_revoked')
    expect(await shop.judge(second)).toBe('200')

    await shop.json(['revoke', '--client', shop.credentialId])
    // Issued after the command has ended: accepted, even if the server has not read the revocation yet.
    const fourth = await shop.claim()
    expect(await shop.judge(fourth)).toBe('200')
    await expectSoon(() => shop.judge(second), '401 token_revoked')

    await shop.json(['revoke', '--kid', kidOf(third)])
    await expectSoon(() => shop.judge(fourth), '401 token_revoked')
    const fifth = await shop.claim()
    expect(kidOf(fifth)).not.toBe(kidOf(third))
    expect(await shop.judge(fifth)).toBe('200')
  })

  test('it refuses suspended and deleted accounts and revoked credentials, and accepts a resumed account again', async () => {
    const shop = await createServedShop()
    const token = await shop.claim()
    const claimCode = async () => (await claim(shop.url, shop.token, ORIGIN)).refusal ?? '200'
    await shop.json(['account', 'suspend', shop.accountId])
    await expectSoon(() => shop.judge(token), '401 token_revoked')
    await expectSoon(claimCode, '401 unauthorized')
    await shop.json(['account', 'resume', shop.accountId])
    await expectSoon(() => shop.judge(token), '200')
    await expectSoon(claimCode, '200')

    const { credential } = await shop.json(['credential', 'rotate', shop.credentialId, '--overlap', '0'])
    await expectSoon(async () => (await claim(shop.url, credential.token, ORIGIN)).refusal ?? '200', '200')
    await expectSoon(claimCode, '401 unauthorized')
    expect(await shop.judge(token)).toBe('200')
    await shop.json(['credential', 'revoke', shop.credentialId])
    await expectSoon(() => shop.judge(token), '401 token_revoked')

    const other = await shop.json(['credential', 'create', shop.accountId])
    const { token: browserToken } = await claim(shop.url, other.credential.token, ORIGIN)
    expect(await shop.judge(browserToken)).toBe('200')
    await shop.json(['account', 'delete', shop.accountId, '--yes'])
    await expectSoon(() => shop.judge(browserToken), '401 token_revoked')
  })

  test('after key rotate it signs with the new current key, and still accepts older tokens', async () => {
    const shop = await createServedShop()
    const token = await shop.claim()
    const { keys } = await shop.json(['key', 'rotate', '--force'])
    expect(keys.map(({ state }: Json) => state)).toEqual(['current', 'pending', 'retiring'])
    await expectSoon(async () => kidOf(await shop.claim()), keys[0].kid)
    expect(await shop.judge(token)).toBe('200')
    const published = (await (await fetch(`${shop.url}/.well-known/jwks.json`)).json()) as Json
    expect(published.keys.map(({ kid }: Json) => kid).sort()).toEqual(keys.map(({ kid }: Json) => kid).sort())
  })
})

describe.concurrent('--json', () => {
  test('prints what the admin API answers', async () => {
    const shop = await createServedShop({ CLAIMGATE_KEY_PUBLISH: '0' })
    const { accountId } = shop
    const ask = (method: string, path: string, body?: object, status?: number): Promise<Json> =>
      admin(shop.url, method, path, { ...(body && { body }), ...(status && { status }) })
    const token = await shop.claim()
    // The server writes the use to the database before it answers, so the command line sees it too.
    const shown = await ask('GET', `/accounts/${accountId}`)
    expect(shown.credentials).toMatchObject([{ lastUsedAt: expect.stringMatching(/^\d{4}-.*Z$/) }])
    expect(await shop.json(['account', 'show', accountId])).toEqual(shown)
    expect(await shop.json(['account', 'list'])).toEqual(await ask('GET', '/accounts'))
    expect(await shop.json(['key', 'list'])).toEqual(await ask('GET', '/keys'))
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
    const explained = await shop.json(['explain', token, ...options])
    expect(explained).toEqual(await ask('POST', '/explain', question))
    expect(explained.allowed).toBe(true)
    const refused = await shop.json(['explain', token, '--origin', 'https://evil.example'])
    expect(refused).toEqual(await ask('POST', '/explain', { token, origin: 'https://evil.example' }))
    expect(refused.steps[5]).toMatchObject({ expected: ORIGIN, actual: 'https://evil.example' })
    expect(await shop.json(['audit', 'list'])).toEqual(await ask('GET', '/audit'))
    const page = await shop.json(['audit', 'list', '--limit', '1'])
    expect(page).toEqual(await ask('GET', '/audit?limit=1'))

    const credential = { name: 'a', scopes: ['read'], expiresAt: '2099-01-01T00:00:00Z' }
    const made = await ask('POST', `/accounts/${accountId}/credentials`, credential, 201)
    const create = ['--name', 'a', '--scope', 'read', '--expires', '2099-01-01T00:00:00Z']
    const madeHere = await shop.json(['credential', 'create', accountId, ...create])
    const { id } = madeHere.credential
    const changes: readonly (readonly [here: Json, there: Json])[] = [
      [
        await shop.json(['account', 'update', accountId, '--name', 'Here', '--max-ttl', '600']),
        await ask('PATCH', `/accounts/${accountId}`, { name: 'There', maxTtl: 900 }),
      ],
      [madeHere, made],
      [
        await shop.json(['credential', 'rotate', id, '--overlap', '60']),
        await ask('POST', `/credentials/${made.credential.id}/rotate`, { overlap: 60 }),
      ],
      [
        await shop.json(['account', 'suspend', accountId]),
        await ask('PATCH', `/accounts/${accountId}`, { status: 'suspended' }),
      ],
      [
        await shop.json(['account', 'resume', accountId]),
        await ask('PATCH', `/accounts/${accountId}`, { status: 'active' }),
      ],
      [await shop.json(['key', 'rotate']), await ask('POST', '/keys/rotate', {})],
    ]
    for (const [here, there] of changes) expect(shapeOf(here)).toEqual(shapeOf(there))
    const named = { jti: payloadOf(token).jti, clientId: id, sub: accountId, kid: kidOf(token) }
    const flags = { jti: '--jti', clientId: '--client', sub: '--account', kid: '--kid' }
    for (const name of ['jti', 'clientId', 'sub', 'kid'] as const) {
      const here = await shop.json(['revoke', flags[name], named[name]])
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

  test('explain and doctor change no record, of the server either', async () => {
    const shop = await createServedShop()
    const token = await shop.claim()
    await shop.json(['account', 'show', shop.accountId])
    await admin(shop.url, 'GET', `/accounts/${shop.accountId}`)
    const before = dumpRecords(shop)
    for (const origin of [ORIGIN, 'https://evil.example']) {
      await admin(shop.url, 'POST', '/explain', { body: { token, origin } })
      expect((await shop.start(['explain', token, '--origin', origin])).code).toBe(0)
      const header = ['-H', `Authorization: Bearer ${token}`, '-H', `Origin: ${origin}`]
      const { code, stdout } = await shop.start(['doctor', ...header], {
        env: { CLAIMGATE_ISSUER: shop.url },
      })
      expect([code, stdout]).toEqual([
        0,
        expect.stringContaining(origin === ORIGIN ? 'allowed' : `expected  ${ORIGIN}\n`),
      ])
    }
    // Longer than the server waits before it writes the times of use.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(dumpRecords(shop)).toBe(before)
  })

  test('writes the same audit entries, with the actor cli', async () => {
    const shop = await createServedShop({ CLAIMGATE_KEY_PUBLISH: '0' })
    const { accountId, credentialId } = shop
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
      await shop.json(argv)
    }
    const { entries } = await admin(shop.url, 'GET', '/audit')
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

/** Every row of every table, as JSON. */
function dumpRecords({ dir }: Machine): string {
  const database = new DatabaseSync(join(dir, 'claimgate.db'), { readOnly: true })
  const tables = database.prepare("select name from sqlite_master where type = 'table' order by name").all()
  const rows = tables.map(({ name }) => [name, database.prepare(`select * from "${name}"`).all()])
  database.close()
  return JSON.stringify(rows)
}

/** A document with each value replaced by its type, members in order. */
function shapeOf(value: Json): Json {
  if (value === null || typeof value !== 'object') return value === null ? null : typeof value
  if (Array.isArray(value)) return [...new Set(value.map((one) => JSON.stringify(shapeOf(one))))].sort()
  return Object.entries(value).map(([name, one]) => [name, shapeOf(one)])
}
