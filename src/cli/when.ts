// Times for a person: ISO 8601, and the distance from now.

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Greatest time that fits in a Date, in epoch seconds. */
const MAX_EPOCH_SECONDS = 8.64e12

/**
 * `2026-01-01T00:30:00Z (in 29 min)`; both arguments are epoch seconds. A number that does not fit in a Date is
 * printed as it is.
 */
export function describeTime(at: number, now: number): string {
  const iso = toIso(at)
  return iso === null ? String(at) : `${iso} (${describeDistance(Math.trunc(at - now))})`
}

/** As `describeTime`, for an ISO 8601 time; `now` is epoch milliseconds. */
export function describeIso(iso: string, now: number): string {
  return describeTime(Math.trunc(Date.parse(iso) / 1000), now / 1000)
}

/** An ISO 8601 time in UTC without its fraction of a second. */
export function shortenIso(iso: string): string {
  return iso.replace(/\.\d+Z$/, 'Z')
}

/** ISO 8601 to the second, UTC; null when `at` (epoch seconds) does not fit in a Date. */
export function toIso(at: number): string | null {
  if (!(Math.abs(at) <= MAX_EPOCH_SECONDS)) return null
  return shortenIso(new Date(at * 1000).toISOString())
}

function describeDistance(seconds: number): string {
  if (seconds === 0) return 'now'
  const length = describeLength(Math.abs(seconds))
  return seconds > 0 ? `in ${length}` : `${length} ago`
}

/** A positive number of seconds in whole units, rounded down. */
function describeLength(seconds: number): string {
  if (seconds < MINUTE) return `${seconds} s`
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`
  return `${Math.floor(seconds / DAY)} days`
}
