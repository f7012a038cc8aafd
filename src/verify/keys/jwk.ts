// Judging a JWK before it may verify anything (RFC 7517, RFC 7518 section 6, RFC 8037 section 2): what it is for
// is decided by its type and curve, never by a token.

import { base64url, type JWK } from 'jose'
import type { SignatureAlgorithm } from '../../claims/jws.ts'
import { isCanonicalBase64url } from '../../lib/base64url.ts'
import { isJsonObject } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { isOnEd25519, isOnP256 } from './curve-points.ts'

/** A key that may verify, under its one algorithm. Only the members that its type needs are left in `jwk`. */
export interface JudgedKey {
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly jwk: JWK
}

/** Members that only whoever signs has (RFC 7518 section 6.3.2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const
const MIN_SHARED_BYTES = 32

/** The key, or what is wrong with it. The reason holds no key material. */
export function judgeJwk(jwk: JWK): Result<JudgedKey, string> {
  if (!isJsonObject(jwk)) return fail('is no object')
  const { kid, use, key_ops: operations } = jwk
  if (typeof kid !== 'string' || kid === '') return fail('has no kid')
  if (use !== undefined && use !== 'sig') return fail('is not for signatures (use)')
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return fail('is not for verification (key_ops)')
  }
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) return fail('has a private member')
  const judged = judgeType(jwk)
  if (!judged.ok) return judged
  const { alg, names } = judged.value
  if (jwk.alg !== undefined && !names.includes(jwk.alg)) return fail('names an algorithm that is not its own')
  return ok({ kid, alg, jwk: judged.value.jwk })
}

interface TypedKey {
  readonly alg: SignatureAlgorithm
  /** How its algorithm may be spelled in the key: RFC 9864 gives Ed25519 a name of its own. */
  readonly names: readonly string[]
  readonly jwk: JWK
}

function judgeType({ kty, crv, x, y, k }: JWK): Result<TypedKey, string> {
  if (kty === 'EC' && crv === 'P-256') {
    return isCoordinate(x) && isCoordinate(y) && isOnP256(base64url.decode(x), base64url.decode(y))
      ? ok({ alg: 'ES256', names: ['ES256'], jwk: { kty, crv, x, y } })
      : fail('is not a point of P-256')
  }
  if (kty === 'OKP' && crv === 'Ed25519') {
    return isCoordinate(x) && isOnEd25519(base64url.decode(x))
      ? ok({ alg: 'EdDSA', names: ['EdDSA', 'Ed25519'], jwk: { kty, crv, x } })
      : fail('is not an Ed25519 key')
  }
  if (kty === 'oct') {
    return typeof k === 'string' && isCanonicalBase64url(k) && base64url.decode(k).length >= MIN_SHARED_BYTES
      ? ok({ alg: 'HS256', names: ['HS256'], jwk: { kty, k } })
      : fail('is shorter than 32 bytes')
  }
  return fail('is of a type that is not used here')
}

/** 32 bytes. */
function isCoordinate(text: unknown): text is string {
  return typeof text === 'string' && text.length === 43 && isCanonicalBase64url(text)
}
