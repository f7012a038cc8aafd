// The error of every public door, with the stable codes of the verifier. Says which rule failed,
// never the value that would have passed, and never holds a token.

import { type ClaimErrorCode, codes, statusOf } from './codes.ts'

/** All codes, in the order of the checks. */
export const claimErrorCodes: readonly ClaimErrorCode[] = codes

export type { ClaimErrorCode }

/**
 * A request that a verifier refused.
 *
 * @example
 * try { await verifier.verify(request) } catch (error) {
 *   if (error instanceof ClaimError) return new Response(error.message, { status: error.status })
 * }
 */
export class ClaimError extends Error {
  override readonly name = 'ClaimError'
  /** Stable code, one of {@link claimErrorCodes}. */
  readonly code: ClaimErrorCode
  /** HTTP status to answer with: 400, 401, 403, 429 or 503. */
  readonly status: number
  /** Value for `WWW-Authenticate`, on 401 and on 400 and 403 too (RFC 6750 section 3). */
  readonly challenge: string | undefined
  /** Value for `Retry-After`, whole seconds, on 429 and 503. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ClaimErrorCode, message: string, challenge?: string, retryAfterSeconds?: number) {
    super(message)
    this.code = code
    this.status = statusOf(code)
    this.challenge = challenge
    this.retryAfterSeconds = retryAfterSeconds
  }
}
