// The public JWK Set (RFC 7517 section 5), with which resource servers verify tokens. Contains no private member and no
// shared secret: with HS256 it is empty.

import type { JWK } from 'jose'
import { compareStates, type StoredSigningKey } from './signing-key.ts'

/** The public members of a key's JWK, by `kty`. */
const PUBLIC_MEMBERS: ReadonlyMap<string | undefined, readonly (keyof JWK)[]> = new Map([
  ['EC', ['kty', 'crv', 'x', 'y']],
  ['OKP', ['kty', 'crv', 'x']],
])

/** The public part of a key. Only the listed members are copied, so that no private member can be published. */
function publicMembers(jwk: JWK): JWK {
  const members = PUBLIC_MEMBERS.get(jwk.kty) ?? []
  return Object.fromEntries(members.map((member) => [member, jwk[member]])) as JWK
}

/**
 * The JWK for verifying: the public key, or the shared secret with HS256. It has no private members, because WebCrypto
 * imports a JWK with private members as a key that can only sign.
 */
export function verificationJwk({ alg, jwk }: Pick<StoredSigningKey, 'alg' | 'jwk'>): JWK {
  return alg === 'HS256' ? jwk : publicMembers(jwk)
}

/**
 * The JWK Set of the current, pending and retiring keys, in this order. Keys in another order give the same JSON text.
 * HS256 keys are left out.
 */
export function buildPublicKeySet(keys: readonly StoredSigningKey[]): { readonly keys: readonly JWK[] } {
  return {
    keys: keys
      .filter((key) => key.alg !== 'HS256' && key.state !== 'expired')
      .toSorted((a, b) => compareStates(a, b) || (a.kid < b.kid ? -1 : 1))
      .map((key) => ({ ...publicMembers(key.jwk), kid: key.kid, alg: key.alg, use: 'sig' })),
  }
}
