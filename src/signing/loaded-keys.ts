// Stored keys made usable: one signs, all verify, those that are not expired are published. What was loaded before and
// is the same stays the same object: a verifier knows tokens by it. Never signs with an expired key.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, SignToken, VerificationKey, VerifyToken } from '../claims/jws.ts'
import type { MaybePromise } from '../claims/result.ts'
import { type CryptoEngine, REVOCATIONS_TYPE } from './engine.ts'
import { buildPublicKeySet, verificationJwk } from './key-set.ts'
import { findCurrentKey } from './rotation.ts'
import type { StoredSigningKey } from './signing-key.ts'

/** What loading keys needs of cryptography: signing here, verification as the verify folder has it. */
export type KeyRingEngine = Pick<CryptoEngine, 'loadSigner'> & {
  readonly loadVerifier: (jwk: JWK, alg: SignatureAlgorithm) => MaybePromise<VerifyToken>
}

/** The public JWK Set as JSON text, and a strong entity tag for it (RFC 9110 section 8.8.3). */
export interface PublicKeySet {
  readonly body: string
  readonly etag: string
}

/** Keys as they were at one moment. */
export interface LoadedKeys {
  /** Every stored key by its id, expired ones included. */
  readonly byId: ReadonlyMap<string, LoadedKey>
  /** The key that signs; undefined when none may. */
  readonly signer: LoadedSigner | undefined
  readonly publicKeySet: PublicKeySet
}

/** The key that signs. */
export interface LoadedSigner {
  readonly kid: string
  readonly sign: SignToken
  /** Signs lists of revocations, whose `typ` is another. */
  readonly signRevocations: SignToken
}

interface LoadedKey {
  readonly key: VerificationKey
  readonly isExpired: boolean
  /** What it verifies with, as text. */
  readonly material: string
}

/** Loads stored keys; `last` is what was loaded before. Rejects when a key cannot be loaded. */
export async function loadKeys(
  stored: readonly StoredSigningKey[],
  last: LoadedKeys | undefined,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
): Promise<LoadedKeys> {
  const loaded = await Promise.all(stored.map((key) => loadKey(key, last?.byId.get(key.kid), engine)))
  const byId = new Map(loaded.map((one) => [one.key.kid, one]))
  const signing = chooseSigner(stored, alg, last?.signer?.kid)
  return {
    byId,
    signer: signing && (await loadSigner(signing, byId, last, engine)),
    publicKeySet: await formatKeySet(stored, last?.publicKeySet),
  }
}

/**
 * The current key. Without one another process has taken the service to another algorithm: the last key signs on,
 * which verifies as long as it is not expired. No key of another algorithm than the configured one ever signs.
 */
function chooseSigner(
  stored: readonly StoredSigningKey[],
  alg: SignatureAlgorithm,
  lastKid: string | undefined,
): StoredSigningKey | undefined {
  return (
    findCurrentKey(stored, alg) ?? stored.find(({ kid, state }) => kid === lastKid && state !== 'expired')
  )
}

async function loadKey(
  stored: StoredSigningKey,
  last: LoadedKey | undefined,
  engine: KeyRingEngine,
): Promise<LoadedKey> {
  const { kid, alg, state } = stored
  const jwk = verificationJwk(stored)
  const material = JSON.stringify([alg, jwk])
  const isExpired = state === 'expired'
  if (last?.material === material) return { key: last.key, isExpired, material }
  return { key: { kid, alg, verify: await engine.loadVerifier(jwk, alg) }, isExpired, material }
}

async function loadSigner(
  { kid, alg, jwk }: StoredSigningKey,
  byId: LoadedKeys['byId'],
  last: LoadedKeys | undefined,
  engine: KeyRingEngine,
): Promise<LoadedSigner> {
  const isSame = last?.signer?.kid === kid && last.byId.get(kid)?.key === byId.get(kid)?.key
  if (isSame && last?.signer) return last.signer
  return {
    kid,
    sign: await engine.loadSigner(jwk, alg, kid),
    signRevocations: await engine.loadSigner(jwk, alg, kid, REVOCATIONS_TYPE),
  }
}

async function formatKeySet(
  stored: readonly StoredSigningKey[],
  last: PublicKeySet | undefined,
): Promise<PublicKeySet> {
  const body = JSON.stringify(buildPublicKeySet(stored))
  return last?.body === body ? last : { body, etag: `"${await digest(body)}"` }
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes.subarray(0, 12), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
