// What a running service does beside answering: follows the key store, rotates its signing key when that is due, ends
// what was left half done, and drops records that no longer matter. Called every second or so; never rejects.

import type { Logger } from '../http/log.ts'
import { SigningKeysError } from '../signing/errors.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import { createRotationEntry } from '../signing/rotation-entry.ts'
import type { Storage } from '../storage/storage.ts'
import { pause } from '../verify/revocation/pieces.ts'
import type { RevocationRules } from './revocation/rules.ts'

/** What upkeep needs. */
export interface UpkeepDeps {
  readonly storage: Pick<Storage, 'appendAuditOnce' | 'purge'>
  readonly keyRing: Pick<KeyRing, 'refresh' | 'kid'>
  readonly keyLife: Pick<KeyLife, 'list' | 'maintain' | 'end'>
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

  async function rotateWhenDue(): Promise<void> {
    const at = now()
    if (!(await keyLife.maintain(at))) return
    const rotated = (await keyLife.list()).find(({ currentSince }) => currentSince === at)
    if (rotated === undefined) return
    log.info('the signing key was rotated', { kid: rotated.kid })
    await storage.appendAuditOnce(createRotationEntry('system', rotated.kid, at, null))
  }

  /** Puts on record what its process could not, because it died or the database was locked. */
  async function recordRotations(): Promise<void> {
    const { kid: settling } = keyRing
    if (settling === settledKid) return
    const records = await keyLife.list()
    // A pending key that signs in place of a revoked one: its rotation is still to come.
    if (records.some(({ kid, state }) => kid === settling && state === 'pending')) return
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

  /** A key that was revoked is ended, also when the process that revoked it did not live to do so. */
  async function endRevokedKeys(): Promise<void> {
    for (const { kid, state } of await keyLife.list()) {
      if (state !== 'expired' && rules.isKeyRevoked(kid)) await keyLife.end(kid, now())
    }
  }

  return async () => {
    if (Math.abs(now() - runningSince) < LOST_AFTER_MS) return
    runningSince = now()
    try {
      await rules.refresh()
      await attempt('revoked keys', endRevokedKeys)
      if (Math.abs(now() - rareAt) >= RARELY_MS) {
        await attempt('purge', async () => {
          for (let part = 0; part < PURGES_PER_ROUND; part += 1) {
            if (part > 0) await pause()
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
      await attempt('rotation', rotateWhenDue)
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
