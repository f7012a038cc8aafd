// The contracts on a real D1: the one of miniflare, inside workerd. A worker in there runs the statements, so each call of
// the engine is one request. miniflare's own binding for Node would block for a request at each `prepare` and `bind`.

import { randomBytes } from 'node:crypto'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll } from 'vitest'
import { createD1Engine, type D1Database, type D1Result, type D1Statement } from '../../src/storage/sql/d1.ts'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describeEngine, type OpenedEngine } from './engine-contract.ts'
import { describeKeyStore } from './key-contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

// One workerd runs all databases. The tests of the engine change the schema, so each of them gets a database of its own. A
// migration takes about fifteen round trips, so all other tests share one database, which is emptied before each test.
const fresh = Array.from({ length: 20 }, (_, index) => `FRESH${index}`)
const SHARED = 'SHARED'
let miniflare: Miniflare | undefined
let emptyShared: (() => Promise<unknown>) | undefined

beforeAll(async () => {
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: WORKER,
      d1Databases: Object.fromEntries([SHARED, ...fresh].map((name) => [name, name])),
    }),
  )
  await miniflare.ready
})
afterAll(() => miniflare?.dispose())

const WORKER = `export default {
  async fetch(request, env) {
    const { name, queries, isBatch } = await request.json()
    try {
      const statements = queries.map(({ sql, parameters }) => env[name].prepare(sql).bind(...parameters))
      const results = isBatch ? await env[name].batch(statements) : [await statements[0].all()]
      return Response.json({ results: results.map(({ results, meta }) => ({ results, meta })) })
    } catch (error) {
      return Response.json({ error: String(error) })
    }
  },
}`

/** A D1 binding that sends its statements to the worker, which runs them on the database `name`. */
function bindDatabase(flare: Miniflare, name: string): D1Database {
  const queryOf = new WeakMap<D1Statement, SqlQuery>()

  async function run(statements: readonly D1Statement[], isBatch: boolean): Promise<D1Result[]> {
    const queries = statements.map((statement) => queryOf.get(statement))
    const body = JSON.stringify({ name, queries, isBatch })
    const answer = await flare.dispatchFetch('http://d1.test/', { method: 'POST', body })
    const { results, error } = (await answer.json()) as { results?: D1Result[]; error?: string }
    if (results === undefined) throw new Error(error)
    return results
  }

  function createStatement(query: SqlQuery): D1Statement {
    const statement: D1Statement = {
      bind: (...parameters) => createStatement({ sql: query.sql, parameters }),
      all: async () => (await run([statement], false))[0] as D1Result,
    }
    queryOf.set(statement, query)
    return statement
  }

  return {
    prepare: (sql) => createStatement({ sql, parameters: [] }),
    batch: (statements) => run(statements, true),
  }
}

async function openDatabase(name: string | undefined): Promise<OpenedEngine> {
  if (!name || !miniflare) throw new Error('all databases are in use: raise the count above')
  const engine = createD1Engine(bindDatabase(miniflare, name))
  return { engine, close: () => engine.close() }
}

async function openFresh(): Promise<OpenedEngine> {
  const opened = await openDatabase(fresh.pop())
  await migrateSchema(opened.engine)
  return opened
}

async function openEmptied(): Promise<OpenedEngine> {
  const opened = await openDatabase(SHARED)
  if (emptyShared === undefined) {
    await migrateSchema(opened.engine)
    const { engine } = await openDatabase(SHARED)
    const statements = await listEmptying(engine)
    emptyShared = () => engine.batch(statements)
  }
  await emptyShared()
  return opened
}

/** Statements that reset a migrated database to the rows it has right after its migrations. */
async function listEmptying(engine: SqlEngine): Promise<readonly SqlQuery[]> {
  const { rows } = await engine.run({
    sql: `select name from sqlite_master where type = 'table' and name not like '\\_cf%' escape '\\'
      and name not in ('claimgate_migrations', 'sqlite_sequence')`,
    parameters: [],
  })
  const marks = (await engine.run({ sql: 'select name, value from marks', parameters: [] })).rows
  return [
    // Rows that refer to an account are deleted with it.
    ...rows.map(({ name }) => ({ sql: `delete from "${name}"`, parameters: [] })),
    ...marks.map(({ name, value }) => ({
      sql: 'insert into marks (name, value) values (?, ?)',
      parameters: [name, value],
    })),
  ]
}

async function openStorage(): Promise<OpenedStorage> {
  const { engine, close } = await openEmptied()
  return { storage: createSqlStorage(engine), close }
}

describeStorage('d1', openStorage)
describeWrites('d1', openStorage)
describeRaces('d1', openStorage)
describeRevocations('d1', openStorage)
describeRules('d1', openStorage)
describePrototypes('d1', openStorage)
describeAssertions('d1', openStorage)
describeEngine('d1', openFresh)
describeKeyStore('d1', openEmptied)
describeKeyChanges('d1', async () => {
  const { engine, close } = await openEmptied()
  const masterKey = randomBytes(32)
  return { open: () => createSqlKeyStore(engine, masterKey), close }
})
