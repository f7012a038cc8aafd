// Loading keys for verification: synchronously where Node offers it, by jose and WebCrypto everywhere.

import { compactVerify, importJWK, type JWK } from 'jose'
import type { SignatureAlgorithm, VerifyToken } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { loadNodeVerifier } from './node-crypto.ts'

/** Loads a public or shared key for this one algorithm. Throws, or rejects, on a key that is no good. */
export type LoadVerifier = (jwk: JWK, alg: SignatureAlgorithm) => MaybePromise<VerifyToken>

/** By jose, on any runtime. */
export async function loadWebVerifier(jwk: JWK, alg: SignatureAlgorithm): Promise<VerifyToken> {
  const key = await importJWK(jwk, alg)
  const options = { algorithms: [alg] }
  return async (token) => {
    try {
      await compactVerify(token, key, options)
      return true
    } catch {
      return false
    }
  }
}

/** The quickest way of this runtime. */
export const loadVerifier: LoadVerifier = loadNodeVerifier ?? loadWebVerifier
