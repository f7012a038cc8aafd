// What a SQL database must offer to hold our records: single statements, and lists of statements that are all or nothing.
// There are no interactive transactions, because D1 has none: conditions of a write are part of its SQL.

import type { MaybePromise } from '../../lib/result.ts'

/** A statement with its bound values: texts, numbers and nulls. */
export interface SqlQuery {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** A row as the driver gave it; its columns are checked by rows.ts. */
export type SqlRow = Readonly<Record<string, unknown>>

/** What a statement gave: rows of a read or of RETURNING; of any other write, how many rows it changed. */
export interface SqlResult {
  readonly rows: readonly SqlRow[]
  readonly changes: number
}

/** A database, as thin as it can be. Every fault is a StorageError, thrown or rejected; so is each call after `close`. */
export interface SqlEngine {
  /** One statement outside any transaction. */
  run(query: SqlQuery): MaybePromise<SqlResult>
  /**
   * All statements in one transaction, in order: all of them are committed when this answers, or none. As if no other
   * batch ran at the same time (serializable): what one statement has judged still holds for the next.
   */
  batch(queries: readonly SqlQuery[]): MaybePromise<readonly SqlResult[]>
  close(): MaybePromise<void>
}
