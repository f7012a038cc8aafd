// Checks a JWK before it may verify anything (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). The key's type and
// curve decide its algorithm; a token never does.

import { base64url, type JWK } from 'jose'
import type { SignatureAlgorithm } from '../../claims/jws.ts'
import { isBase64urlOf32Bytes, isCanonicalBase64url } from '../../lib/base64url.ts'
import { isJsonObject } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { isOnEd25519, isOnP256 } from './curve-points.ts'

/** A checked key and its only algorithm. `jwk` has only the members that its type needs. */
export interface UsableJwk {
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly jwk: JWK
}

/** Names of each algorithm in a JWK or in the header of a JWS. RFC 9864 gives EdDSA with Ed25519 a second name. */
export const algorithmNames: Readonly<Record<SignatureAlgorithm, readonly string[]>> = {
  ES256: ['ES256'],
  EdDSA: ['EdDSA', 'Ed25519'],
  HS256: ['HS256'],
}

/** Members that only a private key has (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const
const MIN_SHARED_BYTES = 32

/**
 * The key for ES256, EdDSA (Ed25519) or HS256 (at least 32 bytes). The reason of a failure is a sentence without its
 * subject, such as `has no kid`, and contains no key material.
 */
export function parseJwk(jwk: JWK): Result<UsableJwk, string> {
  if (!isJsonObject(jwk)) return fail('is not an object')
  const { kid, use, key_ops: operations } = jwk
  if (typeof kid !== 'string' || kid === '') return fail('has no kid')
  if (use !== undefined && use !== 'sig') return fail('is not for signatures (use)')
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return fail('is not for verification (key_ops)')
  }
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) return fail('has a private member')
  const parsed = parseType(jwk)
  if (!parsed.ok) return parsed
  const { alg } = parsed.value
  if (jwk.alg !== undefined && !algorithmNames[alg].includes(jwk.alg)) {
    return fail('has an algorithm (alg) that does not fit its type')
  }
  return ok({ kid, alg, jwk: parsed.value.jwk })
}

/** Algorithm and members of a key, by its `kty` and `crv`. */
function parseType({ kty, crv, x, y, k }: JWK): Result<Omit<UsableJwk, 'kid'>, string> {
  if (kty === 'EC' && crv === 'P-256') {
    return isBase64urlOf32Bytes(x) &&
      isBase64urlOf32Bytes(y) &&
      isOnP256(base64url.decode(x), base64url.decode(y))
      ? ok({ alg: 'ES256', jwk: { kty, crv, x, y } })
      : fail('is not a point of P-256')
  }
  if (kty === 'OKP' && crv === 'Ed25519') {
    return isBase64urlOf32Bytes(x) && isOnEd25519(base64url.decode(x))
      ? ok({ alg: 'EdDSA', jwk: { kty, crv, x } })
      : fail('is not an Ed25519 key')
  }
  if (kty === 'oct') {
    return typeof k === 'string' && isCanonicalBase64url(k) && base64url.decode(k).length >= MIN_SHARED_BYTES
      ? ok({ alg: 'HS256', jwk: { kty, k } })
      : fail('is not at least 32 bytes in base64url')
  }
  return fail('is of a type or curve that is not supported')
}
