// PATCH of an account with `endTokens`, with two services on one database: when it is answered, both services refuse
// tokens issued before, and accept later ones.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SETTLE_MS } from '../../src/admin/settle.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { createMemoryKeys } from '../support/memory-keys.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { claimRequest, createAccount, payloadOf, SITE } from '../support/world.ts'

const folder = mkdtempSync(join(tmpdir(), 'claimgate-end-'))
let services: readonly MemoryService[]
let made: Json

async function open(keyStore: ReturnType<typeof createMemoryKeys>['store']): Promise<MemoryService> {
  const engine = openSqlite(join(folder, 'records.db'))
  await migrateSchema(engine)
  const storage = createCachedStorage(createSqlStorage(engine))
  return startMemory({ CLAIMGATE_RATE_LIMIT: 'off' }, { storage, settleMs: SETTLE_MS }, keyStore)
}

beforeAll(async () => {
  const { store } = createMemoryKeys()
  services = [await open(store), await open(store)]
})
afterAll(async () => {
  for (const service of services) await service.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  made = await createAccount(one(), {
    name: 'Shop',
    allowedOrigins: [SITE, 'https://other.example'],
    scopes: ['read', 'write'],
    maxTtl: 3600,
  })
})

const one = (): MemoryService => services[0] ?? expect.unreachable('it was started')

function askAdmin(method: string, path: string, body?: object): Promise<WireAnswer> {
  return one().send({
    method,
    path: `/admin${path}`,
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

const patch = (body: object): Promise<WireAnswer> => askAdmin('PATCH', `/accounts/${made.account.id}`, body)

async function claimAt(service: MemoryService): Promise<string> {
  const answer = await service.send(claimRequest({ token: made.credential.token, origin: SITE }))
  expect(answer.status, answer.text).toBe(200)
  return answer.json().token
}

/** A token from each service. */
const claimBoth = (): Promise<string[]> => Promise.all(services.map(claimAt))

/** The verdict of each service on each token. */
async function judge(tokens: readonly string[]): Promise<readonly string[]> {
  const verdicts: string[] = []
  for (const token of tokens) {
    for (const service of services) {
      const headers = { authorization: `Bearer ${token}`, origin: SITE }
      const answer = await service.send({ method: 'GET', path: '/auth/whoami', headers })
      verdicts.push(answer.status === 200 ? '200' : `${answer.status} ${answer.json().error}`)
    }
  }
  return verdicts
}

async function readAudit(): Promise<readonly Json[]> {
  const { entries } = (await askAdmin('GET', '/audit?limit=200')).json()
  return entries.filter(
    ({ target, action }: Json) => target === made.account.id && action !== 'account.create',
  )
}

const GOOD = Array(4).fill('200')
const ENDED = Array(4).fill('401 token_revoked')

describe.each<[string, object, readonly string[]]>([
  ['alone', {}, []],
  ['with another name', { name: 'Other' }, ['name']],
  ['with one scope less', { scopes: ['read'] }, ['scopes']],
  ['with a shorter lifetime', { maxTtl: 60 }, ['maxTtl']],
  [
    'with one origin less and an origin required',
    { allowedOrigins: [SITE], requireOrigin: true },
    ['allowedOrigins', 'requireOrigin'],
  ],
])('endTokens %s', (_, more, changed) => {
  test('ends tokens at both services before it is answered, and later tokens pass', async () => {
    const before = await claimBoth()
    expect(await judge(before)).toEqual(GOOD)
    const answer = await patch({ ...more, endTokens: true })
    expect(await judge(before)).toEqual(ENDED)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.json().account).toMatchObject(more)
    expect(answer.json().account).not.toHaveProperty('endTokens')
    expect(await judge(await claimBoth())).toEqual(GOOD)
    const entries = await readAudit()
    expect(entries.filter(({ action }) => action === 'account.update').map(({ detail }) => detail)).toEqual(
      changed.length === 0 ? [] : [{ changed }],
    )
    const [revocation, ...others] = entries.filter(({ action }) => action === 'revocation.create')
    expect(others).toEqual([])
    expect(revocation).toMatchObject({
      actor: 'admin',
      detail: { kind: 'sub', revocation: expect.any(String) },
    })
    expect(entries).toHaveLength(changed.length === 0 ? 1 : 2)
  })
})

test('a second endTokens also ends tokens issued since the first', async () => {
  await patch({ endTokens: true })
  const between = await claimBoth()
  await patch({ endTokens: true })
  expect(await judge(between)).toEqual(ENDED)
  expect(await readAudit()).toHaveLength(2)
})

test('tokens of other accounts still work', async () => {
  const first = made
  const before = await claimBoth()
  made = await createAccount(one(), { name: 'Other', allowedOrigins: [SITE] })
  await patch({ endTokens: true })
  expect(payloadOf(before[0] ?? '').sub).toBe(first.account.id)
  expect(await judge(before)).toEqual(GOOD)
})

test.each<[object, number]>([
  [{ endTokens: false }, 0],
  [{ endTokens: false, name: 'Other' }, 1],
])('%j ends no token', async (body, entries) => {
  const before = await claimBoth()
  expect((await patch(body)).status).toBe(200)
  expect(await judge(before)).toEqual(GOOD)
  expect((await readAudit()).map(({ action }) => action)).toEqual(Array(entries).fill('account.update'))
})

test.each<unknown>(['true', 1, 0, null, [], {}, ''])(
  'endTokens = %j is 422 and changes nothing',
  async (endTokens) => {
    const [before = ''] = await claimBoth()
    const answer = await patch({ endTokens, name: 'Other' })
    expect(answer.status).toBe(422)
    expect(answer.json().errors).toMatchObject([{ parameter: 'endTokens' }])
    expect(await judge([before])).toEqual(['200', '200'])
    expect(await readAudit()).toEqual([])
  },
)

test('endTokens for an unknown account is 404', async () => {
  expect((await askAdmin('PATCH', '/accounts/acct_unknown', { endTokens: true })).status).toBe(404)
})
