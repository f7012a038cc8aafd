// When credentials were last used, without a write for each use: uses are gathered and written together about once a
// second. What waits when a process is killed is lost; nobody is judged by it.

import type { Logger } from '../http/log.ts'
import type { Storage } from '../storage/storage.ts'

/** Takes note of uses. */
export interface UseLog {
  /** `now` is epoch milliseconds. Never throws. */
  readonly note: (credentialId: string, now: number) => void
  /** Writes what was noted before this call. Never rejects: what could not be written waits on. */
  readonly flush: () => Promise<void>
}

/** What it needs. */
export interface UseLogDeps {
  readonly storage: Pick<Storage, 'touchCredentials'>
  readonly log: Logger
  /** Runs work later, also when the request that led to it is over. */
  readonly defer: (milliseconds: number, work: () => Promise<void>) => void
}

const DELAY_MS = 1000
/** On Workers deferred work may be cut off, and never say so. */
const LOST_AFTER_MS = 30_000
/** Beyond this, while the database is down, the oldest uses are forgotten. */
const MAX_WAITING = 10_000

/** A log of uses in this store. */
export function createUseLog({ storage, log, defer }: UseLogDeps): UseLog {
  /** Oldest first. What is being written stays: only what was written goes. */
  const waiting = new Map<string, number>()
  let deferredAt = Number.NEGATIVE_INFINITY
  let isFailing = false

  function deferFlush(): void {
    const time = performance.now()
    if (time - deferredAt < LOST_AFTER_MS) return
    deferredAt = time
    defer(DELAY_MS, async () => {
      await flush()
      deferredAt = Number.NEGATIVE_INFINITY
      if (waiting.size > 0) deferFlush()
    })
  }

  async function flush(): Promise<void> {
    if (waiting.size === 0) return
    const uses = new Map(waiting)
    try {
      await storage.touchCredentials(uses)
      for (const [id, time] of uses) if (waiting.get(id) === time) waiting.delete(id)
      isFailing = false
    } catch (error) {
      if (!isFailing) log.warn('last uses of credentials could not be written; they wait', { error })
      isFailing = true
    }
  }

  return {
    note(credentialId, now) {
      const last = waiting.get(credentialId) ?? now
      waiting.delete(credentialId)
      waiting.set(credentialId, Math.max(last, now))
      if (waiting.size > MAX_WAITING) {
        const [oldest] = waiting.keys()
        if (oldest !== undefined) waiting.delete(oldest)
      }
      deferFlush()
    },
    flush,
  }
}
