// What a DPoP proof must say (RFC 9449 section 4.3), header and claims apart, once its text is decoded: the signature
// stands between the two. A refusal is one sentence that names the rule, never the value that would pass.

import type { JWK } from 'jose'
import type { SignatureAlgorithm } from '../../claims/jws.ts'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { type JudgedKey, judgeJwk } from '../keys/jwk.ts'
import { isSameTarget } from './htu.ts'

/** Seconds by which the time of a proof may differ from ours, either way. */
export const PROOF_WINDOW_SECONDS = 60
const MAX_JTI_LENGTH = 256

const TYPES: ReadonlySet<string> = new Set(['dpop+jwt', 'application/dpop+jwt'])

/** How a proof may spell its key's algorithm. A shared key proves nothing: whoever checks it could have made it. */
const ALGORITHM_NAMES: Readonly<Record<SignatureAlgorithm, readonly string[]>> = {
  ES256: ['ES256'],
  EdDSA: ['EdDSA', 'Ed25519'],
  HS256: [],
}

/** Every name of an algorithm that proofs may be signed with. */
export const proofAlgorithms: readonly string[] = Object.values(ALGORITHM_NAMES).flat()

/** The key that a proof's header holds, and that its algorithm fits. */
export function judgeProofHeader(header: JsonObject): Result<Omit<JudgedKey, 'kid'>, string> {
  const { typ, alg, jwk } = header
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase())) return fail('the proof is of another type')
  if ('crit' in header || 'b64' in header) return fail('the proof asks for an extension')
  if (!isJsonObject(jwk)) return fail('the proof holds no key')
  // Of a shared key it would be the secret, and in a public one it has no place.
  if ('k' in jwk) return fail('the key of the proof has a private member')
  // A name for it is neither asked for nor looked at: its thumbprint is its name.
  const judged = judgeJwk({ ...jwk, kid: 'proof' } as JWK)
  if (!judged.ok) return fail(`the key of the proof ${judged.reason}`)
  return typeof alg === 'string' && ALGORITHM_NAMES[judged.value.alg].includes(alg)
    ? ok(judged.value)
    : fail("the algorithm of the proof is not that of the proof's key")
}

/** What the claims of a proof must say. */
export interface ExpectedClaims {
  readonly method: string
  /** URL of the request, absolute; its query and fragment do not count. */
  readonly htu: string
  /** SHA-256 of the access token in base64url; undefined where there is none yet. */
  readonly ath: string | undefined
  /** Epoch seconds. */
  readonly now: number
}

/** Claims of a proof that is right. */
export interface ProofClaims {
  readonly jti: string
  /** Epoch seconds, fractions possible. */
  readonly iat: number
}

/** Judges the claims of a proof whose signature is right. `nonce` is not looked at: none is ever asked for. */
export function judgeProofClaims(
  { htm, htu, iat, jti, ath }: JsonObject,
  expected: ExpectedClaims,
): Result<ProofClaims, string> {
  if (htm !== expected.method) return fail('the proof is for another method')
  if (typeof htu !== 'string' || !isSameTarget(htu, expected.htu)) return fail('the proof is for another URL')
  // Not `>`, which would let through what is no number.
  if (typeof iat !== 'number' || !(Math.abs(expected.now - iat) <= PROOF_WINDOW_SECONDS)) {
    return fail('the proof was not made just now')
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    return fail('the proof has no jti of 1 to 256 characters')
  }
  if (expected.ath !== undefined && ath !== expected.ath) return fail('the proof is for another token')
  return ok({ jti, iat })
}
