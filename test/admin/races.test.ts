// Concurrent calls for the same record, on memory and on a SQLite file: one consistent state, one audit entry for each call
// that answers with success, and every secret that was handed out works.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Credential } from '../../src/claims/records/account.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { listRules } from '../support/records.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { type AdminService, NOW, startAdmin } from './service.ts'

interface Opened {
  readonly storage: Storage
  readonly close: () => void
}

async function openFile(): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-admin-'))
  const engine = openSqlite(join(folder, 'records.db'))
  await migrateSchema(engine)
  return { storage: createSqlStorage(engine), close: () => rmSync(folder, { recursive: true }) }
}

const COUNT = 50

describe.each<readonly [name: string, open: () => Promise<Opened>]>([
  ['memory', async () => ({ storage: createMemoryStorage(), close: () => undefined })],
  ['SQLite', openFile],
])('%s', (_, open) => {
  let opened: Opened
  let service: AdminService
  let account: Json
  let first: Json
  beforeEach(async () => {
    opened = await open()
    service = await startAdmin(opened.storage)
    const created = await service.createAccount()
    account = created.account
    first = created.credential
  })
  afterEach(async () => {
    await service.storage.close()
    opened.close()
  })

  const accountPath = () => `/admin/accounts/${account.id}`
  const credentialPath = () => `/admin/credentials/${first.id}`
  const race = (ask: (index: number) => Promise<WireAnswer>, count = COUNT) =>
    Promise.all(Array.from({ length: count }, (_unused, index) => ask(index)))
  const withStatus = (answers: readonly WireAnswer[], status: number) =>
    answers.filter((answer) => answer.status === status)
  const expectOnly = (answers: readonly WireAnswer[], ...statuses: readonly number[]) =>
    expect(
      [...new Set(answers.map(({ status }) => status))].filter((one) => !statuses.includes(one)),
    ).toEqual([])
  const countAudit = async (action: string) =>
    (await service.readAudit()).filter((entry) => entry.action === action).length

  async function readCredential(): Promise<Credential> {
    return (await service.storage.listCredentials(account.id))[0] as Credential
  }

  test('changes: each gets its own updatedAt, and the account keeps the change with the newest one', async () => {
    const answers = await race((index) => service.ask('PATCH', accountPath(), { name: `Name ${index}` }))
    expectOnly(answers, 200)
    const made = withStatus(answers, 200).map((answer): Json => answer.json().account)
    expect(new Set(made.map(({ updatedAt }) => updatedAt)).size).toBe(made.length)
    const newest = made.toSorted((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt))[0]
    expect((await service.demand(200, 'GET', accountPath())).account).toEqual(newest)
    expect(await countAudit('account.update')).toBe(made.length)
    expect(await service.readAudit()).toHaveLength(made.length)
  })

  test('changes of different members do not undo each other', async () => {
    const patches = [{ name: 'Other' }, { maxTtl: 60 }, { browserPrototype: true }, { scopes: ['read'] }]
    const answers = await race((index) => service.ask('PATCH', accountPath(), patches[index]), patches.length)
    expectOnly(answers, 200)
    const merged = Object.assign({}, account, ...patches, { updatedAt: new Date(NOW + 4).toISOString() })
    expect((await service.demand(200, 'GET', accountPath())).account).toEqual(merged)
  })

  test('suspending and resuming: the audit log agrees with the final state', async () => {
    const answers = await race((index) =>
      service.ask('PATCH', accountPath(), { status: index % 2 === 0 ? 'suspended' : 'active' }),
    )
    expectOnly(answers, 200, 409)
    const { status } = (await service.demand(200, 'GET', accountPath())).account
    const difference = (await countAudit('account.suspend')) - (await countAudit('account.resume'))
    expect(difference).toBe(status === 'suspended' ? 1 : 0)
  })

  test('deletions: exactly one succeeds', async () => {
    const answers = await race(() => service.ask('DELETE', accountPath()))
    expect(withStatus(answers, 204)).toHaveLength(1)
    expect(withStatus(answers, 404)).toHaveLength(COUNT - 1)
    expect(await countAudit('account.delete')).toBe(1)
    expect(await listRules(service.storage, NOW)).toHaveLength(1)
  })

  test('changes, new credentials and rotations during a deletion leave nothing of the account', async () => {
    const asks = [
      (index: number) => service.ask('PATCH', accountPath(), { name: `Name ${index}` }),
      () => service.ask('POST', `${accountPath()}/credentials`, {}),
      () => service.ask('POST', `${credentialPath()}/rotate`),
      () => service.ask('DELETE', accountPath()),
    ]
    const answers = await race(async (index) => {
      // The deletion is sent in the middle, after others have started.
      const pick = index === COUNT / 2 ? 3 : index % 3
      for (let turn = 0; turn < index % 7; turn += 1) await new Promise(setImmediate)
      return (asks[pick] as (index: number) => Promise<WireAnswer>)(index)
    })
    expectOnly(answers, 200, 201, 204, 404, 409)
    const made = answers.flatMap(({ status, text }) => (status === 200 ? [text] : []))
    const isRotation = (text: string) => text.includes('clientSecret')
    expect(await countAudit('account.update')).toBe(made.filter((text) => !isRotation(text)).length)
    expect(await countAudit('credential.rotate')).toBe(made.filter(isRotation).length)
    expect(await countAudit('credential.create')).toBe(withStatus(answers, 201).length)
    expect(await countAudit('account.delete')).toBe(1)
    await service.demand(404, 'GET', accountPath())
    expect(await service.storage.listCredentials(account.id)).toEqual([])
  })

  test('rotations: every secret that was returned is the current or the previous one', async () => {
    const answers = await race(() => service.ask('POST', `${credentialPath()}/rotate`, { overlap: 60 }))
    expectOnly(answers, 200, 409)
    const shown = withStatus(answers, 200).map((answer): string => answer.json().credential.clientSecret)
    expect(shown.length).toBeGreaterThan(0)
    expect(await countAudit('credential.rotate')).toBe(shown.length)
    const { secretHash, previousHash } = await readCredential()
    const hashes = await Promise.all(shown.map((secret) => service.hashSecret(secret)))
    expect(hashes).toContain(secretHash)
    expect(hashes.filter((hash) => hash !== secretHash && hash !== previousHash)).toEqual([])
    for (const answer of withStatus(answers, 409)) expect(answer.text).toContain('try again')
  })

  test('revoking a credential: exactly one call succeeds', async () => {
    const answers = await race(() => service.ask('DELETE', credentialPath()))
    expect(withStatus(answers, 204)).toHaveLength(1)
    expect(withStatus(answers, 404)).toHaveLength(COUNT - 1)
    expect(await countAudit('credential.revoke')).toBe(1)
    expect((await readCredential()).revokedAt).toBe(NOW)
  })

  test('rotations during a revocation leave the credential revoked', async () => {
    const answers = await race((index) =>
      index === 10
        ? service.ask('DELETE', credentialPath())
        : service.ask('POST', `${credentialPath()}/rotate`),
    )
    expectOnly(answers, 200, 204, 409)
    expect(withStatus(answers, 204)).toHaveLength(1)
    expect((await readCredential()).revokedAt).toBe(NOW)
    expect(await countAudit('credential.rotate')).toBe(withStatus(answers, 200).length)
    await service.demand(409, 'POST', `${credentialPath()}/rotate`)
  })

  test('revocations of the same account are all stored', async () => {
    const answers = await race(() =>
      service.ask('POST', '/admin/revocations', { sub: account.id, issuedBefore: NOW / 1000 - 1 }),
    )
    expect(withStatus(answers, 201)).toHaveLength(COUNT)
    expect(new Set(answers.map((answer) => answer.json().revocation.id)).size).toBe(COUNT)
    expect(await countAudit('revocation.create')).toBe(COUNT)
    expect(await listRules(service.storage, NOW)).toHaveLength(COUNT)
  })
})

test('a change that conflicts with others at every attempt gets 409 within seconds and changes nothing', async () => {
  let tries = 0
  const inner = createMemoryStorage()
  const service = await startAdmin({
    ...inner,
    updateAccount: async () => {
      tries += 1
      return false
    },
  })
  const { account } = await service.createAccount()
  const startedAt = performance.now()
  await service.demand(409, 'PATCH', `/admin/accounts/${account.id}`, { name: 'Other' })
  const elapsed = performance.now() - startedAt
  expect(elapsed).toBeGreaterThan(1000)
  expect(elapsed).toBeLessThan(13_000)
  // Each attempt costs queries, and platforms limit their number.
  expect(tries).toBeGreaterThan(5)
  expect(tries).toBeLessThan(25)
  expect(await service.readAudit()).toEqual([])
})

test.each([
  ['PATCH', '/admin/accounts/acct_a', { name: 'Other' }],
  ['DELETE', '/admin/accounts/acct_a', undefined],
  ['POST', '/admin/accounts/acct_a/credentials', {}],
  ['POST', '/admin/credentials/a/rotate', undefined],
  ['DELETE', '/admin/credentials/a', undefined],
  ['POST', '/admin/revocations', { sub: 'acct_a' }],
  ['POST', '/admin/revocations', { kid: 'a' }],
  ['POST', '/admin/keys/rotate', { force: true }],
])('%s %s while the database is down answers 503 and changes nothing', async (method, path, body) => {
  const service = await startAdmin()
  const keys = await service.keyLife.list()
  await service.storage.close()
  const answer = await service.ask(method, path, body)
  expect([answer.status, answer.json().error]).toEqual([503, 'unavailable'])
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  expect(service.told).toEqual([])
  expect(await service.keyLife.list()).toEqual(keys)
})
