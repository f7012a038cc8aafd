// A stored signing key, its states, and the port to the store of keys. Times are epoch milliseconds.

import type { JWK } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'

/**
 * The states of a signing key. `current` signs. `pending` is published and signs after the next rotation. `retiring`
 * does not sign any more, but its tokens are still accepted. `expired`: its tokens are refused.
 */
export type SigningKeyState = 'current' | 'pending' | 'retiring' | 'expired'

/** A signing key as a store keeps it. `jwk` is private: it never leaves the process. */
export interface StoredSigningKey {
  /** RFC 7638 thumbprint for asymmetric keys, random for HS256. */
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly state: SigningKeyState
  readonly createdAt: number
  /** When it began to sign; null for a key that never has. */
  readonly currentSince: number | null
  /** When it expires or has expired; null for a current or pending key. */
  readonly expiresAt: number | null
  readonly jwk: JWK
}

const ORDER = { current: 0, pending: 1, retiring: 2, expired: 3 } as const satisfies Record<
  SigningKeyState,
  number
>

/** For sorting: current keys first, then pending, retiring and expired ones. */
export function compareStates(
  a: Pick<StoredSigningKey, 'state'>,
  b: Pick<StoredSigningKey, 'state'>,
): number {
  return ORDER[a.state] - ORDER[b.state]
}

/** A change of stored keys. It is made only if every key in `expect` is stored in the given state. */
export interface SigningKeyChange {
  /** Keys that must be stored in these states. Each `kid` occurs once. */
  readonly expect: readonly Pick<StoredSigningKey, 'kid' | 'state'>[]
  /** Keys to store. A stored key with the same kid is replaced. */
  readonly put: readonly StoredSigningKey[]
  /** Kids of keys to delete. A kid is never used for another key. */
  readonly remove: readonly string[]
}

/** Port to the signing keys: a folder of files on one machine, or a table in a shared database. */
export interface SigningKeyStore {
  /** Every stored key, in no particular order. */
  list(): Promise<readonly StoredSigningKey[]>
  /**
   * Adds all of these keys if the store has none of their algorithm; otherwise does nothing. If two processes call it at
   * the same time, the keys of one are stored, and both find those.
   */
  initialize(keys: readonly StoredSigningKey[]): Promise<void>
  /**
   * Makes the whole change and returns true if every expected key is stored in its state; otherwise changes nothing and
   * returns false. If several processes change the state of the same key at the same time, one succeeds. A change that
   * returned true survives a crash; one that rejected was made completely or not at all. Rejects with StorageError.
   */
  replace(change: SigningKeyChange): Promise<boolean>
}
