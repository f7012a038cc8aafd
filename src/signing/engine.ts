// The port to the cryptography of a runtime, and the `typ` values of the JWS that the service signs.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, SignToken } from '../claims/jws.ts'
import type { HashSecret } from './secret.ts'

/**
 * Signs a JWS signing input (RFC 7515 section 5.1) without blocking the event loop. Resolves to the JWS signature in
 * base64url; the input must not change until then.
 */
export type SignLong = (input: Uint8Array<ArrayBuffer>) => Promise<string>

/** Signs tokens and lists, and hashes secrets. */
export interface CryptoEngine {
  /** Loads a private or shared key for signing tokens. Their protected header has `alg`, `kid` and `typ: "at+jwt"`. */
  loadSigner(jwk: JWK, alg: SignatureAlgorithm, kid: string): Promise<SignToken>
  /** Loads a private or shared key for signing inputs of many megabytes. The caller builds the protected header. */
  loadLongSigner(jwk: JWK, alg: SignatureAlgorithm): Promise<SignLong>
  /** Creates the function that hashes secrets. `pepper` is its HMAC key. */
  createSecretHash(pepper: string): HashSecret
}

/** `typ` of access tokens (RFC 9068 section 2.1). */
export const TOKEN_TYPE = 'at+jwt'

/** `typ` of the signed list of revocations. It differs from that of tokens, so that no list is accepted as a token. */
export const REVOCATIONS_TYPE = 'revocations+jwt'
