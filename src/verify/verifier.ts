// The door "claimgate/verify": a verifier as a function of a request, for any runtime and any framework.
// Reads headers, method and URL, never a body. Throws nothing but ClaimError; bad options throw TypeError when made.

import { ClaimError } from '../claims/errors.ts'
import { toRefusal } from './challenge.ts'
import { checkOptions } from './check-options.ts'
import type { RequestLike } from './extract.ts'
import type { Claims, VerifierOptions } from './options.ts'
import { createRequestJudge } from './request-judge.ts'

export { ClaimError, type ClaimErrorCode } from '../claims/errors.ts'
export type { RequestLike, TokenSource } from './extract.ts'
export type * from './options.ts'

/** A verifier of requests. */
export interface Verifier {
  /**
   * The claims of a request's token, once every rule has passed. `ip` is the socket's peer: forwarded headers count
   * only as `trustedProxies` says. Rejects with ClaimError.
   */
  verify(request: RequestLike, from?: { readonly ip?: string | undefined }): Promise<Claims>
  /** Ends its background work; later calls reject with `unavailable`. */
  close(): void
}

/**
 * A verifier with these options.
 *
 * @throws {TypeError} on options that make no sense; the message names the option.
 * @example
 * const verifier = createVerifier({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 *   jwksUri: 'https://auth.example.com/.well-known/jwks.json',
 * })
 * const claims = await verifier.verify(request, { ip: socket.remoteAddress })
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const judge = createRequestJudge(options, checkOptions(options))
  return {
    async verify(request, from) {
      const verdict = await judge.judge(request, from?.ip ?? undefined)
      if (verdict.outcome !== 'deny') return verdict.parsed.claims
      const { code, detail, challenge, retryAfterSeconds } = toRefusal(verdict)
      throw new ClaimError(code, detail, challenge, retryAfterSeconds)
    },
    close: () => judge.close(),
  }
}
