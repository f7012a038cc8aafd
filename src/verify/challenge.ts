// Turns the reason of a denial into what the client is told: status, code, Retry-After and WWW-Authenticate
// (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9110 section 11.6.1).

import { type ClaimErrorCode, statusOf } from '../claims/codes.ts'
import { proofAlgorithms } from './dpop/proof.ts'
import type { Denial } from './judge.ts'

const ALGORITHMS = `algs="${proofAlgorithms.join(' ')}"`
const BOTH_SCHEMES = `Bearer, DPoP ${ALGORITHMS}`
const PROOF = `DPoP error="invalid_dpop_proof", ${ALGORITHMS}`

/** The RFC 6750 error of each code; undefined for codes that have another challenge or none. */
const errorNames: Readonly<Record<ClaimErrorCode, string | undefined>> = {
  invalid_request: 'invalid_request',
  missing_token: undefined,
  invalid_token: 'invalid_token',
  token_expired: 'invalid_token',
  token_revoked: 'invalid_token',
  origin_required: 'invalid_token',
  origin_mismatch: 'invalid_token',
  origin_not_allowed: undefined,
  ip_mismatch: 'invalid_token',
  proof_required: undefined,
  invalid_proof: undefined,
  rate_limited: undefined,
  insufficient_scope: 'insufficient_scope',
  unavailable: undefined,
}

/** The value of `WWW-Authenticate`; undefined for 429 and 503, because another token would not change the answer. */
function buildChallenge(
  code: ClaimErrorCode,
  isKeyBound: boolean,
  scope: string | undefined,
): string | undefined {
  if (code === 'proof_required' || code === 'invalid_proof') return PROOF
  if (code === 'missing_token') return BOTH_SCHEMES
  const error = errorNames[code]
  if (error === undefined) return undefined
  // A scope token has neither a quotation mark nor a backslash (RFC 6749 section 3.3).
  const scopes = scope === undefined ? '' : `, scope="${scope}"`
  return isKeyBound ? `DPoP error="${error}"${scopes}, ${ALGORITHMS}` : `Bearer error="${error}"${scopes}`
}

/** What a client is told about its refused request, before it is written as an HTTP answer or thrown as an error. */
export interface Refusal {
  readonly status: number
  readonly code: ClaimErrorCode
  readonly detail: string
  readonly challenge: string | undefined
  readonly retryAfterSeconds: number | undefined
}

/** `Retry-After` of `unavailable`, in seconds. */
const OUTAGE_SECONDS = 5

/**
 * The refusal for a denial. The challenge names both schemes when the request has no token. It is for DPoP when the token
 * was presented with that scheme or is bound to a key, and when a proof is missing or invalid; otherwise it is for Bearer.
 */
export function toRefusal({ reason, presented }: Denial): Refusal {
  const { code, detail } = reason
  const isKeyBound = presented?.scheme === 'dpop' || reason.isKeyBound === true
  return {
    status: statusOf(code),
    code,
    detail,
    challenge: buildChallenge(code, isKeyBound, reason.scope),
    retryAfterSeconds: code === 'unavailable' ? OUTAGE_SECONDS : reason.retryAfterSeconds,
  }
}

/** The headers `www-authenticate` and `retry-after` of a refusal; each is absent when the refusal has no value for it. */
export function refusalHeaders({ challenge, retryAfterSeconds }: Refusal): Readonly<Record<string, string>> {
  return {
    ...(challenge && { 'www-authenticate': challenge }),
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  }
}
