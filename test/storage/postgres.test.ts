// The contracts on a real Postgres server, and what only concerns Postgres: its schema, errors and outages.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openPostgres } from '../../src/storage/sql/postgres.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { POSTGRES_BIN, type PostgresServer, runOnce, startPostgres } from '../support/postgres.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describeEngine, type OpenedEngine } from './engine-contract.ts'
import { describeKeyStore } from './key-contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

let server: PostgresServer
/** The database that most tests share; it is emptied before each. */
let shared: { readonly url: string; readonly empty: readonly SqlQuery[] }

beforeAll(async () => {
  if (POSTGRES_BIN === undefined) return
  server = await startPostgres(['fsync=off'])
  const url = await server.createDatabase()
  const engine = openPostgres(url)
  await migrateSchema(engine)
  shared = { url, empty: await listEmptying(engine) }
  await engine.close()
})
afterAll(() => server?.stop())

const query = (sql: string, ...parameters: unknown[]): SqlQuery => ({ sql, parameters })

/** Statements that reset a migrated database to the rows it has right after its migrations. */
async function listEmptying(engine: SqlEngine): Promise<readonly SqlQuery[]> {
  const tables = await engine.run(
    query(
      `select tablename from pg_tables where schemaname = 'claimgate' and tablename not like '%migrations'`,
    ),
  )
  const marks = await engine.run(query('select name, value from claimgate.marks'))
  return [
    query(`truncate ${tables.rows.map(({ tablename }) => `claimgate.${tablename}`).join()}`),
    ...marks.rows.map(({ name, value }) =>
      query('insert into claimgate.marks (name, value) values ($1, $2)', name, value),
    ),
  ]
}

async function openFresh(): Promise<OpenedEngine> {
  const engine = openPostgres(await server.createDatabase())
  await migrateSchema(engine)
  return { engine, close: () => engine.close() }
}

async function openEmptied(): Promise<OpenedEngine> {
  const engine = openPostgres(shared.url)
  await engine.batch(shared.empty)
  return { engine, close: () => engine.close() }
}

async function openStorage(): Promise<OpenedStorage> {
  const { engine, close } = await openEmptied()
  return { storage: createSqlStorage(engine), close }
}

describe.skipIf(POSTGRES_BIN === undefined)('Postgres', () => {
  describeStorage('postgres', openStorage)
  describeWrites('postgres', openStorage)
  describeRaces('postgres', openStorage)
  describeRevocations('postgres', openStorage)
  describeRules('postgres', openStorage)
  describePrototypes('postgres', openStorage)
  describeAssertions('postgres', openStorage)
  describeEngine('postgres', openFresh)
  describeKeyStore('postgres', openEmptied)
  describeKeyChanges('postgres', async () => {
    const { engine, close } = await openEmptied()
    const masterKey = randomBytes(32)
    return { open: () => createSqlKeyStore(engine, masterKey), close }
  })

  describe('a Postgres database', () => {
    test('has all tables in the schema claimgate', async () => {
      const rows = await runOnce(
        shared.url,
        `select distinct schemaname from pg_tables where schemaname not like 'pg_%' and schemaname <> 'information_schema'`,
      )
      expect(rows).toEqual([{ schemaname: 'claimgate' }])
    })
  })
})
