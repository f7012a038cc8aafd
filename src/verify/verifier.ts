// The package export "claimgate/verify": a verifier as a function of a request, for any runtime and any framework.

import { ClaimError } from '../claims/errors.ts'
import { toRefusal } from './challenge.ts'
import { checkOptions, refuseMiddlewareNames } from './options/check.ts'
import type { Claims, VerifierOptions } from './options/options.ts'
import type { VerifiableRequest } from './request/extract.ts'
import { toRequestLike } from './request/headers.ts'
import { requestIdOf } from './request/id.ts'
import { createRequestVerifier, share } from './request-verifier.ts'

export { ClaimError, type ClaimErrorCode } from '../claims/errors.ts'
export type * from './options/options.ts'
export type { RequestLike, TokenSource, VerifiableRequest } from './request/extract.ts'

/** A verifier of requests, made by {@link createVerifier}. */
export interface Verifier {
  /**
   * Verifies the token of a request, and checks the request against what the token is bound to. `ip` is the address of
   * the socket's other end: `trustedProxies` decides whether a forwarded header replaces it. The body is not read.
   *
   * @returns the token's claims
   * @throws {ClaimError} when the request must be refused: answer with its `status`, `challenge` and `retryAfterSeconds`.
   *   Its `requestId` is also that of `onDecision` and `onError`.
   * @throws {TypeError} when `request` has no `headers`.
   */
  verify(request: VerifiableRequest, from?: { readonly ip?: string | undefined }): Promise<Claims>
  /** Cancels fetches of keys and revocations. Later calls of `verify` throw `unavailable`. */
  close(): void
}

/**
 * Creates a verifier for the tokens of one issuer. Keys and revocations are fetched when the first request needs them.
 * Create one per process, because it remembers keys and verified tokens. Not checked: CORS, which only the middlewares do.
 *
 * @throws {TypeError} for wrong options; the message names the option.
 * @example
 * const verifier = createVerifier({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 * })
 * const claims = await verifier.verify(request, { ip: socket.remoteAddress })
 */
export function createVerifier(options: VerifierOptions): Verifier {
  refuseMiddlewareNames(options)
  const checked = checkOptions(options)
  const requests = createRequestVerifier(checked)
  const { judge, close } = requests
  const verifier: Verifier = {
    async verify(request, from) {
      const verdict = await judge(toRequestLike(request), from?.ip ?? undefined, { source: request })
      if (verdict.outcome !== 'deny') return verdict.parsed.claims
      const { code, detail, challenge, retryAfterSeconds } = toRefusal(verdict)
      throw new ClaimError(code, detail, challenge, retryAfterSeconds, requestIdOf(request))
    },
    close,
  }
  share(verifier, { verifier: requests, issuer: checked.policy.issuer, mode: checked.mode })
  return verifier
}
