// Types and refusals that the operations of administration share. An operation takes checked input and returns records
// or a Problem. It knows no Request or Response, so the admin API and the command line call the same operations.

import type { Problem } from '../http/problem.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'

/** The dependencies of all operations. Each operation declares with `Pick` which of them it uses. */
export interface AdminPorts {
  readonly storage: Storage
  readonly hashSecret: HashSecret
  /** Lists and changes the stored signing keys; `enforceRevocations` made it, so revoked keys are listed as expired. */
  readonly keyLife: Pick<KeyLife, 'list' | 'rotate' | 'end'>
  /**
   * Longest lifetime that tokens have ever been allowed to have, seconds. Can be longer than the configured `maxTtl`.
   */
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
