// The port for rate limits and for ids that may be used once. Each call is atomic: of many concurrent callers, exactly
// as many are let in as the quota allows. Results may be synchronous or promised, so that an adapter can keep its state
// inside or outside the process.

import type { MaybePromise } from '../lib/result.ts'

/** A number of requests in a window of time. */
export interface Quota {
  readonly requests: number
  readonly seconds: number
}

/** Where a key stands with its quota. */
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
  /** Counts a request of this cost; 1. One that costs more than the quota is always refused. */
  hit(key: string, quota: Quota, cost?: number): MaybePromise<LimitState>
  /** The state of a key; counts nothing. */
  peek(key: string, quota: Quota): MaybePromise<LimitState>
}

/** Capacity of a {@link OneTimeStore}. No unexpired id is evicted to make room. */
export interface OneTimeBudget {
  /** Unexpired ids of one tenant. */
  readonly perTenant: number
  /** Unexpired ids of all tenants. */
  readonly inAll: number
  /**
   * The furthest ahead of `now` that an id expires, seconds. An id that expires later was used before the clock was set
   * back: it stays used, but does not count against its tenant.
   */
  readonly longestSeconds: number
}

/** One use of an id. */
export interface OneTimeUse {
  /** Who uses it: whose budget it counts against. */
  readonly tenant: string
  readonly id: string
  /** Epoch seconds; a fraction is rounded up. From then on the id is new again. */
  readonly expiresAt: number
  /** Epoch seconds by the clock that judges the request. */
  readonly now: number
}

/** Outcome of a use. Only `new` is remembered. */
export type OneTimeOutcome =
  | { readonly kind: 'new' }
  /** This tenant or another one used the id before. */
  | { readonly kind: 'used' }
  /** The tenant has used up its budget, until the oldest of its ids expires. */
  | { readonly kind: 'tenant_full'; readonly retryAfterSeconds: number }
  /** The store is full for all tenants. */
  | { readonly kind: 'full' }

/** Remembers ids that were used. */
export interface OneTimeStore {
  /** Uses an id up. */
  use(use: OneTimeUse): MaybePromise<OneTimeOutcome>
}

/** The counters of one process, or shared by several. Open each name only once in a process. */
export interface Counters {
  openLimits(name: string): Limits
  openOneTime(name: string, budget: OneTimeBudget): OneTimeStore
}
