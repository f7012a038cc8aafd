// Rows are rules of the contract: a request and its expected answer, one test each. On `app.fetch` every row runs, because
// that is cheap. On a socket and in workerd only the rows run whose result depends on the adapter.

import { describe, test } from 'vitest'

/** What all kinds of rows have in common. */
export interface RuntimeRow {
  /** The name of its test. */
  readonly rule: string
  /**
   * Whether the row also runs on a socket and in workerd. It does if it depends on bodies, streaming, headers, paths, peer
   * addresses, errors before the handler, cryptography or the database, and if it is the first success of an endpoint.
   */
  readonly everywhere?: boolean
  /** Sends an empty header, which workerd drops before the Worker sees it. */
  readonly hasEmptyHeader?: boolean
}

/** Marks all these rows `everywhere`. */
export function everywhere<T extends RuntimeRow>(rows: readonly T[]): readonly T[] {
  return rows.map((row) => ({ ...row, everywhere: true }))
}

/** Which rows run on a runtime. */
export interface RuntimeOptions {
  /** All rows, or only those marked `everywhere`. */
  readonly rows: 'all' | 'everywhere'
  /** Whether the runtime drops empty headers. Rows that send one are then reported as skipped tests. */
  readonly dropsEmptyHeaders?: boolean
}

/** Registers rows as tests of one runtime. */
export interface RowRunner {
  /** Registers a group with one test for each row that runs on this runtime; no group when there is no such row. */
  describe<T extends RuntimeRow>(group: string, rows: readonly T[], check: (row: T) => Promise<void>): void
  /** How many rows run, out of how many, such as `40 of 300 rows`. Call it after all rows are registered. */
  countRows(): string
}

export function createRowRunner({ rows: choice, dropsEmptyHeaders = false }: RuntimeOptions): RowRunner {
  let all = 0
  let registered = 0
  return {
    describe(group, rows, check) {
      const chosen = choice === 'all' ? rows : rows.filter((row) => row.everywhere)
      all += rows.length
      registered += chosen.length
      if (chosen.length === 0) return
      describe(group, () => {
        for (const row of chosen) {
          test.skipIf(dropsEmptyHeaders && row.hasEmptyHeader)(row.rule, () => check(row))
        }
      })
    },
    countRows: () => `${registered} of ${all} rows`,
  }
}
