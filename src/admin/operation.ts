// What the operations of administration share: what they work on, who asks, and how a change is put on record.
// They take checked input and know no HTTP: the admin API and the command line call the same ones.

import type { AuditAction, AuditEntry } from '../claims/account.ts'
import type { Problem } from '../http/problem.ts'
import { orderedBase62 } from '../lib/random.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'

/** What operations work on; each names the parts that it needs. */
export interface AdminPorts {
  readonly storage: Storage
  readonly hashSecret: HashSecret
  /** Longest life that a token may be given, seconds. */
  readonly maxTtl: number
  /** Longest life of any token that was ever made: the limit may have been higher. Seconds. */
  readonly lifetimeSeconds: number
  readonly keyLife: Pick<KeyLife, 'list' | 'rotate' | 'end'>
  /** Called after every write that can end tokens, bring them back or change keys. Never rejects. */
  readonly onChange: () => Promise<void>
  /**
   * How long other processes may issue tokens from data that they read before a commit, milliseconds: `SETTLE_MS`, or 0
   * when no other process uses the same records.
   */
  readonly settleMs: number
}

/** Who makes changes, for the audit log. */
export type Actor = 'admin' | 'cli'

/** A line of the audit log; `now` is epoch milliseconds. `detail` must hold no secret. */
export function createAuditEntry(
  actor: Actor,
  action: AuditAction,
  target: string,
  now: number,
  detail: AuditEntry['detail'] = null,
): AuditEntry {
  return { id: orderedBase62(), at: now, actor, action, target, detail }
}

/** A change that does not fit what is there. */
export function conflict(detail: string): Problem {
  return { code: 'conflict', detail }
}
