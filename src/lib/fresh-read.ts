// A value that is read from a store again and again, by calls that may overlap: the newest read wins, whichever of them
// ends last.

/** A value in memory, and when its read began. */
export interface FreshRead<T> {
  readonly value: T
  /** When the read that gave `value` began; `performance.now()`, milliseconds. */
  readonly readAt: number
  /**
   * Reads again: whatever was stored before this call is in `value` when it resolves. Every call reads for itself, since
   * a read that another call began earlier may miss the latest write. Rejects with the error of `read`, and then `value`
   * is unchanged.
   */
  refresh(): Promise<void>
}

/** Starts with `first`; `read` gives the value as the store has it now. */
export function createFreshRead<T>(first: T, read: () => Promise<T>): FreshRead<T> {
  // A counter instead of a clock: every event has its own number.
  let count = 0
  const next = (): number => {
    count += 1
    return count
  }
  /** The value, and the numbers at which its read began and ended. */
  let held = { value: first, began: 0, ended: 0, readAt: performance.now() }

  return {
    get value() {
      return held.value
    },
    get readAt() {
      return held.readAt
    },
    async refresh() {
      const asked = next()
      for (;;) {
        const began = next()
        const readAt = performance.now()
        const value = await read()
        // Another call began its read after this call was made: `held` has all that this call must see.
        if (held.began > asked) return
        if (held.ended < began) {
          held = { value, began, ended: next(), readAt }
          return
        }
        // This read overlapped with the one that gave `held`, so which of the two is newer is unknown: read again.
      }
    },
  }
}
