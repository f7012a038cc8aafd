// Limits in this process's memory.

import { LRUCache } from 'lru-cache'
import type { LimitState, Limits, Quota } from './counters.ts'

/** Options of {@link createMemoryLimits}. */
export interface MemoryLimitsOptions {
  /** Milliseconds of a monotonic clock; `performance.now`. */
  readonly monotonicMs?: () => number
  /** Most keys that are remembered; 100 000. */
  readonly max?: number
}

interface Window {
  /** Milliseconds. */
  readonly startedAt: number
  count: number
}

const MAX_KEYS = 100_000

/**
 * Limits in memory. No timers: an expired window is noticed at the next request of its key, and a full memory evicts
 * the least recently used key.
 *
 * An evicted key starts a new window. To have its own key evicted, a caller needs 100 000 other keys between two of its
 * requests. Credentials belong to accounts, which only the operator creates. Addresses count by IPv4 address and by
 * IPv6 /56: a /48, as sites get, has 256 such keys and a /40 has 65 536, which is not enough.
 */
export function createMemoryLimits({
  monotonicMs = () => performance.now(),
  max = MAX_KEYS,
}: MemoryLimitsOptions = {}): Limits {
  const windows = new LRUCache<string, Window>({ max })

  /** The open window of a key. Reading it counts as recent use, so that a key over its quota is not evicted. */
  function findWindow(key: string, { seconds }: Quota, now: number): Window | undefined {
    const found = windows.get(key)
    return found !== undefined && now < found.startedAt + seconds * 1000 ? found : undefined
  }

  return {
    hit(key, quota, cost = 1) {
      const now = monotonicMs()
      const current = findWindow(key, quota, now)
      const count = current?.count ?? 0
      // Written so that NaN is refused.
      if (!(count + cost <= quota.requests)) return describe(false, count, current, quota, now)
      const counted = current ?? { startedAt: now, count: 0 }
      counted.count += cost
      if (current === undefined) windows.set(key, counted)
      return describe(true, counted.count, counted, quota, now)
    },
    peek(key, quota) {
      const now = monotonicMs()
      const current = findWindow(key, quota, now)
      const count = current?.count ?? 0
      return describe(count + 1 <= quota.requests, count, current, quota, now)
    },
  }
}

function describe(
  allowed: boolean,
  count: number,
  window: Window | undefined,
  { requests, seconds }: Quota,
  now: number,
): LimitState {
  const left = window === undefined ? seconds : (window.startedAt - now) / 1000 + seconds
  return {
    allowed,
    remaining: Math.max(0, Math.floor(requests - count)),
    resetSeconds: Math.min(Math.max(1, seconds), Math.max(1, Math.ceil(left))),
  }
}
