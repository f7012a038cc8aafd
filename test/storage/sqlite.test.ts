// The contracts on a real SQLite file, and what only concerns files: modes, pragmas, query plans, damaged rows.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StorageError } from '../../src/storage/errors.ts'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { addAccount } from '../support/records.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describeEngine } from './engine-contract.ts'
import { describeKeyStore } from './key-contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

async function openTemporary(): Promise<{ engine: SqlEngine; path: string; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-sqlite-'))
  const path = join(folder, 'made', 'by', 'open.db')
  const engine = openSqlite(path)
  await migrateSchema(engine)
  const close = async () => {
    await engine.close()
    rmSync(folder, { recursive: true })
  }
  return { engine, path, close }
}

async function openStorage(): Promise<OpenedStorage> {
  const { engine, close } = await openTemporary()
  return { storage: createSqlStorage(engine), close }
}

describeStorage('sqlite', openStorage)
describeWrites('sqlite', openStorage)
describeRaces('sqlite', openStorage)
describeRevocations('sqlite', openStorage)
describeRules('sqlite', openStorage)
describePrototypes('sqlite', openStorage)
describeAssertions('sqlite', openStorage)
describeEngine('sqlite', openTemporary)
describeKeyStore('sqlite', openTemporary)
describeKeyChanges('sqlite', async () => {
  const { engine, close } = await openTemporary()
  const masterKey = randomBytes(32)
  return { open: () => createSqlKeyStore(engine, masterKey), close }
})

describe('a SQLite file', () => {
  let opened: Awaited<ReturnType<typeof openTemporary>>
  beforeEach(async () => {
    opened = await openTemporary()
  })
  afterEach(() => opened.close())

  test('is private to its owner, with its WAL files and the folders created for it', async () => {
    await addAccount(createSqlStorage(opened.engine))
    for (const suffix of ['', '-wal', '-shm']) {
      expect(statSync(`${opened.path}${suffix}`).mode & 0o777).toBe(0o600)
    }
    expect(statSync(join(opened.path, '..')).mode & 0o777).toBe(0o700)
  })

  test.each([
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['foreign_keys', 1],
  ])('is opened with %s = %s', async (pragma, expected) => {
    const { rows } = await opened.engine.run({ sql: `PRAGMA ${pragma}`, parameters: [] })
    expect(Object.values(rows[0] ?? {})).toEqual([expected])
  })

  test('has busy_timeout 0, because waiting in SQLite would block the event loop', async () => {
    const { rows } = await opened.engine.run({ sql: 'PRAGMA busy_timeout', parameters: [] })
    expect(rows).toEqual([{ timeout: 0 }])
  })

  test('is not scanned completely for a preflight from an unknown origin', async () => {
    const asked: SqlQuery[] = []
    const run = (query: SqlQuery) => {
      asked.push(query)
      return opened.engine.run(query)
    }
    createSqlStorage({ ...opened.engine, run }).isPrototypeOriginListed(['*'], true, 1)
    const [query] = asked as [SqlQuery]
    const plan = await opened.engine.run({ ...query, sql: `EXPLAIN QUERY PLAN ${query.sql}` })
    const steps = plan.rows.map(({ detail }) => String(detail))
    expect(steps.filter((step) => /^(SCAN|SEARCH) (?!json_each|asked)/.test(step))).toEqual([
      expect.stringMatching(/^SEARCH account_origins USING COVERING INDEX .*\(pattern=\?\)/),
      'SEARCH credentials USING INDEX credentials_prototype (account_id=?)',
      expect.stringMatching(/^SEARCH accounts .*\(id=\?\)/),
      // A scan of an index that contains prototype credentials only.
      'SCAN credentials USING INDEX credentials_prototype',
      expect.stringMatching(/^SEARCH accounts .*\(id=\?\)/),
    ])
  })

  test('is opened again with all its records', async () => {
    const { account } = await addAccount(createSqlStorage(opened.engine))
    await opened.engine.close()
    const again = openSqlite(opened.path)
    await migrateSchema(again)
    expect(await createSqlStorage(again).listAccounts(undefined, 50)).toEqual([account])
    await again.close()
  })

  test.each([
    ['accounts', 'status', "'banned'"],
    ['accounts', 'allowed_origins', `'"https://shop.example"'`],
    ['accounts', 'allowed_origins', "'[1]'"],
    ['accounts', 'scopes', "'['"],
    ['accounts', 'max_ttl', "'soon'"],
    ['accounts', 'max_ttl', '1.5'],
    ['accounts', 'browser_prototype', '2'],
    ['accounts', 'name', "x'00'"],
    ['credentials', 'scopes', "'{}'"],
    ['credentials', 'revoked_at', "''"],
    ['credentials', 'allow_localhost', "'false'"],
  ])('with a damaged %s.%s (%s) rejects with a StorageError', async (table, column, value) => {
    const storage = createSqlStorage(opened.engine)
    const { credential } = await addAccount(storage)
    await opened.engine.run({ sql: `UPDATE ${table} SET ${column} = ${value}`, parameters: [] })
    const found = storage.findCredential(credential.id)
    expect(found).toBeInstanceOf(Promise)
    await expect(found).rejects.toThrow(StorageError)
    await expect(found).rejects.toThrow(column)
  })

  test.each([
    ['action', "'account.explode'"],
    ['detail', "'[]'"],
    ['detail', "'null'"],
    ['at', '1.5'],
  ])('with a damaged audit.%s (%s) rejects with a StorageError', async (column, value) => {
    const storage = createSqlStorage(opened.engine)
    await addAccount(storage)
    await opened.engine.run({ sql: `UPDATE audit SET ${column} = ${value}`, parameters: [] })
    await expect(storage.listAudit(undefined, 50)).rejects.toThrow(StorageError)
  })

  test('of another program, with tables of the same names, is refused, and its own tables stay', async () => {
    const path = join(opened.path, '..', 'other.db')
    const other = new DatabaseSync(path)
    other.exec('CREATE TABLE credentials (whatever TEXT)')
    const engine = openSqlite(path)
    await expect(migrateSchema(engine)).rejects.toThrow(StorageError)
    await engine.close()
    const tables = other.prepare(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`).all()
    expect(tables.map(({ name }) => name)).toEqual(['claimgate_migrations', 'credentials'])
    other.close()
  })
})
