// Log lines that callers could otherwise write without end: one a minute, with how often there was something to say.

const MINUTE_MS = 60_000

/**
 * Told of an event at `now`, epoch milliseconds. Calls `write` for the first one, and then at most once a minute, with the
 * number of events since the last line.
 */
export type WriteMinuteLine = (now: number, write: (count: number) => void) => void

/** A line of its own. */
export function createMinuteLine(): WriteMinuteLine {
  let count = 0
  let lineAt = Number.NEGATIVE_INFINITY

  return (now, write) => {
    count += 1
    // Either way: a clock that was set back must not silence the line.
    if (Math.abs(now - lineAt) < MINUTE_MS) return
    write(count)
    count = 0
    lineAt = now
  }
}
