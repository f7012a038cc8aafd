// The stable codes of refusals and the HTTP status of each. A code never changes its meaning.

/** Every code a verifier answers, with its HTTP status (RFC 6750 section 3.1, RFC 9449 section 7.1). */
const statusByCode = {
  invalid_request: 400,
  missing_token: 401,
  invalid_token: 401,
  token_expired: 401,
  token_revoked: 401,
  origin_required: 401,
  origin_mismatch: 401,
  ip_mismatch: 401,
  proof_required: 401,
  invalid_proof: 401,
  insufficient_scope: 403,
  unavailable: 503,
} as const

/** A stable code of a refusal. */
export type ClaimErrorCode = keyof typeof statusByCode

/** HTTP status of a code. */
export function statusOf(code: ClaimErrorCode): number {
  return statusByCode[code]
}

/** All codes, in the order of the checks. */
export const codes: readonly ClaimErrorCode[] = Object.freeze(Object.keys(statusByCode) as ClaimErrorCode[])
