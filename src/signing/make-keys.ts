// Making signing keys. A service always has two: one that signs, and one that is published and waits.

import { calculateJwkThumbprint, exportJWK, generateKeyPair, generateSecret } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import { randomBase62 } from '../lib/random.ts'
import type { SigningKeyState, SigningKeyStore, StoredSigningKey } from './signing-key.ts'

/** A new key. `now` is epoch milliseconds. Its `kid` is the RFC 7638 thumbprint; random for HS256, whose thumbprint would tell of the secret. */
export async function createSigningKey(
  alg: SignatureAlgorithm,
  state: SigningKeyState,
  now: number,
): Promise<StoredSigningKey> {
  const times = { state, createdAt: now, currentSince: state === 'current' ? now : null, expiresAt: null }
  if (alg === 'HS256') {
    const jwk = await exportJWK(await generateSecret('HS256', { extractable: true }))
    return { kid: randomBase62(22), alg, jwk, ...times }
  }
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { kid: await calculateJwkThumbprint(jwk), alg, jwk, ...times }
}

/** The keys of a service that has none: one current, one pending. */
export async function createFirstKeys(
  alg: SignatureAlgorithm,
  now: number,
): Promise<readonly StoredSigningKey[]> {
  return [await createSigningKey(alg, 'current', now), await createSigningKey(alg, 'pending', now)]
}

/** Every key of `store`, its first ones made when it holds none of `alg`. `now` is epoch milliseconds. */
export async function listOrMakeKeys(
  store: Pick<SigningKeyStore, 'list' | 'initialize'>,
  alg: SignatureAlgorithm,
  now: number,
): Promise<readonly StoredSigningKey[]> {
  const stored = await store.list()
  if (stored.some((key) => key.alg === alg)) return stored
  await store.initialize(await createFirstKeys(alg, now))
  return store.list()
}
