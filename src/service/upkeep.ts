// What a running service does beside answering: follows the key store, rotates its signing key when that is due, ends
// what was left half done, and drops records that no longer matter. Called every second or so; never rejects.

import type { AuditEntry } from '../claims/account.ts'
import type { Logger } from '../http/log.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import { randomBase62 } from '../signing/random.ts'
import type { Storage } from '../storage/storage.ts'
import type { RevocationRules } from './revocation-rules.ts'

/** What upkeep needs. */
export interface UpkeepDeps {
  readonly storage: Pick<Storage, 'appendAudit' | 'purge'>
  readonly keys: Pick<KeyRing, 'refresh' | 'kid'>
  readonly keyLife: Pick<KeyLife, 'maintain' | 'end'>
  /** Kept up to date for the time when the database is down. */
  readonly rules: Pick<RevocationRules, 'refresh' | 'read'>
  readonly log: Logger
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** One round of upkeep; a round that is called while another is on does nothing, unless that one is lost. */
export type Upkeep = () => Promise<void>

const RARELY_MS = 60_000
/** A clock that runs ahead for a moment must not take away what is still needed. */
const KEPT_MS = 24 * 60 * 60 * 1000
/** On Workers a round may end with the request that carried it, and never say so. */
const LOST_AFTER_MS = 30_000

/** Upkeep of this service. */
export function createUpkeep({ storage, keys, keyLife, rules, log, now }: UpkeepDeps): Upkeep {
  const failing = new Set<string>()
  let runningSince = Number.NEGATIVE_INFINITY
  let rareAt = Number.NEGATIVE_INFINITY

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
    if (!(await keyLife.maintain(now()))) return
    await keys.refresh()
    log.info('the signing key was rotated', { kid: keys.kid })
    await storage.appendAudit(rotationEntry(keys.kid, now()))
  }

  /** A key that was revoked is ended, also when the process that revoked it did not live to do so. */
  async function endRevokedKeys(): Promise<void> {
    const read = await rules.read()
    for (const { kind, value } of read?.rules ?? []) if (kind === 'kid') await keyLife.end(value, now())
  }

  return async () => {
    if (Math.abs(now() - runningSince) < LOST_AFTER_MS) return
    runningSince = now()
    try {
      await rules.refresh()
      await attempt('revoked keys', endRevokedKeys)
      if (Math.abs(now() - rareAt) >= RARELY_MS) {
        await attempt('purge', async () => {
          await storage.purge(now() - KEPT_MS)
          rareAt = now()
        })
      }
      await attempt('rotation', rotateWhenDue)
      await attempt('keys', () => keys.refresh())
    } finally {
      runningSince = Number.NEGATIVE_INFINITY
    }
  }
}

function rotationEntry(kid: string, at: number): AuditEntry {
  return { id: randomBase62(16), at, actor: 'system', action: 'key.rotate', target: kid, detail: null }
}
