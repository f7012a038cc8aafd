// The port for what is counted and for what may be used once. Each step reads and writes in one go: of many callers
// that ask together, exactly as many are let in as there is room for. Answers may be ready or promised, so that an
// adapter can keep its state in this process or outside it.

import type { MaybePromise } from '../claims/result.ts'

/** So many requests in a window of so many seconds. */
export interface Quota {
  readonly requests: number
  readonly seconds: number
}

/** Where a key stands with its quota. */
export interface LimitState {
  /** After `hit`: the request was within the quota and is counted. After `peek`: one more request would be. */
  readonly allowed: boolean
  /** Whole requests that are left in the window. */
  readonly remaining: number
  /** Whole seconds until the window ends, from 1 to `quota.seconds`. */
  readonly resetSeconds: number
}

/**
 * Counts requests by key in fixed windows. A window begins with the first request of its key that is counted, and ends
 * after its seconds by a clock that nobody sets. A request that is refused is not counted.
 */
export interface Limits {
  /** Counts a request of this cost, 1 unless told otherwise. One that costs more than the quota is always refused. */
  hit(key: string, quota: Quota, cost?: number): MaybePromise<LimitState>
  /** Where the key stands; counts nothing. */
  peek(key: string, quota: Quota): MaybePromise<LimitState>
}

/** How much a store of what may be used once remembers. Nothing that is unexpired is forgotten to make room. */
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

/** Something that may be used once. */
export interface OneTimeUse {
  /** Who uses it: whose budget it counts against. */
  readonly tenant: string
  readonly id: string
  /** Epoch seconds; a fraction is rounded up. From then on the id is new again. */
  readonly expiresAt: number
  /** Epoch seconds by the clock that judges the request. */
  readonly now: number
}

/** What became of a use. Only `new` is remembered. */
export type OneTimeOutcome =
  | { readonly kind: 'new' }
  /** This tenant or another one used the id before. */
  | { readonly kind: 'used' }
  /** The tenant has used up its budget, until the oldest of its ids expires. */
  | { readonly kind: 'tenant_full'; readonly retryAfterSeconds: number }
  /** There is no room for anybody. */
  | { readonly kind: 'full' }

/** Remembers what was used. */
export interface OneTimeStore {
  /** Uses an id up. */
  use(use: OneTimeUse): MaybePromise<OneTimeOutcome>
}

/** Where a process, or several together, keep their counts. A name has one meaning: it is opened once in a process. */
export interface Counters {
  openLimits(name: string): Limits
  openOneTime(name: string, budget: OneTimeBudget): OneTimeStore
}
