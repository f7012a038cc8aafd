// The signing keys of a running service, loaded: one signs, all that are not expired verify.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, SignToken, VerificationKey, VerifyToken } from '../claims/jws.ts'
import type { MaybePromise } from '../claims/result.ts'
import type { CryptoEngine } from './engine.ts'
import { buildPublicKeySet, verificationJwk } from './key-set.ts'
import { createFirstKeys } from './rotate.ts'
import type { SigningKeyStore, StoredSigningKey } from './signing-key.ts'

/** Loaded keys. */
export interface KeyRing {
  /** Id of the key that signs. */
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly sign: SignToken
  /** The key with this id, or undefined. Nothing but an exact id finds a key. */
  find(kid: string): VerificationKey | undefined
  /** The public JWK Set as JSON text, and a strong entity tag for it (RFC 9110 section 8.8.3). */
  readonly publicKeySet: { readonly body: string; readonly etag: string }
}

/** What a ring needs of cryptography: signing here, verification as the verify folder has it. */
export type KeyRingEngine = Pick<CryptoEngine, 'loadSigner'> & {
  readonly loadVerifier: (jwk: JWK, alg: SignatureAlgorithm) => MaybePromise<VerifyToken>
}

/** Loads the keys of `store`, making them when it has none for `alg`. `now` is epoch milliseconds. */
export async function openKeyRing(
  store: Pick<SigningKeyStore, 'list' | 'initialize'>,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
  now: number,
): Promise<KeyRing> {
  let stored = await store.list()
  if (currentKey(stored, alg) === undefined) {
    await store.initialize(await createFirstKeys(alg, now))
    stored = await store.list()
  }
  const current = currentKey(stored, alg)
  if (current === undefined) throw new Error(`the key store holds no current ${alg} key`)
  const usable = stored.filter((key) => key.state !== 'expired')
  const loaded = await Promise.all(
    usable.map(async (key) => ({
      kid: key.kid,
      alg: key.alg,
      verify: await engine.loadVerifier(verificationJwk(key), key.alg),
    })),
  )
  const byId = new Map<string, VerificationKey>(loaded.map((key) => [key.kid, key]))
  const body = JSON.stringify(buildPublicKeySet(stored))
  return {
    kid: current.kid,
    alg,
    sign: await engine.loadSigner(current.jwk, alg, current.kid),
    find: (kid) => byId.get(kid),
    publicKeySet: { body, etag: `"${await digest(body)}"` },
  }
}

/** The newest key in force: two processes that raced to make one agree by this. */
function currentKey(
  keys: readonly StoredSigningKey[],
  alg: SignatureAlgorithm,
): StoredSigningKey | undefined {
  return keys
    .filter((key) => key.alg === alg && key.state === 'current')
    .toSorted((a, b) => (b.currentSince ?? 0) - (a.currentSince ?? 0) || (a.kid < b.kid ? -1 : 1))[0]
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes.subarray(0, 12), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
