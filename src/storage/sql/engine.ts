// Port to a SQL database: single statements, and batches that are one transaction. The conditions of a write are part of
// its SQL, because D1 has no interactive transactions.

import type { Dialect } from './dialect.ts'

/** A statement with its bound values: texts, numbers and nulls. */
export interface SqlQuery {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** A row as the driver returned it. rows.ts checks its columns. */
export type SqlRow = Readonly<Record<string, unknown>>

/** Result of a statement: the rows of a read or of RETURNING; for any other write, the number of rows changed. */
export interface SqlResult {
  readonly rows: readonly SqlRow[]
  readonly changes: number
}

/** A database. Every method rejects with StorageError when the database fails, and after `close`. */
export interface SqlEngine {
  /** How statements for this database are written. */
  readonly dialect: Dialect
  /** Runs one statement outside any transaction. */
  run(query: SqlQuery): Promise<SqlResult>
  /**
   * Runs the statements in order in one serializable transaction: a condition that one statement checked still holds for
   * the next. When it resolves all are committed; when it rejects none is.
   */
  batch(queries: readonly SqlQuery[]): Promise<readonly SqlResult[]>
  /** Releases the database. Closing again does nothing. */
  close(): Promise<void>
}
