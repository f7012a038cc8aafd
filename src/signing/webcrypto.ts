// The engine for every runtime: signing with jose, hashing with WebCrypto. Node has a synchronous twin
// (adapters/node-crypto.ts) that is held to the same vectors.

import { base64url, CompactSign, importJWK } from 'jose'
import { type CryptoEngine, TOKEN_TYPE } from './engine.ts'

const encoder = new TextEncoder()
const HMAC = { name: 'HMAC', hash: 'SHA-256' }

/** jose and WebCrypto. */
export const webCryptoEngine: CryptoEngine = {
  async loadSigner(jwk, alg, kid, typ = TOKEN_TYPE) {
    const key = await importJWK(jwk, alg)
    const header = { alg, kid, typ }
    return (payload) => new CompactSign(encoder.encode(payload)).setProtectedHeader(header).sign(key)
  },

  createSecretHash(pepper) {
    // The key is kept as a value: on Workers a promise of one request must not be awaited by another.
    let key: CryptoKey | undefined
    return async (secret) => {
      key ??= await crypto.subtle.importKey('raw', encoder.encode(pepper), HMAC, false, ['sign'])
      return base64url.encode(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(secret))))
    }
  },
}
