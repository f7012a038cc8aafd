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

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
const REFUSED_PAUSE_MS = 1000
/** A longer `Retry-After` counts as one hour. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

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
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

/** A failed request for a token. */
export interface Failure {
  /** Number of failures in a row, this one included. */
  readonly count: number
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** The wait that the server asked for. */
  readonly retryAfterMs: number | undefined
}

/** The pause that follows a failure. */
export interface Retry {
  /** No request before this time has passed. */
  readonly waitMs: number
  /** Whether the next request starts by itself after the pause. Otherwise the next call starts it. */
  readonly isAutomatic: boolean
}

/**
 * The pause after a failed request. After a refusal it is 1 s, and only a call starts the next request. Otherwise it is what
 * the server asked for (at most an hour) plus up to 500 ms; if the server asked for nothing, the pause doubles with each
 * failure up to 15 s, and half of it is random.
 */
export function planRetry({ count, status, retryAfterMs }: Failure, random: number): Retry {
  if (isRefusal(status)) {
    return { waitMs: REFUSED_PAUSE_MS, isAutomatic: false }
  }
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** count, LONGEST_PAUSE_MS)
  const jittered = (pause * (1 + random)) / 2
  const asked = Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS)
  // A random time is added, so that clients do not all return together.
  return { waitMs: asked > 0 ? asked + FIRST_PAUSE_MS * random : jittered, isAutomatic: true }
}

/**
 * Milliseconds of a `Retry-After` (RFC 9110 section 10.2.3); undefined when it cannot be used. A date is compared with the
 * `Date` of the same answer, because the clock of this machine may be wrong.
 */
export function parseRetryAfter(value: string | null, date: string | null): number | undefined {
  if (value === null) return undefined
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '')
  return wait >= 0 ? wait : undefined
}
