// The error of a backend that asked the issuer for a token and got none. Never holds a secret or a token.

/**
 * What became of asking the issuer.
 *
 * @example
 * try { await client.claim({ origin }) } catch (error) {
 *   if (error instanceof Error && 'code' in error && error.code === 'origin_not_allowed') return forbid()
 *   throw error
 * }
 */
export class ClaimRequestError extends Error {
  override readonly name = 'ClaimRequestError'
  /**
   * The issuer's own code, such as `unauthorized`, `origin_not_allowed` or `rate_limited`. Of ours: `unavailable`
   * (nothing configured), `bad_gateway` (no answer of an issuer), `gateway_timeout` (no answer in time).
   */
  readonly code: string
  /** HTTP status of the issuer's refusal; 502, 503 and 504 also where it is ours. */
  readonly status: number
  /** Seconds after which to ask again, where the issuer named them. */
  readonly retryAfter: number | undefined

  constructor(code: string, status: number, message: string, retryAfter?: number) {
    super(message)
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}
