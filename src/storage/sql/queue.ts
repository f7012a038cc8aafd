// Runs work that needs a lock which another process may hold: immediately, then again after short pauses, for up to 5 s.
// SQLite's own wait (busy_timeout) would block the event loop for that time.

import { sleep } from '../../lib/timing.ts'

/** How long work waits for a lock, milliseconds. */
export const LOCK_TIMEOUT_MS = 5000

/**
 * Longest pause between two tries, milliseconds. Pauses are random, because regular tries could always fall into the times
 * at which another process holds the lock.
 */
export const MAX_PAUSE_MS = 10

/** Runs synchronous work that needs a lock, and again while the lock is not free. Rejects with the error of the last try. */
export type RunLocked = <T>(work: () => T) => Promise<T>

/**
 * Runs `work` synchronously, and again while it throws an error that `isLocked` recognizes, for up to 5 s. Rejects with
 * the last error.
 */
export async function runLocked<T>(work: () => T, isLocked: (error: unknown) => boolean): Promise<T> {
  return retryUntil(performance.now() + LOCK_TIMEOUT_MS, work, isLocked)
}

/** As `runLocked`, but in order: no work starts while earlier work waits for the lock. */
export function createLockQueue(isLocked: (error: unknown) => boolean): RunLocked {
  let waiting = 0
  let last: Promise<void> = Promise.resolve()

  return async (work) => {
    const deadline = performance.now() + LOCK_TIMEOUT_MS
    if (waiting === 0) {
      try {
        return work()
      } catch (error) {
        if (!isLocked(error)) throw error
      }
    }
    const turn = waiting > 0 ? last : pause()
    waiting++
    const ended = turn
      .then(() => retryUntil(deadline, work, isLocked))
      .finally(() => {
        waiting--
      })
    // Lets the event loop run other work between two entries of a long queue.
    last = ended.then(nextTurn, nextTurn)
    return ended
  }
}

/** Runs `work` at least once, and again after errors that `isLocked` recognizes, until `deadline`. */
async function retryUntil<T>(
  deadline: number,
  work: () => T,
  isLocked: (error: unknown) => boolean,
): Promise<T> {
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isLocked(error) || performance.now() >= deadline) throw error
    }
    await pause()
  }
}

function pause(): Promise<void> {
  return sleep(Math.random() * MAX_PAUSE_MS)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
