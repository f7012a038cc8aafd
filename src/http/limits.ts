// Rate limits of the issuing endpoints: a port, its in-process adapter, and the headers that tell of it
// (draft-ietf-httpapi-ratelimit-headers, structured fields of RFC 9651).

import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { HeaderRecord } from './context.ts'
import type { Problem } from './problem.ts'

/** So many requests in a window of so many seconds. */
export interface Quota {
  readonly limit: number
  readonly windowSeconds: number
}

/** Where a key stands after a request was counted. */
export interface LimitState {
  readonly allowed: boolean
  readonly remaining: number
  /** Seconds until the window starts anew, at least 1. */
  readonly resetSeconds: number
}

/** Counts requests by key in fixed windows. */
export interface RateLimiter {
  readonly quota: Quota
  consume(key: string): Promise<LimitState>
  /** As `consume` would answer, without counting a request. */
  peek(key: string): Promise<LimitState>
}

/** Counters in this process's memory. */
export function createMemoryLimiter(quota: Quota): RateLimiter {
  const limiter = new RateLimiterMemory({ points: quota.limit, duration: quota.windowSeconds })
  return {
    quota,
    async consume(key) {
      try {
        return toState(await limiter.consume(key), true)
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return toState(refusal, false)
        throw refusal
      }
    },
    async peek(key) {
      const counted = await limiter.get(key)
      if (counted === null)
        return { allowed: true, remaining: quota.limit, resetSeconds: quota.windowSeconds }
      return toState(counted, counted.consumedPoints < quota.limit)
    },
  }
}

function toState(counted: RateLimiterRes, allowed: boolean): LimitState {
  return {
    allowed,
    remaining: counted.remainingPoints,
    resetSeconds: Math.max(1, Math.ceil(counted.msBeforeNext / 1000)),
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
    detail: `more than ${quota.limit} requests in ${quota.windowSeconds} seconds; try again later`,
    headers: {
      'retry-after': String(state.resetSeconds),
      'ratelimit-policy': `"claim";q=${quota.limit};w=${quota.windowSeconds}`,
      ...limitHeader(state),
    },
  }
}
