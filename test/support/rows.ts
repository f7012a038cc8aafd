// Rules of the contract as rows, and which of them a runtime is asked. `app.fetch` is asked every row, because that is
// cheap. A socket and workerd are asked the rows that depend on the adapter.

import { describe, test } from 'vitest'

/** What all kinds of rows have in common. */
export interface RuntimeRow {
  /** The name of its test. */
  readonly rule: string
  /**
   * Also asked on a socket and in workerd: it depends on bodies, streaming, headers, paths, peer addresses, errors
   * before the handler, cryptography or the database, or it is the first success of an endpoint.
   */
  readonly everywhere?: boolean
  /** Sends an empty header, which workerd drops before the Worker sees it. */
  readonly hasEmptyHeader?: boolean
}

/** These rows, each for every runtime. */
export function everywhere<T extends RuntimeRow>(rows: readonly T[]): readonly T[] {
  return rows.map((row) => ({ ...row, everywhere: true }))
}

/** How a runtime is asked. */
export interface RuntimeOptions {
  /** Every row, or those marked `everywhere`. */
  readonly rows: 'all' | 'everywhere'
  /** Whether empty headers never arrive; rows that need one are skipped by name. */
  readonly dropsEmptyHeaders?: boolean
}

/** Registers rows as tests of one runtime. */
export interface RowRunner {
  /** A group of tests, one for each row that this runtime is asked; no group when there is none. */
  describe<T extends RuntimeRow>(group: string, rows: readonly T[], check: (row: T) => Promise<void>): void
  /** How many rows were registered, and of how many. Complete once tests run. */
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
