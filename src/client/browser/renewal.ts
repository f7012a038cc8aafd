// When to renew a token, when it has expired, and how long to wait after a failure. Pure functions of ages and random
// numbers: no clock is read. Times are in milliseconds.

/** What a token of some age can be used for. */
export type Age =
  /** Requests can carry it, and arrive before it expires. */
  | 'fresh'
  /** It may expire before a request arrives: renew it first, and send it only if that fails. */
  | 'ending'
  | 'expired'

/** Renewal at 75 to 85 % of the lifetime; the random spread keeps the requests of many visitors apart. */
const EARLIEST = 0.75
const SPREAD = 0.1
/** A token is `ending` in the last tenth of its lifetime, and never earlier than 5 s before its end. */
const LONGEST_END_MS = 5000
/** The shortest time between renewals, however short the lifetime of the tokens. */
const SHORTEST_WAIT_MS = 500
/** The longest delay that setTimeout takes. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

const SPREAD_MS = 500
const REFUSED_PAUSE_MS = 1000
/** A longer `Retry-After` counts as one hour. */
const LONGEST_RETRY_AFTER_MS = 3_600_000
/** The pauses after the first failures in a row, and after each later one. Three are at least 20 s, also when all are short. */
const LONGEST_PAUSE_MS = 24_000
const PAUSES_MS = [1000, 4000]

/** The age at which to renew a token of this lifetime; `random` is from 0 to 1. */
export function planRenewal(lifeMs: number, random: number): number {
  const planned = lifeMs * (EARLIEST + SPREAD * random)
  return Math.min(Math.max(planned, SHORTEST_WAIT_MS), LONGEST_WAIT_MS)
}

/** What a token of this lifetime can be used for at this age. */
export function judgeAge(lifeMs: number, ageMs: number): Age {
  if (ageMs >= lifeMs) return 'expired'
  return ageMs < lifeMs - Math.min(LONGEST_END_MS, lifeMs / 10) ? 'fresh' : 'ending'
}

/** Whether a status is a refusal that waiting does not change: 4xx except 408 and 429. */
export function isRefusal(status: number): boolean {
  return /^4(?!08|29)/.test(String(status))
}

/** What the pause after a failed request depends on: the members of a DataClientError. */
export interface Failure {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Seconds that the server asked to wait. */
  readonly retryAfter?: number | undefined
}

/**
 * The pause after the `count`-th failed request in a row, in milliseconds; `random` is from 0 to 1. After a refusal it is 1 s.
 * Otherwise it is what the server asked for (at most an hour) plus up to 500 ms; if the server asked for nothing, about 1, 4
 * and then 24 s, of which a quarter is random.
 */
export function planRetry({ status, retryAfter = 0 }: Failure, count: number, random: number): number {
  if (isRefusal(status)) return REFUSED_PAUSE_MS
  const askedMs = Math.min(retryAfter * 1000, LONGEST_RETRY_AFTER_MS)
  // A random time is added, so that clients do not all return together.
  if (askedMs > 0) return askedMs + SPREAD_MS * random
  return ((PAUSES_MS[count - 1] ?? LONGEST_PAUSE_MS) * (3 + random)) / 4
}

/**
 * Milliseconds of the `Retry-After` of an answer (RFC 9110 section 10.2.3); undefined when there is none that can be used.
 * A date is compared with the `Date` of the same answer, because the clock of this machine may be wrong. If the page cannot
 * read that header, the date is compared with the time that `now` returns, epoch milliseconds. The result for a date is from 0 to one hour.
 */
export function parseRetryAfter(
  { headers }: Pick<Response, 'headers'>,
  now: () => number,
): number | undefined {
  const value = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  // Engines take some numbers, such as -1 and 1.5, for dates.
  if (!/[a-z]/i.test(value)) return undefined
  const waitMs = Date.parse(value) - (Date.parse(headers.get('date') ?? '') || now())
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), LONGEST_RETRY_AFTER_MS)
}

/** Resolves after so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
