// The port for rate limits and for ids that may be used once. Each call is atomic: of many concurrent callers, exactly as
// many pass as the quota allows. Results are `MaybePromise`, because verifying and issuing need one for each request: the
// adapter in memory gives it synchronously, and one that keeps its state outside the process gives a promise.

import type { MaybePromise } from '../lib/result.ts'

/** How many requests a key may make in a window of time. */
export interface Quota {
  readonly requests: number
  readonly seconds: number
}

/** The state of a key under its quota. */
export interface LimitState {
  /** After `hit`: the request was within the quota and is counted. After `peek`: one more request would be. */
  readonly allowed: boolean
  /** Requests left in the window. */
  readonly remaining: number
  /** Whole seconds until the window ends, from 1 to `quota.seconds`. */
  readonly resetSeconds: number
}

/**
 * Counts requests by key in fixed windows. A window begins with the first counted request of its key and has a fixed
 * length by a monotonic clock. Refused requests are not counted.
 */
export interface Limits {
  /** Counts a request as `cost` requests (default 1). A cost above the quota is always refused. */
  hit(key: string, quota: Quota, cost?: number): MaybePromise<LimitState>
  /** Reads the state of a key without counting. */
  peek(key: string, quota: Quota): MaybePromise<LimitState>
}

/** Capacity of a {@link OneTimeStore}. No unexpired id is evicted to make room. */
export interface OneTimeBudget {
  /** Most unexpired ids of one tenant. */
  readonly perTenant: number
  /** Most unexpired ids of all tenants together. */
  readonly inAll: number
  /**
   * Longest time from the use of an id to its expiry, seconds. An id that expires after `now + longestSeconds` must have
   * been used before the clock was set back: it stays used, but does not count against its tenant.
   */
  readonly longestSeconds: number
}

/** One use of an id. */
export interface OneTimeUse {
  /** The name under which the id counts: each tenant has its own part of the budget. */
  readonly tenant: string
  readonly id: string
  /** Epoch seconds; a fraction is rounded up. From this time on the id counts as new. */
  readonly expiresAt: number
  /** Current time by the clock that the request is checked with, epoch seconds. */
  readonly now: number
}

/** Outcome of a use. The id is stored only when the outcome is `new`. */
export type OneTimeOutcome =
  | { readonly kind: 'new' }
  /** The id was used before, by this tenant or another one. */
  | { readonly kind: 'used' }
  /** The tenant's budget is used up until the first of its ids expires. */
  | { readonly kind: 'tenant_full'; readonly retryAfterSeconds: number }
  /** The store holds no more ids of any tenant. */
  | { readonly kind: 'full' }

/** Remembers which ids were used, until they expire. */
export interface OneTimeStore {
  /** Marks an id as used if it is new and within the budget, in one atomic step. */
  use(use: OneTimeUse): MaybePromise<OneTimeOutcome>
}

/** Opens counters, of one process or shared by several. A process must open each name only once. */
export interface Counters {
  openLimits(name: string): Limits
  openOneTime(name: string, budget: OneTimeBudget): OneTimeStore
}
