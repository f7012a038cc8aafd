// What the operations of administration share. Operations take checked input and know no HTTP, so the admin API and the
// command line call the same ones.

import type { Problem } from '../http/problem.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'

/** What operations work with. Each operation names the members that it uses. */
export interface AdminPorts {
  readonly storage: Storage
  readonly hashSecret: HashSecret
  /** Lists and changes the stored signing keys with revocations enforced, see `enforceRevocations`. */
  readonly keyLife: Pick<KeyLife, 'list' | 'rotate' | 'end'>
  /** Longest lifetime of any token that was ever issued, seconds. The configured limit may have been higher than now. */
  readonly lifetimeSeconds: number
  /** Called after every write that can end tokens, bring them back or change keys. Never rejects. */
  readonly onChange: () => Promise<void>
  /**
   * How long other processes may still issue tokens from data that they read before a commit, milliseconds:
   * `SETTLE_MS`, or 0 when no other process uses the same database.
   */
  readonly settleMs: number
}

/** 404 for an account id that does not exist. */
export const UNKNOWN_ACCOUNT: Problem = { code: 'not_found', detail: 'there is no account with this id' }

/** 409: the change does not fit the current state. */
export function conflict(detail: string): Problem {
  return { code: 'conflict', detail }
}
