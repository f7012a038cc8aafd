// The public JWK Set (RFC 7517 section 5): what resource servers verify with. Never holds a private member,
// and never a shared secret: under HS256 it is empty.

import type { JWK } from 'jose'
import type { StoredSigningKey } from './signing-key.ts'

/** Members of a public key, by type; whatever else a stored JWK holds stays home. */
const PUBLIC_MEMBERS: ReadonlyMap<string | undefined, readonly (keyof JWK)[]> = new Map([
  ['EC', ['kty', 'crv', 'x', 'y']],
  ['OKP', ['kty', 'crv', 'x']],
])

/** The public half, picked member by member: a private member has no way in. */
function publicMembers(jwk: JWK): JWK {
  const members = PUBLIC_MEMBERS.get(jwk.kty) ?? []
  return Object.fromEntries(members.map((member) => [member, jwk[member]])) as JWK
}

/**
 * What verifying with a key needs: the public half, or the shared secret itself. (WebCrypto takes a JWK with a
 * private member for a key that can only sign.)
 */
export function verificationJwk({ alg, jwk }: Pick<StoredSigningKey, 'alg' | 'jwk'>): JWK {
  return alg === 'HS256' ? jwk : publicMembers(jwk)
}

/** The JWK Set of every key that tokens may be signed with now, soon or until lately. Current first; equal keys give equal text. */
export function buildPublicKeySet(keys: readonly StoredSigningKey[]): { readonly keys: readonly JWK[] } {
  const order = { current: 0, pending: 1, retiring: 2, expired: 3 }
  return {
    keys: keys
      .filter((key) => key.alg !== 'HS256' && key.state !== 'expired')
      .toSorted((a, b) => order[a.state] - order[b.state] || (a.kid < b.kid ? -1 : 1))
      .map((key) => ({ ...publicMembers(key.jwk), kid: key.kid, alg: key.alg, use: 'sig' })),
  }
}
