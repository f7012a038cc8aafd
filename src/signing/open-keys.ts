// Opens the signing keys when a process starts: the operations that change the store, and the key ring that signs.

import type { SignatureAlgorithm } from '../claims/jws.ts'
import { createKeyLife, type KeyLife } from './key-life.ts'
import type { KeyTerms } from './key-plan.ts'
import { type KeyRing, openKeyRing } from './key-ring.ts'
import type { KeyRingEngine } from './loaded-keys.ts'
import type { SigningKeyStore } from './signing-key.ts'

/** The store, the cryptography and the times of signing keys. */
export interface OpenKeysOptions {
  readonly store: SigningKeyStore
  readonly engine: KeyRingEngine
  readonly terms: KeyTerms & { readonly alg: SignatureAlgorithm }
  /** The current time, epoch milliseconds. */
  readonly now: number
  /** Whether a revocation names the key with this id. */
  readonly isRevoked: (kid: string) => boolean
}

/** The signing keys of a running process. */
export interface SigningKeys {
  readonly keyLife: KeyLife
  readonly keyRing: KeyRing
  /** Whether the store was empty, so that the first keys were created. */
  readonly areNew: boolean
}

/**
 * Opens the keys of `store`, and creates the first ones if it is empty. The revocations must be read before, because a
 * revoked key must not sign. Rejects with StorageError when the store fails, and with the engine's error when a key cannot
 * be imported.
 */
export async function openSigningKeys({
  store,
  engine,
  terms,
  now,
  isRevoked,
}: OpenKeysOptions): Promise<SigningKeys> {
  const keyLife = createKeyLife(store, terms)
  const areNew = await keyLife.open(now)
  return { keyLife, keyRing: await openKeyRing(store, engine, terms.alg, isRevoked), areNew }
}

/**
 * Warning for the operator that keys are new although credentials have been used before. `place` completes the words "the
 * old keys are".
 */
export function describeLostKeys(place: string): string {
  return `new signing keys were made although credentials have been used before: the old keys are ${place}, and every token that they signed is refused`
}
