// What signing and verification share: the algorithms, the functions that a crypto engine provides, and the shape of a
// token. The engines themselves are in other folders, because this one may not import jose or node:crypto.

import type { MaybePromise } from '../lib/result.ts'

/** JWS algorithms of claim tokens (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export type SignatureAlgorithm = 'ES256' | 'EdDSA' | 'HS256'

/** Signs a Claims Set (JSON text) and returns the token in JWS Compact Serialization. The key determines the header. */
export type SignToken = (payload: string) => MaybePromise<string>

/**
 * Whether the signature of a compact token is valid. Never throws or rejects. The caller has checked the form of the
 * token.
 */
export type VerifyToken = (token: string) => MaybePromise<boolean>

/** Three base64url parts with dots between them, in the alphabet of RFC 7515. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Whether a text has the shape of a JWT, so that somebody probably confused it with a secret. Nothing in it is decoded. */
export function isJwtShaped(text: string): boolean {
  return COMPACT.test(text)
}

/** A key that verifies tokens with one algorithm, whatever the header of a token says (RFC 8725 section 3.1). */
export interface VerificationKey {
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly verify: VerifyToken
}
