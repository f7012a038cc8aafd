// Cloudflare D1 as a SqlEngine. `batch` is D1's own: one transaction on its side.

import { StorageError } from '../errors.ts'
import type { SqlEngine, SqlQuery, SqlResult, SqlRow } from './engine.ts'

/** What we use of a D1 prepared statement. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement
  all(): Promise<D1Result>
}

/** What we use of D1's answer to a statement. */
export interface D1Result {
  readonly results: readonly SqlRow[]
  readonly meta: { readonly changes?: number }
}

/** What we use of a D1 binding. */
export interface D1Database {
  prepare(sql: string): D1Statement
  batch(statements: D1Statement[]): Promise<D1Result[]>
}

/** An engine on the binding `database`. It holds nothing to release: closing it only ends its use. */
export function createD1Engine(database: D1Database): SqlEngine {
  let isClosed = false

  function bind({ sql, parameters }: SqlQuery): D1Statement {
    return database.prepare(sql).bind(...parameters)
  }

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    if (isClosed) throw new StorageError('the D1 database is closed')
    try {
      return await work()
    } catch (error) {
      throw new StorageError('the D1 database refused a statement or cannot be reached', error)
    }
  }

  return {
    run: (query) => attempt(async () => toResult(await bind(query).all())),
    batch: (queries) => attempt(async () => (await database.batch(queries.map(bind))).map(toResult)),
    close() {
      isClosed = true
    },
  }
}

function toResult({ results, meta }: D1Result): SqlResult {
  return { rows: results, changes: meta.changes ?? 0 }
}
