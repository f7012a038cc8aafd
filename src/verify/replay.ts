// What was presented once and must not be again (RFC 9449 section 11.1, RFC 7523 section 3), in this process's memory.
// Never forgets what is unexpired: when it is full it cannot tell, says so, and the caller refuses.

import type { ReplayStore } from './options.ts'

/** Options of `createMemoryReplay`. */
export interface MemoryReplayOptions {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Keys that are held; 100 000. */
  readonly max?: number
}

/** Between two searches for what has expired, milliseconds. */
const SWEEP_MS = 1000

/**
 * A memory of one process. `seen` looks and remembers in one step, so of many callers with one key exactly one is told
 * that it is new. An entry leaves within a second of its expiry, once anything is asked.
 *
 * @example
 * const replay = createMemoryReplay({ now: Date.now })
 * if (await replay.seen(`${clientId} ${jti}`, exp)) throw new Error('presented before')
 */
export function createMemoryReplay({ now, max = 100_000 }: MemoryReplayOptions): ReplayStore {
  /** Epoch milliseconds by key. */
  const expiries = new Map<string, number>()
  let sweptAt = now()

  function sweep(time: number): void {
    for (const [key, expiry] of expiries) if (expiry <= time) expiries.delete(key)
    sweptAt = time
  }

  return {
    async seen(key, expiresAt) {
      const time = now()
      // Either way: a clock that was set back must not keep it from looking.
      if (Math.abs(time - sweptAt) >= SWEEP_MS) sweep(time)
      const expiry = expiries.get(key)
      if (expiry !== undefined && expiry > time) return true
      if (expiry === undefined && expiries.size >= max)
        throw new Error('the memory of what was presented is full')
      expiries.set(key, expiresAt * 1000)
      return false
    },
  }
}
