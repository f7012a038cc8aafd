// Records when credentials were last used. Uses are collected in memory and written together, about once a second. A
// killed process loses the uses of its last second. That is acceptable, because only operators see them and no request
// depends on them.

import type { Logger } from '../http/log.ts'
import type { Storage } from '../storage/storage.ts'

/** Collects uses and writes them. */
export interface UseLog {
  /** Adds a use; `now` is epoch milliseconds. Never throws. */
  readonly note: (credentialId: string, now: number) => void
  /** Writes the uses of all earlier calls of `note`. Never rejects: uses that could not be written are kept. */
  readonly flush: () => Promise<void>
}

/** The store, the log and the scheduler of a use log. */
export interface UseLogDeps {
  readonly storage: Pick<Storage, 'touchCredentials'>
  readonly log: Logger
  /** Runs work after this time, even when the request that caused it has ended. */
  readonly defer: (milliseconds: number, work: () => Promise<void>) => void
}

const DELAY_MS = 1000
/** Deferred work that has not ended after this time counts as cancelled: Workers may cancel it without notice. */
const LOST_AFTER_MS = 30_000
/** Limit of uses in memory. Beyond it, while the database is down, the oldest are dropped. */
const MAX_WAITING = 10_000

/** Creates a log that writes to this store. Failed writes in a row are logged once. */
export function createUseLog({ storage, log, defer }: UseLogDeps): UseLog {
  /** Time of the last use by credential, oldest first. An entry stays until it is written. */
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
      if (!isFailing)
        log.warn('last uses of credentials could not be written; they are kept for the next attempt', {
          error,
        })
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
