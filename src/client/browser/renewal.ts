// When a token is renewed, when it no longer counts, and how long to wait after a failure. Pure: every moment is an
// argument, in milliseconds of a clock that only goes forward; no date is ever looked at.

/** What a token of some age is good for. */
export type Age =
  /** Send it. */
  | 'fresh'
  /** Its end is so near that it may come while a request travels: renew first, send it only where that fails. */
  | 'ending'
  | 'expired'

/** Renewal comes at three quarters of a life at the earliest; the spread keeps tabs and visitors from coming together. */
const EARLIEST = 0.75
const SPREAD = 0.1
/** The end of a token begins a tenth of its life before it is over, and never sooner than this. */
const LONGEST_END_MS = 5000
/** However short the lives that a server gives, it is not asked more often. */
const SHORTEST_WAIT_MS = 500
/** What timers can count. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
const REFUSED_PAUSE_MS = 1000
/** A server that sends away for longer than this is asked again all the same. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

/** Age at which a token of this life is renewed; `random` is from 0 to 1. */
export function planRenewal(lifeMs: number, random: number): number {
  const planned = lifeMs * (EARLIEST + SPREAD * random)
  return Math.min(Math.max(planned, SHORTEST_WAIT_MS), LONGEST_WAIT_MS)
}

/** What a token of this life is good for at this age. */
export function judgeAge(lifeMs: number, ageMs: number): Age {
  if (ageMs >= lifeMs) return 'expired'
  return ageMs < lifeMs - Math.min(LONGEST_END_MS, lifeMs / 10) ? 'fresh' : 'ending'
}

/** Whether a server that answers so will say the same again, however long one waits. */
export function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

/** One more failure in a row. */
export interface Failure {
  /** How many there were, this one included. */
  readonly count: number
  /** HTTP status; 0 where no answer came. */
  readonly status: number
  /** What the server asked for. */
  readonly retryAfterMs: number | undefined
}

/** What follows it. */
export interface Retry {
  /** Nobody asks before this is over. */
  readonly waitMs: number
  /** Whether to ask again then unbidden; where not, the next call does. */
  readonly isAutomatic: boolean
}

/**
 * How long to leave a server alone that gave no token: as long as it says, or else twice as long each time, half of it
 * chance, up to 15 s. After a refusal only somebody's call asks again.
 */
export function planRetry({ count, status, retryAfterMs }: Failure, random: number): Retry {
  if (isRefusal(status)) {
    return { waitMs: REFUSED_PAUSE_MS, isAutomatic: false }
  }
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** count, LONGEST_PAUSE_MS)
  const jittered = (pause * (1 + random)) / 2
  const asked = Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS)
  // Never before it is over; and not everybody in the same instant after it.
  return { waitMs: asked > 0 ? asked + FIRST_PAUSE_MS * random : jittered, isAutomatic: true }
}

/**
 * Milliseconds of a `Retry-After` (RFC 9110 section 10.2.3); undefined when it says nothing that can be used. A moment
 * counts from the answer's own `Date`: the clock here may be wrong.
 */
export function parseRetryAfter(value: string | null, date: string | null): number | undefined {
  if (value === null) return undefined
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '')
  return wait >= 0 ? wait : undefined
}
