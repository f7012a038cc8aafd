// Judging a JWK before it may verify anything (RFC 7517, RFC 7518 section 6, RFC 8037 section 2): what it is for
// is decided by its type and curve, never by a token.

import { base64url, type JWK } from 'jose'
import { isCanonicalBase64url } from '../claims/base64url.ts'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import { fail, ok, type Result } from '../claims/result.ts'

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
  const { kid, use, key_ops: operations } = jwk
  if (typeof kid !== 'string' || kid === '') return fail('has no kid')
  if (use !== undefined && use !== 'sig') return fail('is not for signatures (use)')
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return fail('is not for verification (key_ops)')
  }
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return fail('has a private member')
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
    return isCoordinate(x) && isCoordinate(y) && isOnP256(x, y)
      ? ok({ alg: 'ES256', names: ['ES256'], jwk: { kty, crv, x, y } })
      : fail('is not a point of P-256')
  }
  if (kty === 'OKP' && crv === 'Ed25519') {
    return isCoordinate(x)
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

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn

/** y² = x³ - 3x + b (FIPS 186-4, D.1.2.3). Engines tell only when they import the key, which may be later. */
function isOnP256(xText: string, yText: string): boolean {
  const [x, y] = [toInteger(xText), toInteger(yText)]
  return x < P && y < P && (y * y - (x * x * x - 3n * x + B)) % P === 0n
}

function toInteger(text: string): bigint {
  let value = 0n
  for (const byte of base64url.decode(text)) value = value * 256n + BigInt(byte)
  return value
}
