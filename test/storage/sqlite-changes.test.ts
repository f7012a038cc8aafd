// Changes of records in a real SQLite file: two servers on one file, kill -9, older schemas, damaged rows.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../../src/claims/records/account.ts'
import { endWhileSuspended } from '../../src/claims/records/revocation.ts'
import { createRevocationRules } from '../../src/service/revocation/rules.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { sqliteDialect } from '../../src/storage/sql/dialect.ts'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { formatAccount, formatAudit, formatCredential } from '../../src/storage/sql/rows.ts'
import type { AccountRow } from '../../src/storage/sql/schema.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  listRules,
  makeAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'
import { claimsWith, keepLog } from '../support/service-parts.ts'

const { builder } = sqliteDialect

const NOW = 1_700_000_000_000
const DAY = 86_400_000

let folder: string
let file: string
let opened: Storage[]
let children: ChildProcess[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-changes-'))
  file = join(folder, 'claimgate.db')
  opened = []
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const storage of opened) await storage.close()
  rmSync(folder, { recursive: true })
})

async function openStorage(): Promise<{ storage: Storage; engine: SqlEngine }> {
  const engine = openSqlite(file)
  await migrateSchema(engine)
  const storage = createSqlStorage(engine)
  opened.push(storage)
  return { storage, engine }
}

const valuesOf = async (storage: Storage) =>
  (await listRules(storage, NOW)).map(({ kind, value }) => `${kind} ${value}`)

test('what one server writes to the file, the other reads immediately: revocations, suspensions, deletions', async () => {
  const { storage: one } = await openStorage()
  const { storage: other } = await openStorage()
  const { account, credential } = await addAccount(one)
  expect(await other.findCredential(credential.id)).toEqual({ account, credential })

  await one.addRevocation(makeRevocation({ value: 'a' }), makeAudit())
  expect(await valuesOf(other)).toEqual(['jti a'])
  expect(
    await other.revokeCredential(credential.id, NOW, makeCredentialEnd(credential.id), makeAudit()),
  ).toBe(true)
  expect(
    await one.revokeCredential(credential.id, NOW + 1, makeCredentialEnd(credential.id), makeAudit()),
  ).toBe(false)
  expect((await one.findCredential(credential.id))?.credential.revokedAt).toBe(NOW)
  const suspended = { ...account, status: 'suspended' as const, updatedAt: account.updatedAt + 1 }
  const rules = { put: [endWhileSuspended(account.id, NOW, DAY)], lift: [] }
  expect(await one.updateAccount(suspended, account.updatedAt, [], rules)).toBe(true)
  expect(await other.updateAccount(suspended, account.updatedAt, [], rules)).toBe(false)
  expect((await valuesOf(other)).sort()).toEqual([`client_id ${credential.id}`, 'jti a', `sub ${account.id}`])
  expect(await other.deleteAccount(account.id, makeRevocation({ value: 'b' }), makeAudit())).toBe(true)
  expect(await one.findCredential(credential.id)).toBeUndefined()
  expect(await valuesOf(one)).toEqual(['jti a', `client_id ${credential.id}`, `sub ${account.id}`, 'jti b'])
})

function start(mode: 'revoke' | 'update', prefix: string, count: number) {
  const script = fileURLToPath(new URL('changer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, mode, prefix, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const acknowledged: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => acknowledged.push(line))
  const end = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(
    ([[code]]) => code as number | null,
  )
  return { child, acknowledged, lines, end }
}

test('three processes update one account and no update is lost', async () => {
  const { storage } = await openStorage()
  const { account } = await addAccount(storage, { id: 'acct_shared', scopes: [] })
  const writers = ['a', 'b', 'c'].map((prefix) => start('update', prefix, 100))
  expect(await Promise.all(writers.map(({ end }) => end))).toEqual([0, 0, 0])
  const found = await storage.getAccount(account.id)
  const names = ['a', 'b', 'c'].flatMap((prefix) =>
    Array.from({ length: 100 }, (_, index) => `${prefix}${index}`),
  )
  expect([...(found?.scopes ?? [])].sort()).toEqual(names.sort())
  expect(found?.updatedAt).toBe(account.updatedAt + 300)
  const logged = (await storage.listAudit(undefined, 1000)).map(({ id }) => id)
  expect(logged.filter((id) => id.startsWith('aud-')).sort()).toEqual(names.map((one) => `aud-${one}`).sort())
})

test('kill -9 right after an acknowledgement, 20 times, makes no revoked token valid again', async () => {
  const acknowledged: string[] = []
  for (let round = 0; round < 20; round++) {
    const changer = start('revoke', `r${round}-`, 1_000_000)
    const target = 1 + round
    await new Promise<void>((resolve, reject) => {
      changer.lines.on('line', () => {
        if (changer.acknowledged.length < target) return
        changer.child.kill('SIGKILL')
        resolve()
      })
      changer.lines.on('close', () => reject(new Error('the changing process exited by itself')))
    })
    expect(await changer.end).toBeNull()
    acknowledged.push(...changer.acknowledged)
  }
  const { storage } = await openStorage()
  const rules = new Set(await valuesOf(storage))
  const accounts = new Set((await storage.listAccounts(undefined, 100_000)).map(({ id }) => id))
  const logged = new Set((await storage.listAudit(undefined, 100_000)).map(({ id }) => id))
  const kinds = { jti: 0, client_id: 0, sub: 0 }
  for (const line of acknowledged) {
    const [kind, value = ''] = line.split(' ') as [keyof typeof kinds, string]
    kinds[kind]++
    const name = value.replace(/^(jti|cred|acct)-/, '').replace(/-a$/, '')
    expect(logged).toContain(`${kind}-${name}`)
    if (kind === 'sub') expect(accounts).not.toContain(value)
    // A credential is deleted with its account; the rule of the account then covers it.
    const isCovered = rules.has(line) || (kind === 'client_id' && rules.has(`sub acct-${name}`))
    expect(isCovered, line).toBe(true)
  }
  expect(
    Math.min(...Object.values(kinds)),
    'at least one revocation of each kind must be acknowledged',
  ).toBeGreaterThan(0)
  // A change that was not acknowledged is stored completely or not at all.
  for (const rule of rules) {
    const [kind, value = ''] = rule.split(' ')
    expect(logged).toContain(`${kind}-${value.replace(/^(jti|cred|acct)-/, '').replace(/-a$/, '')}`)
  }
  for (const account of accounts) expect(logged).not.toContain(account.replace('acct-', 'sub-'))
})

/** Statements that write an account as the first version did: without the columns that later versions added. */
function asFirstVersion({ account, credential, audit }: Awaited<ReturnType<typeof addAccount>>) {
  const { require_origin: _, ...row } = formatAccount(account)
  const origins = account.allowedOrigins.map((pattern) => ({ pattern, account_id: account.id }))
  return [
    builder.insertInto('accounts').values(row as AccountRow),
    builder.insertInto('account_origins').values(origins),
    builder.insertInto('credentials').values(formatCredential(credential)),
    builder.insertInto('audit').values(formatAudit(audit)),
  ].map((statement) => statement.compile())
}

/** Creates a file as an older version left it: with the migrations up to `last`, and none after it. */
async function openOlder(last: string): Promise<SqlEngine> {
  const engine = openSqlite(file)
  const older: SqlEngine = {
    ...engine,
    batch: (queries) => {
      if (String(queries[0]?.parameters[0] ?? '') > last) throw new StorageError('stop here')
      return engine.batch(queries)
    },
  }
  await expect(migrateSchema(older)).rejects.toThrow('stop here')
  return engine
}

test('a file of the first version is migrated and keeps all its records', async () => {
  const engine = await openOlder('0001-records')
  const account = makeAccount({ status: 'suspended' })
  const credential = makeCredential(account.id)
  const made = { account, credential, audit: makeAudit({ target: account.id }) }
  await engine.batch(asFirstVersion(made))
  await engine.close()

  const { storage } = await openStorage()
  expect(await storage.findCredential(made.credential.id)).toEqual({
    account: made.account,
    credential: made.credential,
  })
  expect(await storage.listAudit(undefined, 50)).toEqual([made.audit])
  expect(await valuesOf(storage)).toEqual([`sub ${made.account.id}`])
})

test('revocations from before they had numbers still end tokens after the migration, also when they fill several pages', async () => {
  const engine = await openOlder('0004-marks')
  await createSqlStorage(engine).raiseLongestLifetime(7 * 86_400)
  const addOld = async (account: Account) => {
    const credential = makeCredential(account.id)
    const made = { account, credential, audit: makeAudit({ target: account.id }) }
    await engine.batch(asFirstVersion(made))
    return made
  }
  const suspended = await addOld(makeAccount({ status: 'suspended' }))
  const other = await addOld(makeAccount())
  await engine.run({
    sql: 'UPDATE credentials SET revoked_at = ? WHERE id = ?',
    parameters: [NOW, other.credential.id],
  })
  await engine.run({
    sql: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
      INSERT INTO revocations (id, kind, value, "before", until, created_at)
      SELECT 'old' || i, 'jti', 'jti-' || i, ?, ?, ? FROM n`,
    parameters: [NOW + DAY, NOW + DAY, NOW],
  })
  await engine.close()

  const { storage } = await openStorage()
  const { log } = keepLog()
  const rules = createRevocationRules({ storage, log, now: () => NOW, sharesWork: true })
  await rules.refresh()
  const iat = NOW / 1000 - 5
  const good = claimsWith({ sub: 'acct_good', client_id: 'good', jti: 'good', iat, exp: iat + 600 })
  expect(await rules.isListed(good, 'key-1')).toBe(false)
  for (let index = 1; index <= 4500; index += 1) {
    expect(await rules.isListed({ ...good, jti: `jti-${index}` }, 'key-1'), `jti-${index}`).toBe(true)
  }
  // A token issued six days later is still covered, because tokens with a lifetime of a week were issued.
  const week = { ...good, exp: iat + 6 * 86_400 }
  expect(await rules.isListed({ ...week, sub: suspended.account.id }, 'key-1')).toBe(true)
  expect(await rules.isListed({ ...week, client_id: other.credential.id }, 'key-1')).toBe(true)
  expect((await rules.read())?.rules).toHaveLength(4502)
  // New changes get higher numbers.
  const seq = await storage.readRuleSeq()
  await storage.addRevocation(makeRevocation(), makeAudit())
  expect(await storage.readRuleSeq()).toBe(seq + 1)
})

describe('following revocations by number', () => {
  test('scans no whole table', async () => {
    const { engine } = await openStorage()
    const asked: SqlQuery[] = []
    const storage = createSqlStorage({
      ...engine,
      run: (query) => {
        asked.push(query)
        return engine.run(query)
      },
    })
    await storage.readRuleSeq()
    await storage.listRuleChanges({ seq: 5, id: 'a' }, 10)
    const steps: string[] = []
    for (const { sql, parameters } of asked) {
      const plan = await engine.run({ sql: `EXPLAIN QUERY PLAN ${sql}`, parameters })
      steps.push(...plan.rows.map(({ detail }) => String(detail)))
    }
    expect(steps).toEqual([
      expect.stringMatching(/^SEARCH marks USING INDEX .*\(name=\?\)/),
      expect.stringContaining('SEARCH revocations USING INDEX revocations_by_seq'),
    ])
  })

  test('takes milliseconds with 20 000 credentials', async () => {
    const { storage, engine } = await openStorage()
    const { account } = await addAccount(storage)
    await engine.run({
      sql: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO credentials SELECT 'c' || i, account_id, name, scopes, browser_prototype, allow_localhost,
          secret_hash, previous_hash, previous_expires_at, jwks, expires_at, revoked_at, created_at, last_used_at
        FROM credentials, n`,
      parameters: [],
    })
    expect(await storage.listCredentials(account.id)).toHaveLength(20_001)
    await storage.revokeCredential('c77', NOW, makeCredentialEnd('c77'), makeAudit())
    const began = performance.now()
    for (let times = 0; times < 100; times++) expect(await valuesOf(storage)).toEqual(['client_id c77'])
    expect((performance.now() - began) / 100).toBeLessThan(5)
  })

  test.each([
    ['kind', "'iss'"],
    ['value', "x'00'"],
    ['before', "'soon'"],
    ['until', '1e300'],
  ])('a damaged revocations.%s (%s) rejects with a StorageError', async (column, value) => {
    const { storage, engine } = await openStorage()
    await storage.addRevocation(makeRevocation(), makeAudit())
    await engine.run({ sql: `UPDATE revocations SET "${column}" = ${value}`, parameters: [] })
    await expect(storage.listRuleChanges({ seq: -1, id: '' }, 100)).rejects.toThrow(StorageError)
    await expect(storage.listRuleChanges({ seq: -1, id: '' }, 100)).rejects.toThrow(column)
  })
})

test('on a full disk a revocation is refused and rolled back', async () => {
  const { storage, engine } = await openStorage()
  const { account, credential } = await addAccount(storage)
  const { rows } = await engine.run({ sql: 'PRAGMA page_count', parameters: [] })
  await engine.run({ sql: `PRAGMA max_page_count = ${rows[0]?.page_count}`, parameters: [] })
  const big = makeAudit({ target: 'x'.repeat(100_000) })
  const logged = await storage.listAudit(undefined, 50)
  await expect(storage.deleteAccount(account.id, makeRevocation(), big)).rejects.toThrow(/disk is full/)
  await expect(
    storage.revokeCredential(credential.id, NOW, makeCredentialEnd(credential.id), big),
  ).rejects.toThrow(/disk is full/)
  await expect(storage.createCredential(makeCredential(account.id), big)).rejects.toThrow(/disk is full/)
  expect(await storage.findCredential(credential.id)).toEqual({ account, credential })
  expect(await valuesOf(storage)).toEqual([])
  expect(await storage.listAudit(undefined, 50)).toEqual(logged)
  await engine.run({ sql: 'PRAGMA max_page_count = 1000000', parameters: [] })
  expect(await storage.deleteAccount(account.id, makeRevocation(), big)).toBe(true)
})

test('a file from before rules had numbers: tokens of revoked credentials and suspended accounts stay ended', async () => {
  const engine = openSqlite(file)
  const before: SqlEngine = {
    ...engine,
    batch: (queries) => {
      if (String(queries[0]?.parameters[0]) === '0006-numbered-revocations')
        throw new StorageError('stop here')
      return engine.batch(queries)
    },
  }
  await expect(migrateSchema(before)).rejects.toThrow('stop here')
  const [suspended, active] = [makeAccount({ status: 'suspended', updatedAt: NOW }), makeAccount()]
  const [ended, kept] = [makeCredential(active.id, { revokedAt: NOW + 7 }), makeCredential(active.id)]
  const rows = [
    ...[suspended, active].map((account) =>
      builder.insertInto('accounts').values(formatAccount(account) as AccountRow),
    ),
    ...[ended, kept].map((credential) =>
      builder.insertInto('credentials').values(formatCredential(credential)),
    ),
  ]
  await engine.batch(rows.map((row) => row.compile()))
  await engine.close()

  const { storage } = await openStorage()
  const rules = await storage.listRuleChanges({ seq: -1, id: '' }, 10)
  expect(rules.map(({ id, kind, value }) => [id, kind, value])).toEqual([
    [`credential_${ended.id}`, 'client_id', ended.id],
    [`suspended_${suspended.id}`, 'sub', suspended.id],
  ])
  for (const { before: moment, until, seq } of rules) {
    // The rule covers tokens issued up to five minutes after the revocation, and stays for the longest token lifetime.
    expect(moment).toBeGreaterThanOrEqual(NOW + 300_000)
    expect(until - moment).toBeGreaterThanOrEqual(86_400_000)
    expect(seq).toBe(await storage.readRuleSeq())
  }
  const resumed = { ...suspended, status: 'active' as const, updatedAt: NOW + 9 }
  const lift = { put: [], lift: [`suspended_${suspended.id}`] }
  expect(await storage.updateAccount(resumed, suspended.updatedAt, [], lift)).toBe(true)
  expect(await valuesOf(storage)).toContain(`client_id ${ended.id}`)
  expect((await listRules(storage, NOW + 9)).map(({ value }) => value)).toEqual([ended.id])
})
