// The error of a request to the issuer. Contains neither a secret nor a token.

/**
 * A request to the issuer that gave no token. `code` and `status` are those of the issuer's refusal, or one of the codes
 * below when there was no refusal. The message is one line for the log of the backend. Do not show it to pages: it may
 * name settings of the account.
 *
 * @example
 * async function claimFor(client: ClaimClient, origin: string): Promise<string | undefined> {
 *   try {
 *     return (await client.claim({ origin })).token
 *   } catch (error) {
 *     if (error instanceof ClaimRequestError && error.code === 'origin_not_allowed') return undefined
 *     throw error
 *   }
 * }
 */
export class ClaimRequestError extends Error {
  override readonly name = 'ClaimRequestError'
  /**
   * The issuer's code, such as `unauthorized`, `origin_not_allowed` or `rate_limited`. Without one: `unavailable` (issuer
   * or credential is not configured), `bad_gateway` (the answer has neither a token nor a known error format),
   * `gateway_timeout` (unreachable, or no complete answer within 5 s).
   */
  readonly code: string
  /** HTTP status of the issuer's refusal. Without one: 503, 502 or 504, in the order of the codes above. */
  readonly status: number
  /** Seconds to wait before the next request; undefined when the issuer gave no `Retry-After`. */
  readonly retryAfter: number | undefined

  constructor(code: string, status: number, message: string, retryAfter?: number) {
    super(message)
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}
