// When a change may be answered. Other processes on the same database sign from data that is up to a second old
// (issue/sign-current.ts), so a change that ends or narrows something is answered once that second is over.

import type { Account, Revocation } from '../claims/account.ts'
import { sleep } from '../lib/timing.ts'
import { StorageError } from '../storage/errors.ts'
import type { AdminPorts } from './operation.ts'

/** How long other processes may use data that they read before a commit, with an allowance for timers. */
export const SETTLE_MS = 1100

/** Expected time of a commit: a slower one moves the moment of the revocation. */
const COMMIT_MS = 300

/** Bounded, or a process that is too busy would never answer; the revocation stands all the same. */
const MAX_TRIES = 4

type SettlePorts = Pick<AdminPorts, 'settleMs' | 'onChange'>

/** Resolves once no process issues tokens from data older than the last commit. */
export async function settleChange({ settleMs, onChange }: SettlePorts): Promise<void> {
  await onChange()
  if (settleMs > 0) await sleep(settleMs)
}

/**
 * The moment before which a revocation made at `now` ends tokens: a whole second, as tokens have them, that lies after
 * its answer. Until then every process that knows the revocation holds back new tokens of its subject.
 */
export function settlingMoment(now: number, settleMs: number): number {
  return nextSecond(settleMs === 0 ? now : now + settleMs + COMMIT_MS)
}

/**
 * Resolves once a revocation covers every token that any process has issued by then. Moves the revocation to a later
 * moment when its commit, or reading it back, took longer than expected. `now` (epoch milliseconds) and `startedAt`
 * (`performance.now()`) are the same moment. Rejects with StorageError when that took too long four times: tokens may
 * have been issued since the moment, and the same request again ends them.
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
    // From the moment on tokens are issued again, so the answer must come before it.
    if (clock() <= moment) return
  }
  throw new StorageError(
    'a revocation was written, but the database is too slow to tell when it holds everywhere',
  )
}

/** Whether an account may do less after a change. */
export function isNarrowed(before: Account, after: Account): boolean {
  const lost = (one: readonly string[], other: readonly string[]): boolean =>
    one.some((entry) => !other.includes(entry))
  return (
    (before.status === 'active' && after.status !== 'active') ||
    lost(before.allowedOrigins, after.allowedOrigins) ||
    lost(before.scopes, after.scopes) ||
    (after.maxTtl !== null && after.maxTtl < (before.maxTtl ?? Number.POSITIVE_INFINITY)) ||
    (before.browserPrototype && !after.browserPrototype) ||
    (!before.requireOrigin && after.requireOrigin)
  )
}

function nextSecond(time: number): number {
  return Math.floor(time / 1000) * 1000 + 1000
}
