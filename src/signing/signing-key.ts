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

/** Where signing keys live: a folder of files on one machine, a table in a shared database. A port. */
export interface SigningKeyStore {
  /** Every stored key, in no order. */
  list(): Promise<readonly StoredSigningKey[]>
  /**
   * Adds these keys if the store holds none of their algorithm, all or nothing; otherwise does nothing.
   * Two processes that start together end with the same keys.
   */
  initialize(keys: readonly StoredSigningKey[]): Promise<void>
}
