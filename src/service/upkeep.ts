// The background work of a running service: reads the key store, rotates the signing key when it is due, completes what an
// earlier process left unfinished, and deletes old records. Called about every second; never rejects.

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

export const DAY_MS = 86_400_000

/** Runs one round. While another round is running it does nothing, unless that one began more than 30 s ago. */
export type Upkeep = () => Promise<void>

/** Time between two purges, when there is nothing left to delete. */
const PURGE_EVERY_MS = 60_000
/** Limit of purges in one round, while there is more to delete. */
const PURGES_PER_ROUND = 4
/** Expired records are kept this long, so that a clock that is wrong for a moment deletes nothing that is needed. */
const KEPT_MS = DAY_MS
/** The same for used assertions. Shorter, because each request of a client that signs assertions leaves one. */
const ASSERTIONS_KEPT_MS = 60 * 60 * 1000
/** A rotation younger than this may still get its audit entry from the process that rotated. */
const OWN_ENTRY_MS = 10_000
/** Older rotations get no entry: earlier versions wrote theirs under other ids, so a second one would appear. */
const RECOVERED_MS = DAY_MS
/** On Workers, a round may be cancelled together with its request, without notice. */
const LOST_AFTER_MS = 30_000

/** Creates the upkeep of a service. A failing duty is logged once, until it succeeds again. */
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
  /** The key whose rotation, like all earlier ones, is known to have its audit entry. */
  let settledKid: string | undefined
  /** The keys after the last round. */
  let records: readonly KeyRecord[] = []

  /** Runs one duty and logs its failure, unless its last run failed too. */
  async function attempt(duty: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      failing.delete(duty)
    } catch (error) {
      if (!failing.has(duty)) log.warn('upkeep failed; it will be tried again', { check: duty, error })
      failing.add(duty)
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

  /** Writes the audit entries that another process could not write, because it ended or the database was locked. */
  async function recordRotations(): Promise<void> {
    const { kid: settling } = keyRing
    if (settling === settledKid) return
    // A pending key signs in place of a revoked one, or became current after this round read the keys: the next round
    // sees its rotation.
    const state = records.find(({ kid }) => kid === settling)?.state
    if (state === undefined || state === 'pending') return
    for (const { kid, createdAt, currentSince } of records) {
      // The first key signs from its creation: it was not rotated.
      if (currentSince === null || currentSince === createdAt) continue
      const age = now() - currentSince
      if (age <= OWN_ENTRY_MS) return
      const entry = createRotationEntry('system', kid, currentSince, { recovered: true })
      if (age <= RECOVERED_MS) await storage.appendAuditOnce(entry)
    }
    settledKid = settling
  }

  return async () => {
    if (Math.abs(now() - runningSince) < LOST_AFTER_MS) return
    runningSince = now()
    try {
      await rules.refresh()
      await attempt('signing keys', maintainKeys)
      if (Math.abs(now() - purgedAt) >= PURGE_EVERY_MS) {
        await attempt('purge', async () => {
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
      await attempt('keys', () => keyRing.refresh())
      await attempt('signing', async () => {
        if (keyRing.kid === undefined) throw new SigningKeysError('no key may sign: claims are refused')
      })
      await attempt('record of rotations', recordRotations)
    } finally {
      runningSince = Number.NEGATIVE_INFINITY
    }
  }
}
