// Checks header and claims of a DPoP proof (RFC 9449 section 4.3) that is already decoded. There are two functions, because
// the signature is verified in between. A failure names the rule, never the value that would pass.

import type { JWK } from 'jose'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { algorithmNames, parseJwk, type UsableJwk } from '../keys/jwk.ts'
import { isSameTarget } from './htu.ts'

/** Seconds by which `iat` may be before or after the verifier's clock. */
export const PROOF_WINDOW_SECONDS = 60
/** Longest `jti` of a proof, in characters. */
export const MAX_JTI_LENGTH = 256

const TYPES: ReadonlySet<string> = new Set(['dpop+jwt', 'application/dpop+jwt'])

/** Values of `alg` that proofs may have: asymmetric algorithms only. */
export const proofAlgorithms: readonly string[] = [...algorithmNames.ES256, ...algorithmNames.EdDSA]

/** The public key in a proof's header. Fails unless `typ`, `alg` and `jwk` are valid and `alg` fits the key. */
export function parseProofHeader(header: JsonObject): Result<Omit<UsableJwk, 'kid'>, string> {
  const { typ, alg, jwk } = header
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase())) return fail('the typ of the proof is wrong')
  if ('crit' in header || 'b64' in header)
    return fail('the header of the proof has crit or b64, which is not supported')
  if (!isJsonObject(jwk)) return fail('the header of the proof has no jwk')
  // `k` is the secret of a symmetric key. parseJwk accepts it, because pinned keys may be symmetric.
  if ('k' in jwk) return fail('the key of the proof has a private member')
  // parseJwk requires a `kid`. A `kid` in the proof is ignored, because the thumbprint identifies the key.
  const parsed = parseJwk({ ...jwk, kid: 'proof' } as JWK)
  if (!parsed.ok) return fail(`the key of the proof ${parsed.reason}`)
  const isOwnAlgorithm = typeof alg === 'string' && algorithmNames[parsed.value.alg].includes(alg)
  return isOwnAlgorithm && proofAlgorithms.includes(alg)
    ? ok(parsed.value)
    : fail("the algorithm of the proof is not that of the proof's key")
}

/** Values that the claims of a proof are compared with. */
export interface ExpectedClaims {
  readonly method: string
  /** Absolute URL of the request; its query and fragment are ignored. */
  readonly htu: string
  /** SHA-256 of the access token in base64url; undefined: `ath` is not checked. */
  readonly ath: string | undefined
  /** The time of the request, epoch seconds. */
  readonly now: number
}

/** The claims of a valid proof that are used later. */
export interface ProofClaims {
  readonly jti: string
  /** Epoch seconds, possibly with a fraction. */
  readonly iat: number
}

/** Checks the claims of a proof whose signature was verified. Ignores `nonce`: claimgate never asks for one. */
export function checkProofClaims(
  { htm, htu, iat, jti, ath }: JsonObject,
  expected: ExpectedClaims,
): Result<ProofClaims, string> {
  if (htm !== expected.method) return fail('the proof is for another method')
  if (typeof htu !== 'string' || !isSameTarget(htu, expected.htu)) return fail('the proof is for another URL')
  // `!(x <= y)` instead of `x > y`: it also refuses NaN.
  if (typeof iat !== 'number' || !(Math.abs(expected.now - iat) <= PROOF_WINDOW_SECONDS)) {
    return fail('the proof was not made just now')
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    return fail('the proof has no jti of 1 to 256 characters')
  }
  if (expected.ath !== undefined && ath !== expected.ath) return fail('the proof is for another token')
  return ok({ jti, iat })
}
