// What signing and verification agree on: the algorithms, and the two functions an engine provides.
// Types only; engines live where their library may be imported (jose, node:crypto).

import type { MaybePromise } from '../lib/result.ts'

/** JWS algorithms of claim tokens (RFC 7518, RFC 8037). */
export type SignatureAlgorithm = 'ES256' | 'EdDSA' | 'HS256'

/** Signs a claims set given as JSON text; gives the compact token. The header is fixed when the key is loaded. */
export type SignToken = (payload: string) => MaybePromise<string>

/** Whether the signature of a compact token is right. Never throws; the form has been checked before. */
export type VerifyToken = (token: string) => MaybePromise<boolean>

/** A key that verifies tokens, bound to its one algorithm. */
export interface VerificationKey {
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly verify: VerifyToken
}
