// Loads keys that verify signatures: synchronously with node:crypto where it can be used, else with jose and Web Crypto.

import { compactVerify, importJWK, type JWK } from 'jose'
import type { SignatureAlgorithm, VerifyToken } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { algorithmNames } from '../keys/jwk.ts'
import { loadNodeVerifier } from './node-crypto.ts'

/**
 * Loads a public or shared key for one algorithm. Throws or rejects if the key cannot be imported. The returned function
 * checks only the signature, so compare the `alg` of the token's header with the key's algorithm first.
 */
export type LoadVerifier = (jwk: JWK, alg: SignatureAlgorithm) => MaybePromise<VerifyToken>

/** {@link LoadVerifier} with jose and Web Crypto, on any runtime. */
export async function loadWebVerifier(jwk: JWK, alg: SignatureAlgorithm): Promise<VerifyToken> {
  const key = await importJWK(jwk, alg)
  const options = { algorithms: [...algorithmNames[alg]] }
  return async (token) => {
    try {
      await compactVerify(token, key, options)
      return true
    } catch {
      return false
    }
  }
}

/** {@link LoadVerifier} in the fastest way that this runtime has. */
export const loadVerifier: LoadVerifier = loadNodeVerifier ?? loadWebVerifier
