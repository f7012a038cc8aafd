// A signing key's record and life: pending (published, not used yet), current (signs), retiring (still verifies), expired.
// Pure data; times are epoch milliseconds.

import type { JWK } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'

/** Where a signing key is in its life. */
export type SigningKeyState = 'pending' | 'current' | 'retiring' | 'expired'

/** A signing key as a store keeps it. `jwk` is private: it never leaves the process. */
export interface StoredSigningKey {
  /** RFC 7638 thumbprint for asymmetric keys, random for HS256. */
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly state: SigningKeyState
  readonly createdAt: number
  readonly currentSince: number | null
  readonly expiresAt: number | null
  readonly jwk: JWK
}

/** A change of stored keys, on the condition that they are what its author saw. */
export interface SigningKeyChange {
  /** Keys that must be there, each in this state; each kid once. */
  readonly expect: readonly Pick<StoredSigningKey, 'kid' | 'state'>[]
  /** Keys to be stored, each in place of the one with its kid, if any. */
  readonly put: readonly StoredSigningKey[]
  /** Kids of keys to be deleted. A deleted key never comes back: a kid is not used again. */
  readonly remove: readonly string[]
}

/** Where signing keys live: a folder of files on one machine, a table in a shared database. A port. */
export interface SigningKeyStore {
  /** Every stored key, in no order. */
  list(): Promise<readonly StoredSigningKey[]>
  /**
   * Adds these keys if the store holds none of their algorithm, all or nothing; otherwise does nothing.
   * Two processes that start together end with the same keys.
   */
  initialize(keys: readonly StoredSigningKey[]): Promise<void>
  /**
   * Changes keys, all or nothing, as long as every expected one is in its state; else false, and nothing is changed.
   * Of several changes at once that expect the same key, and change its state, one is made. A change that answered true
   * survives a crash; one that rejected is made or not, never half. Rejects with StorageError.
   */
  replace(change: SigningKeyChange): Promise<boolean>
}
