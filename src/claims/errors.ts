// The package export "claimgate/errors": the error that verifiers throw, and its codes.

import { type ClaimErrorCode, codes, statusOf } from './codes.ts'

/** Every code of a {@link ClaimError}, in the order in which a verifier makes its checks. */
export const claimErrorCodes: readonly ClaimErrorCode[] = codes

export type { ClaimErrorCode }

/**
 * The error that a verifier throws for a request that must be refused. `message` is one sentence that may be shown to the
 * client: it says which rule failed, but contains neither the token nor the value that would have passed.
 *
 * @example
 * try { await verifier.verify(request) } catch (error) {
 *   if (error instanceof ClaimError) return new Response(error.message, { status: error.status })
 * }
 */
export class ClaimError extends Error {
  override readonly name = 'ClaimError'
  /** Why the request is refused; one of {@link claimErrorCodes}. The meaning of a code never changes. */
  readonly code: ClaimErrorCode
  /** The HTTP status to answer with: 400, 401, 403, 429 or 503. */
  readonly status: number
  /** The value of `WWW-Authenticate` for a 400, 401 or 403 (RFC 6750 section 3); undefined for 429 and 503. */
  readonly challenge: string | undefined
  /** The value of `Retry-After` in whole seconds for a 429 or 503; undefined for other statuses. */
  readonly retryAfterSeconds: number | undefined
  /** Id of the refused request, as `onDecision` and `onError` have it; undefined for an error that a program made itself. */
  readonly requestId: string | undefined

  constructor(
    code: ClaimErrorCode,
    message: string,
    challenge?: string,
    retryAfterSeconds?: number,
    requestId?: string,
  ) {
    super(message)
    this.code = code
    this.status = statusOf(code)
    this.challenge = challenge
    this.retryAfterSeconds = retryAfterSeconds
    this.requestId = requestId
  }
}
