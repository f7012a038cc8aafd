// The error of a request to the issuer. Contains neither a secret nor a token.

/**
 * Code of a {@link ClaimRequestError}: one that this client makes, one that a claimgate issuer answers, or any other that
 * the server at `issuer` sent.
 */
export type ClaimRequestErrorCode =
  | 'unavailable'
  | 'bad_gateway'
  | 'gateway_timeout'
  | 'invalid_request'
  | 'unauthorized'
  | 'origin_not_allowed'
  | 'scope_not_allowed'
  | 'secret_in_browser'
  | 'rate_limited'
  | 'internal'
  | 'invalid_client'
  | 'invalid_scope'
  | (string & {})

/**
 * The error of a request to the issuer that gave no token. The message is one line for the log of the backend. Do not show
 * it to pages, because it may name settings of the account.
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
   * The code in the issuer's refusal, such as `unauthorized`, `origin_not_allowed` or `rate_limited`. When there is none:
   * `unavailable` (issuer or credential is not configured; nothing was sent), `bad_gateway` (the answer has neither a token
   * nor a code), `gateway_timeout` (unreachable, or no complete answer within 5 s).
   */
  readonly code: ClaimRequestErrorCode
  /**
   * HTTP status of the issuer's answer when that is 400 or higher. Otherwise 503 with `unavailable`, 502 with `bad_gateway`,
   * 504 with `gateway_timeout`.
   */
  readonly status: number
  /** Seconds to wait before the next request; undefined when the issuer gave no `Retry-After`. */
  readonly retryAfter: number | undefined

  constructor(code: ClaimRequestErrorCode, status: number, message: string, retryAfter?: number) {
    super(message)
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}
