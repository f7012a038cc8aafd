// Creates signing keys. A service always has a current key, which signs, and a pending one, which is published and signs
// after the next rotation.

import { calculateJwkThumbprint, exportJWK, generateKeyPair, generateSecret } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import { randomBase62 } from '../lib/random.ts'
import type { SigningKeyState, StoredSigningKey } from './signing-key.ts'

/**
 * Creates a key. `now` is epoch milliseconds. Its `kid` is the RFC 7638 thumbprint; for HS256 it is random, because the
 * thumbprint of a shared secret would let an attacker check guesses (RFC 7638 section 7).
 */
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

/** The first keys of a service: one current, one pending. `now` is epoch milliseconds. */
export async function createFirstKeys(
  alg: SignatureAlgorithm,
  now: number,
): Promise<readonly StoredSigningKey[]> {
  return [await createSigningKey(alg, 'current', now), await createSigningKey(alg, 'pending', now)]
}
