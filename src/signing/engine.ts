// The port to a runtime's cryptography, and what every engine must agree on.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, SignToken } from '../claims/jws.ts'
import type { HashSecret } from './secret.ts'

/** What a runtime offers for signing and for secrets. */
export interface CryptoEngine {
  /** Loads a private or shared key for signing, with the protected header of section 5.1 of RFC 7515 fixed; `typ` is `at+jwt` unless told. */
  loadSigner(jwk: JWK, alg: SignatureAlgorithm, kid: string, typ?: string): Promise<SignToken>
  /** A hash of secrets under this pepper. */
  createSecretHash(pepper: string): HashSecret
}

/** `typ` of claim tokens: RFC 9068 section 2.1. */
export const TOKEN_TYPE = 'at+jwt'

/** `typ` of the signed list of revocations, which must never pass for a token. */
export const REVOCATIONS_TYPE = 'revocations+jwt'
