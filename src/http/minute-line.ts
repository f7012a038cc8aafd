// Rate-limited log lines, for events that any caller can cause: at most one line a minute, with the number of events.

const MINUTE_MS = 60_000

/**
 * Reports an event at `now`, epoch milliseconds. Calls `write` for the first event, then at most once a minute, with
 * the number of events since the last line. There is no timer: events after a line are written with a later event.
 */
export type WriteMinuteLine = (now: number, write: (count: number) => void) => void

/** Creates a rate-limited line. Each has its own count. */
export function createMinuteLine(): WriteMinuteLine {
  let count = 0
  let lineAt = Number.NEGATIVE_INFINITY

  return (now, write) => {
    count += 1
    // The absolute difference: a clock that was set back must not suppress the line.
    if (Math.abs(now - lineAt) < MINUTE_MS) return
    write(count)
    count = 0
    lineAt = now
  }
}
