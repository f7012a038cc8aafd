// A rate limit with a fixed quota, and what clients see of it: the 429, and the headers of
// draft-ietf-httpapi-ratelimit-headers (structured fields, RFC 9651).

import type { LimitState, Limits, Quota } from '../counters/counters.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { HeaderRecord } from './context.ts'
import type { Problem } from './problem.ts'

/** Counts the requests of each key against one quota. */
export interface RateLimiter {
  readonly quota: Quota
  /** Counts one request of the key, unless it exceeds the quota. The result includes the request. */
  consume(key: string): MaybePromise<LimitState>
  /** The state of the key, without counting a request. */
  peek(key: string): MaybePromise<LimitState>
}

/** Binds a store of counts to a quota. */
export function createRateLimiter(limits: Limits, quota: Quota): RateLimiter {
  return {
    quota,
    consume: (key) => limits.hit(key, quota),
    peek: (key) => limits.peek(key, quota),
  }
}

/** The `RateLimit` header: requests that remain, and seconds until the window ends. Also sent with successes. */
export function limitHeader(state: LimitState): HeaderRecord {
  return { ratelimit: `"claim";r=${state.remaining};t=${state.resetSeconds}` }
}

/** The 429 of a key that exceeded its quota. `Retry-After` is the number of seconds until the window ends. */
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
