// Work that needs a lock which another process may hold: tried at once, then again and again, in order of arrival.
// The event loop stays free meanwhile (a database's own wait would stop the whole process), and nothing waits for ever.

import type { MaybePromise } from '../../lib/result.ts'
import { sleep } from '../../lib/timing.ts'

/** How long work waits for a lock at most, milliseconds. */
export const LOCK_TIMEOUT_MS = 5000

/** Longest pause between two tries, milliseconds. Each is another: who tries in step with the holder never gets in. */
export const MAX_PAUSE_MS = 10

/** Runs synchronous work; its answer or fault comes at once when nothing is in the way, else with a promise. */
export type RunLocked = <T>(work: () => T) => MaybePromise<T>

/**
 * Runs `work` until it throws no fault that `isLocked` knows; throws or rejects with the last one after 5 s.
 * With `after` it waits for that before its first try.
 */
export function runLocked<T>(
  work: () => T,
  isLocked: (error: unknown) => boolean,
  after?: Promise<void>,
): MaybePromise<T> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS
  if (after === undefined) {
    try {
      return work()
    } catch (error) {
      if (!isLocked(error)) throw error
    }
  }
  return retry(work, (error) => isLocked(error) && performance.now() < deadline, after)
}

/** As `runLocked`, for work that keeps its order: none is begun while any that came before it waits. */
export function createLockQueue(isLocked: (error: unknown) => boolean): RunLocked {
  let waiting = 0
  let last: Promise<void> | undefined

  return (work) => {
    const result = runLocked(work, isLocked, waiting > 0 ? last : undefined)
    if (!(result instanceof Promise)) return result
    waiting++
    const ended = result.finally(() => {
      waiting--
    })
    // However many wait, they do not follow each other without a pause for the rest of the process.
    last = ended.then(nextTurn, nextTurn)
    return ended
  }
}

async function retry<T>(
  work: () => T,
  isWorthIt: (error: unknown) => boolean,
  after: Promise<void> = pause(),
): Promise<T> {
  await after
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isWorthIt(error)) throw error
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
