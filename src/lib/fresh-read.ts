// A value in memory that is re-read from a store by calls that may overlap. A read that is slow never replaces the
// result of a newer one.

/** A value in memory, and when its read began. */
export interface FreshRead<T> {
  readonly value: T
  /** When the read that gave `value` began; `performance.now()`, milliseconds. */
  readonly readAt: number
  /**
   * Reads the store again. When it resolves, `value` includes everything that was stored before this call. Each call makes
   * its own read, because a read that began before the call may miss the latest write. Rejects with the error of `read`;
   * `value` is unchanged then.
   */
  refresh(): Promise<void>
}

/** Creates a value that is `first` until `refresh` is called. `read` reads the value from the store. */
export function createFreshRead<T>(first: T, read: () => Promise<T>): FreshRead<T> {
  // Orders events. Not a clock, because two events may have the same time.
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
        // The read that gave `held` began after this call, so `held` includes everything stored before this call.
        if (held.began > asked) return
        if (held.ended < began) {
          held = { value, began, ended: next(), readAt }
          return
        }
        // This read overlapped the one that gave `held`, so either of them may be newer. Read again.
      }
    },
  }
}
