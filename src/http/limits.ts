// A rate limit with one quota, and how clients see it: headers (draft-ietf-httpapi-ratelimit-headers, structured fields
// of RFC 9651) and the 429.

import type { LimitState, Limits, Quota } from '../counters/counters.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { HeaderRecord } from './context.ts'
import type { Problem } from './problem.ts'

/** Counts requests by key under one quota. */
export interface RateLimiter {
  readonly quota: Quota
  /** Counts a request. */
  consume(key: string): MaybePromise<LimitState>
  /** The state of a key; counts nothing. */
  peek(key: string): MaybePromise<LimitState>
}

/** Limits under this quota. */
export function createRateLimiter(limits: Limits, quota: Quota): RateLimiter {
  return {
    quota,
    consume: (key) => limits.hit(key, quota),
    peek: (key) => limits.peek(key, quota),
  }
}

/** The `RateLimit` header of a success. */
export function limitHeader(state: LimitState): HeaderRecord {
  return { ratelimit: `"claim";r=${state.remaining};t=${state.resetSeconds}` }
}

/** The 429 of a key that is over its quota. */
export function overLimit(state: LimitState, quota: Quota): Problem {
  return {
    code: 'rate_limited',
    detail: `more than ${quota.requests} requests in ${quota.seconds} seconds; try again later`,
    headers: {
      'retry-after': String(state.resetSeconds),
      'ratelimit-policy': `"claim";q=${quota.requests};w=${quota.seconds}`,
      ...limitHeader(state),
    },
  }
}
