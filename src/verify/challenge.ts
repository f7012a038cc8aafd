// From a reason to what the client is told: status, code and WWW-Authenticate
// (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9110 section 11.6.1).

import { type ClaimErrorCode, statusOf } from '../claims/codes.ts'
import type { Denial } from './judge.ts'

const BOTH = 'Bearer, DPoP algs="ES256 EdDSA Ed25519"'
const PROOF = 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"'

/** The RFC 6750 error of each code. Proofs have a challenge of their own; 429 and 503 have none. */
const errorNames: Readonly<Record<ClaimErrorCode, string | undefined>> = {
  invalid_request: 'invalid_request',
  missing_token: undefined,
  invalid_token: 'invalid_token',
  token_expired: 'invalid_token',
  token_revoked: 'invalid_token',
  origin_required: 'invalid_token',
  origin_mismatch: 'invalid_token',
  ip_mismatch: 'invalid_token',
  proof_required: undefined,
  invalid_proof: undefined,
  rate_limited: undefined,
  insufficient_scope: 'insufficient_scope',
  unavailable: undefined,
}

/** `WWW-Authenticate` for a refusal; undefined where none belongs (429, 503). */
function buildChallenge(code: ClaimErrorCode, isKeyBound: boolean): string | undefined {
  if (code === 'proof_required' || code === 'invalid_proof') return PROOF
  if (code === 'missing_token') return BOTH
  const error = errorNames[code]
  if (error === undefined) return undefined
  return isKeyBound ? `DPoP error="${error}", algs="ES256 EdDSA Ed25519"` : `Bearer error="${error}"`
}

/** A refusal as any server writes it. */
export interface Refusal {
  readonly status: number
  readonly code: ClaimErrorCode
  readonly detail: string
  readonly challenge: string | undefined
  readonly retryAfterSeconds: number | undefined
}

/** `Retry-After` of an outage, seconds. */
const OUTAGE_SECONDS = 5

/** The refusal of a denied request; its challenge speaks of DPoP when the token came so, or is bound to a key. */
export function toRefusal({ reason, presented }: Denial): Refusal {
  const { code, detail } = reason
  const isKeyBound = presented?.scheme === 'dpop' || reason.isKeyBound === true
  return {
    status: statusOf(code),
    code,
    detail,
    challenge: buildChallenge(code, isKeyBound),
    retryAfterSeconds: code === 'unavailable' ? OUTAGE_SECONDS : reason.retryAfterSeconds,
  }
}

/** Headers that tell a client what to do about a refusal: `WWW-Authenticate`, `Retry-After`. */
export function refusalHeaders({ challenge, retryAfterSeconds }: Refusal): Readonly<Record<string, string>> {
  return {
    ...(challenge && { 'www-authenticate': challenge }),
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  }
}
