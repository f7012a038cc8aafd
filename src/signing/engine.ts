// The port to the cryptography of a runtime, and the header values that every engine uses.

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
  /** Loads a private or shared key for signing tokens. Their protected header is `alg`, `kid` and `typ` `at+jwt`. */
  loadSigner(jwk: JWK, alg: SignatureAlgorithm, kid: string): Promise<SignToken>
  /** Loads a private or shared key for signing inputs of many megabytes. */
  loadLongSigner(jwk: JWK, alg: SignatureAlgorithm): Promise<SignLong>
  /** Creates the hash of secrets that is keyed with this pepper. */
  createSecretHash(pepper: string): HashSecret
}

/** `typ` of access tokens (RFC 9068 section 2.1). */
export const TOKEN_TYPE = 'at+jwt'

/** `typ` of the signed list of revocations. Differs from that of tokens, so that the list is never accepted as one. */
export const REVOCATIONS_TYPE = 'revocations+jwt'
