// Cloudflare D1 as a SqlEngine. D1 runs its own `batch` as one transaction.

import { StorageError } from '../errors.ts'
import { sqliteDialect } from './dialect.ts'
import type { SqlEngine, SqlQuery, SqlResult, SqlRow } from './engine.ts'

/** The methods of a D1 prepared statement that are used here. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement
  all(): Promise<D1Result>
}

/** The members of D1's result of a statement that are used here. */
export interface D1Result {
  readonly results: readonly SqlRow[]
  readonly meta: { readonly changes?: number }
}

/** The methods of a D1 binding that are used here. */
export interface D1Database {
  prepare(sql: string): D1Statement
  batch(statements: D1Statement[]): Promise<D1Result[]>
}

/** Creates an engine on a D1 binding. `close` only makes later calls reject with StorageError. */
export function createD1Engine(database: D1Database): SqlEngine {
  let isClosed = false

  function bind({ sql, parameters }: SqlQuery): D1Statement {
    return database.prepare(sql).bind(...parameters)
  }

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    if (isClosed) throw new StorageError('the D1 database is closed', undefined, 'closed')
    try {
      return await work()
    } catch (error) {
      throw new StorageError('the D1 database refused a statement or cannot be reached', error)
    }
  }

  return {
    dialect: sqliteDialect,
    run: (query) => attempt(async () => toResult(await bind(query).all())),
    batch: (queries) => attempt(async () => (await database.batch(queries.map(bind))).map(toResult)),
    async close() {
      isClosed = true
    },
  }
}

function toResult({ results, meta }: D1Result): SqlResult {
  return { rows: results, changes: meta.changes ?? 0 }
}
