// Imports stored keys into the crypto engine. The current key signs, or the pending one while the current one is revoked.
// All keys verify, expired ones too, and those that are not expired are published. An unchanged key keeps its object,
// because the verifier's cache of tokens compares objects.

import { base64url, type JWK } from 'jose'
import type { SignatureAlgorithm, SignToken, VerificationKey, VerifyToken } from '../claims/jws.ts'
import type { MaybePromise } from '../lib/result.ts'
import { type CryptoEngine, REVOCATIONS_TYPE, type SignLong } from './engine.ts'
import { findCurrentKey, findPendingKey } from './key-plan.ts'
import { buildPublicKeySet, verificationJwk } from './key-set.ts'
import type { StoredSigningKey } from './signing-key.ts'

/** The cryptography of a key ring: signing, and verification by the code of the verifier library. */
export type KeyRingEngine = Pick<CryptoEngine, 'loadSigner' | 'loadLongSigner'> & {
  readonly loadVerifier: (jwk: JWK, alg: SignatureAlgorithm) => MaybePromise<VerifyToken>
}

/** The public JWK Set as JSON text, and a strong entity tag for it (RFC 9110 section 8.8.3). */
export interface PublicKeySet {
  readonly body: string
  readonly etag: string
}

/** The keys of a store as they were read at one time. */
export interface LoadedKeys {
  /** Every stored key by its id, expired ones included. */
  readonly byId: ReadonlyMap<string, LoadedKey>
  /** Keys that may sign: the current one, then the pending one, which signs if the current one is revoked. */
  readonly signers: readonly LoadedSigner[]
  /** The keys that are not expired, in the order in which they are published. */
  readonly published: PublishedKeys
}

/** The published keys, before revocations are applied. */
export interface PublishedKeys {
  readonly keys: readonly JWK[]
  /** The first 12 bytes of the SHA-256 of `keys` as JSON, hexadecimal. */
  readonly digest: string
}

/** A key that may sign tokens and lists of revocations. */
export interface LoadedSigner {
  readonly kid: string
  readonly sign: SignToken
  /** The protected header of lists of revocations, in base64url. */
  readonly revocationsHeader: string
  readonly signRevocations: SignLong
}

interface LoadedKey {
  readonly key: VerificationKey
  readonly isExpired: boolean
  /** Algorithm and verification JWK as JSON, to notice a change. */
  readonly material: string
}

/**
 * Loads stored keys. `last` is the previous result, whose unchanged objects are kept. Rejects when a key cannot be
 * imported.
 */
export async function loadKeys(
  stored: readonly StoredSigningKey[],
  last: LoadedKeys | undefined,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
): Promise<LoadedKeys> {
  const loaded = await Promise.all(stored.map((key) => loadKey(key, last?.byId.get(key.kid), engine)))
  const byId = new Map(loaded.map((one) => [one.key.kid, one]))
  const signing = chooseSigners(stored, alg, last?.signers[0]?.kid)
  return {
    byId,
    signers: await Promise.all(signing.map((key) => loadSigner(key, byId, last, engine))),
    published: await publishKeys(stored, last?.published),
  }
}

/**
 * The keys that may sign: the current key, then the pending one, which signs while the current one is revoked but still
 * stored as current. If there is no current key of `alg`, another process has moved the service to another algorithm: then
 * the key that signed last stays in use until it expires. A key of another algorithm than `alg` never signs.
 */
function chooseSigners(
  stored: readonly StoredSigningKey[],
  alg: SignatureAlgorithm,
  lastKid: string | undefined,
): readonly StoredSigningKey[] {
  const first =
    findCurrentKey(stored, alg) ?? stored.find(({ kid, state }) => kid === lastKid && state !== 'expired')
  const pending = findPendingKey(stored, alg)
  return [first, pending].filter((key) => key !== undefined).filter((key, at, all) => all.indexOf(key) === at)
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
  const known = last?.signers.find((signer) => signer.kid === kid)
  if (known !== undefined && last?.byId.get(kid)?.key === byId.get(kid)?.key) return known
  return {
    kid,
    sign: await engine.loadSigner(jwk, alg, kid),
    revocationsHeader: base64url.encode(JSON.stringify({ alg, kid, typ: REVOCATIONS_TYPE })),
    signRevocations: await engine.loadLongSigner(jwk, alg),
  }
}

async function publishKeys(
  stored: readonly StoredSigningKey[],
  last: PublishedKeys | undefined,
): Promise<PublishedKeys> {
  const { keys } = buildPublicKeySet(stored)
  const text = JSON.stringify(keys)
  return last !== undefined && JSON.stringify(last.keys) === text
    ? last
    : { keys, digest: await digest(text) }
}

/** The JWK Set without the keys at the positions in `removed`, which are in ascending order. */
export function formatKeySet({ keys, digest }: PublishedKeys, removed: readonly number[]): PublicKeySet {
  const body = JSON.stringify({ keys: keys.filter((_, position) => !removed.includes(position)) })
  // Digest and positions identify the text. Its own digest is not used, because WebCrypto computes digests asynchronously.
  return { body, etag: `"${[digest, ...removed].join('-')}"` }
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes.subarray(0, 12), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
