// The codes of a verifier's refusals, with the status and title of each. The meaning of a code never changes.

/** Code of a refusal. The statuses follow RFC 6750 section 3.1 and RFC 9449 section 7.1. */
export type ClaimErrorCode =
  | 'invalid_request'
  | 'missing_token'
  | 'invalid_token'
  | 'token_expired'
  | 'token_revoked'
  | 'origin_required'
  | 'origin_mismatch'
  | 'origin_not_allowed'
  | 'ip_mismatch'
  | 'proof_required'
  | 'invalid_proof'
  | 'rate_limited'
  | 'insufficient_scope'
  | 'unavailable'

/** HTTP status and title (RFC 9457 section 3.1) of each code, in the order of the checks. */
export const claimProblems: Readonly<Record<ClaimErrorCode, readonly [status: number, title: string]>> = {
  invalid_request: [400, 'The request is not well-formed'],
  missing_token: [401, 'A token is needed'],
  invalid_token: [401, 'The token was not accepted'],
  token_expired: [401, 'The token has expired'],
  token_revoked: [401, 'The token was revoked'],
  origin_required: [401, 'The request has no origin'],
  origin_mismatch: [401, 'The token is bound to another origin'],
  origin_not_allowed: [403, 'Pages of this origin may not call this API'],
  ip_mismatch: [401, 'The token is bound to another address'],
  proof_required: [401, 'The token is bound to a key'],
  invalid_proof: [401, 'The proof was not accepted'],
  rate_limited: [429, 'Too many requests'],
  insufficient_scope: [403, 'The token lacks a scope'],
  unavailable: [503, 'The service is not available'],
}

/** HTTP status of a code: 400, 401, 403, 429 or 503. */
export function statusOf(code: ClaimErrorCode): number {
  return claimProblems[code][0]
}

/** All codes, in the order of the checks. */
export const codes: readonly ClaimErrorCode[] = Object.freeze(Object.keys(claimProblems) as ClaimErrorCode[])
