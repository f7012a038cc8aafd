// When a change may be answered. Other processes on the same database issue tokens from data that is up to one second
// old (issue/sign-current.ts). A change that ends or narrows something is answered after that second.

import type { Revocation } from '../claims/records/revocation.ts'
import { sleep } from '../lib/timing.ts'
import { StorageError } from '../storage/errors.ts'
import type { AdminPorts } from './operation.ts'

/**
 * How long other processes may use data that they read before a commit, plus an allowance for late timers.
 * Milliseconds.
 */
export const SETTLE_MS = 1100

/** Expected duration of a commit, milliseconds. When a commit takes longer, the moment of the revocation is moved. */
const COMMIT_MS = 300

/**
 * Most attempts, so that an overloaded process still answers. The revocation stays in force after the last one fails.
 */
const MAX_TRIES = 4

type SettlePorts = Pick<AdminPorts, 'settleMs' | 'onChange'>

/** Resolves when no process issues tokens from data that it read before this call. */
export async function settleChange({ settleMs, onChange }: SettlePorts): Promise<void> {
  await onChange()
  if (settleMs > 0) await sleep(settleMs)
}

/**
 * The moment before which a revocation created at `now` ends tokens, epoch milliseconds. It is a whole second, as `iat`
 * has whole seconds, and lies after the answer. Until then every process that knows the revocation issues no token for
 * its subject.
 */
export function settlingMoment(now: number, settleMs: number): number {
  return nextSecond(settleMs === 0 ? now : now + settleMs + COMMIT_MS)
}

/**
 * Resolves when a revocation covers every token that any process has issued by then. When the commit or `onChange`
 * takes longer than expected, moves the revocation to a later moment and waits again. `now` (epoch milliseconds) and
 * `startedAt` (`performance.now()`) are the same moment. Rejects with StorageError when four attempts took too long:
 * then tokens may have been issued after the moment, and sending the same request again ends them.
 */
export async function settleRevocation(
  { storage, settleMs, onChange }: Pick<AdminPorts, 'storage'> & SettlePorts,
  { id, before, until }: Revocation,
  now: number,
  startedAt: number,
): Promise<void> {
  const clock = (): number => now + performance.now() - startedAt
  let moment = before
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (clock() + settleMs > moment) {
      moment = settlingMoment(clock(), settleMs)
      await storage.raiseRevocation(id, moment, until + moment - before)
    }
    await settleChange({ settleMs, onChange })
    // Tokens are issued again from the moment on, so the answer must come before it.
    if (clock() <= moment) return
  }
  throw new StorageError(
    'a revocation was written, but the database is too slow to know when it is in force everywhere',
  )
}

function nextSecond(time: number): number {
  return Math.floor(time / 1000) * 1000 + 1000
}
