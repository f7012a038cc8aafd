// What a running service does beside answering: follows the key store, rotates its signing key when that is due, ends
// what was left half done, and drops records that no longer matter. Called every second or so; never rejects.

import type { Logger } from '../http/log.ts'
import { sleep } from '../lib/timing.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { createRotationEntry, type KeyLife, type KeyRecord } from '../signing/key-life.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { Storage } from '../storage/storage.ts'
import type { RevocationRules } from './revocation/rules.ts'

/** What upkeep needs. */
export interface UpkeepDeps {
  readonly storage: Pick<Storage, 'appendAuditOnce' | 'purge'>
  readonly keyRing: Pick<KeyRing, 'refresh' | 'kid'>
  readonly keyLife: Pick<KeyLife, 'maintain'>
  /** Kept up to date for the time when the database is down. */
  readonly rules: Pick<RevocationRules, 'refresh' | 'isKeyRevoked'>
  readonly log: Logger
  /** How long audit entries are kept, milliseconds. */
  readonly auditKeptMs: number
  /** Epoch milliseconds. */
  readonly now: () => number
}

export const DAY_MS = 86_400_000

/** One round of upkeep; a round that is called while another is on does nothing, unless that one is lost. */
export type Upkeep = () => Promise<void>

const RARELY_MS = 60_000
/** Most purges in one round, while there is more to delete. */
const PURGES_PER_ROUND = 4
/** A clock that runs ahead for a moment must not take away what is still needed. */
const KEPT_MS = DAY_MS
/** Shorter, since there may be many: one for each request of a client that signs assertions. */
const ASSERTIONS_KEPT_MS = 60 * 60 * 1000
/** Whoever rotates has so long to put that on record. */
const OWN_ENTRY_MS = 10_000
/** Older rotations are let be: before there were such entries, theirs had other ids. */
const RECOVERED_MS = DAY_MS
/** On Workers a round may end with the request that carried it, and never say so. */
const LOST_AFTER_MS = 30_000

/** Upkeep of this service. */
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
  let rareAt = Number.NEGATIVE_INFINITY
  /** The key whose rotation, and every one before it, is known to be on record. */
  let settledKid: string | undefined
  /** The keys as the last round left them. */
  let records: readonly KeyRecord[] = []

  /** Runs one duty; its failures are told once, until it is done again. */
  async function attempt(duty: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      failing.delete(duty)
    } catch (error) {
      if (!failing.has(duty)) log.warn('upkeep failed; it is tried again', { check: duty, error })
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

  /** Puts on record what its process could not, because it died or the database was locked. */
  async function recordRotations(): Promise<void> {
    const { kid: settling } = keyRing
    if (settling === settledKid) return
    // A pending key signs in place of a revoked one, or became current after this round read the keys: the next round
    // sees its rotation.
    const state = records.find(({ kid }) => kid === settling)?.state
    if (state === undefined || state === 'pending') return
    for (const { kid, createdAt, currentSince } of records) {
      // First keys sign from the moment they are made.
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
      if (Math.abs(now() - rareAt) >= RARELY_MS) {
        await attempt('purge', async () => {
          for (let part = 0; part < PURGES_PER_ROUND; part += 1) {
            if (part > 0) await sleep(0)
            const isUnfinished = await storage.purge({
              revocationsUntil: now() - KEPT_MS,
              assertionsUntil: now() - ASSERTIONS_KEPT_MS,
              auditBefore: now() - auditKeptMs,
            })
            if (isUnfinished) continue
            rareAt = now()
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
