// The background work of a running service: reads the key store, rotates the signing key when it is due, writes missing
// audit entries of rotations, and deletes old records. Runs every second on Node; on Workers with a request, at most once
// a second. Never rejects.

import type { Logger } from '../http/log.ts'
import { sleep } from '../lib/timing.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { createRotationEntry, type KeyLife, type KeyRecord } from '../signing/key-life.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { Storage } from '../storage/storage.ts'
import type { RevocationRules } from './revocation/rules.ts'

/** The parts of the service that upkeep works on. */
export interface UpkeepDeps {
  readonly storage: Pick<Storage, 'appendAuditOnce' | 'purge'>
  readonly keyRing: Pick<KeyRing, 'refresh' | 'kid'>
  readonly keyLife: Pick<KeyLife, 'maintain'>
  /** Refreshed in each round, so that they are current when the database fails. */
  readonly rules: Pick<RevocationRules, 'refresh' | 'isKeyRevoked'>
  readonly log: Logger
  /** How long audit entries are kept, milliseconds. */
  readonly auditKeptMs: number
  /** The current time, epoch milliseconds. */
  readonly now: () => number
}

/** Milliseconds in a day, for settings that are in days. */
export const DAY_MS = 86_400_000

/** Runs one round. Does nothing while another round is running, unless that round began more than 30 s ago. */
export type Upkeep = () => Promise<void>

/** Time from a purge that deleted everything due to the next purge. */
const PURGE_EVERY_MS = 60_000
/** Most purges in one round. If there is still more to delete, the next round continues. */
const PURGES_PER_ROUND = 4
/** How long after its expiry a revocation is deleted. So none is lost too early while the clock is up to a day ahead. */
const KEPT_MS = DAY_MS
/** The same for used assertions. Shorter, because each request with an assertion stores one. */
const ASSERTIONS_KEPT_MS = 60 * 60 * 1000
/** Upkeep writes no entry for a rotation younger than this: the process that rotated may still write it. */
const OWN_ENTRY_MS = 10_000
/** Upkeep writes no entry for a rotation older than this: an earlier version may have written one under another id. */
const RECOVERED_MS = DAY_MS
/** A round that began longer ago counts as cancelled: on Workers it can be cancelled with its request, without an error. */
const LOST_AFTER_MS = 30_000

/** Creates the upkeep of a service. A job that fails again and again is logged once, and again after a success. */
export function createUpkeep({
  storage,
  keyRing,
  keyLife,
  rules,
  log,
  auditKeptMs,
  now,
}: UpkeepDeps): Upkeep {
  const failing = new Set<string>()
  let runningSince = Number.NEGATIVE_INFINITY
  let purgedAt = Number.NEGATIVE_INFINITY
  /** The key that signed when all entries were last known to be written. While it still signs, no entry is missing. */
  let settledKid: string | undefined
  /** The keys after the last round. */
  let records: readonly KeyRecord[] = []

  /** Runs one job and logs its failure, unless its previous run failed too. */
  async function runJob(job: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      failing.delete(job)
    } catch (error) {
      if (!failing.has(job)) log.warn('upkeep failed; it will be tried again', { check: job, error })
      failing.add(job)
    }
  }

  async function maintainKeys(): Promise<void> {
    const at = now()
    const { keys, rotatedKid } = await keyLife.maintain(at, rules.isKeyRevoked)
    records = keys
    if (rotatedKid === undefined) return
    log.info('the signing key was rotated', { kid: rotatedKid })
    await storage.appendAuditOnce(createRotationEntry('system', rotatedKid, at, null))
  }

  /** Writes the audit entries that the rotating process could not write, because it ended or the database was locked. */
  async function recordRotations(): Promise<void> {
    const { kid: signingKid } = keyRing
    if (signingKid === settledKid) return
    // Either a pending key signs in place of a revoked one, or the key became current after this round read the keys. A
    // later round sees the rotation.
    const state = records.find(({ kid }) => kid === signingKid)?.state
    if (state === undefined || state === 'pending') return
    for (const { kid, createdAt, currentSince } of records) {
      // A first key has been current since its creation, so no rotation made it current.
      if (currentSince === null || currentSince === createdAt) continue
      const age = now() - currentSince
      if (age <= OWN_ENTRY_MS) return
      const entry = createRotationEntry('system', kid, currentSince, { recovered: true })
      if (age <= RECOVERED_MS) await storage.appendAuditOnce(entry)
    }
    settledKid = signingKid
  }

  return async () => {
    if (Math.abs(now() - runningSince) < LOST_AFTER_MS) return
    runningSince = now()
    try {
      await rules.refresh()
      await runJob('rotation of signing keys', maintainKeys)
      if (Math.abs(now() - purgedAt) >= PURGE_EVERY_MS) {
        await runJob('deletion of old records', async () => {
          for (let part = 0; part < PURGES_PER_ROUND; part += 1) {
            if (part > 0) await sleep(0)
            const isUnfinished = await storage.purge({
              revocationsUntil: now() - KEPT_MS,
              assertionsUntil: now() - ASSERTIONS_KEPT_MS,
              auditBefore: now() - auditKeptMs,
            })
            if (isUnfinished) continue
            purgedAt = now()
            return
          }
        })
      }
      await runJob('reading of signing keys', () => keyRing.refresh())
      await runJob('presence of a key that may sign', async () => {
        if (keyRing.kid === undefined) throw new SigningKeysError('no key may sign, so no token is issued')
      })
      await runJob('audit entries of rotations', recordRotations)
    } finally {
      runningSince = Number.NEGATIVE_INFINITY
    }
  }
}
