// Rate limits in this process's memory.

import { LRUCache } from 'lru-cache'
import type { LimitState, Limits, Quota } from './counters.ts'

/** Options of {@link createMemoryLimits}; both are for tests. */
export interface MemoryLimitsOptions {
  /** Reads a monotonic clock, milliseconds. Default: `performance.now`. */
  readonly monotonicMs?: () => number
  /** Most keys in memory. Default: 100 000. */
  readonly max?: number
}

interface Window {
  /** Milliseconds of the monotonic clock. */
  readonly startedAt: number
  count: number
}

const MAX_KEYS = 100_000

/**
 * Creates rate limits in memory. Uses no timers: an expired window is replaced at the next request of its key, and when
 * `max` keys are in memory, a new key evicts the least recently used one.
 *
 * An evicted key starts a new window. A caller that wants its own key to be evicted must send requests under 100 000 other
 * keys in between. It has too few: only the operator creates credentials, and addresses count by IPv4 address or by IPv6
 * /56, of which a /48 (one site) has 256 and a /40 has 65 536.
 */
export function createMemoryLimits({
  monotonicMs = () => performance.now(),
  max = MAX_KEYS,
}: MemoryLimitsOptions = {}): Limits {
  // Not with the option `max`, for which the cache allocates the memory of all entries when it is created.
  const windows = new LRUCache<string, Window>({ maxSize: max, sizeCalculation: () => 1 })

  /** The open window of a key. Reading it counts as use, so that a key over its quota is not evicted. */
  function findWindow(key: string, { seconds }: Quota, now: number): Window | undefined {
    const found = windows.get(key)
    return found !== undefined && now < found.startedAt + seconds * 1000 ? found : undefined
  }

  return {
    hit(key, quota, cost = 1) {
      const now = monotonicMs()
      const current = findWindow(key, quota, now)
      const count = current?.count ?? 0
      // Negated, so that a cost of NaN is refused.
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
