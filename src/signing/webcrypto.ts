// The crypto engine for every runtime, with jose and WebCrypto. Node has a faster one (adapters/node/crypto.ts); the same
// tests run on both.

import { base64url, CompactSign, importJWK } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import { type CryptoEngine, TOKEN_TYPE } from './engine.ts'

const encoder = new TextEncoder()
const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const ALGORITHMS = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
  HS256: HMAC,
} as const satisfies Record<SignatureAlgorithm, object>

/** The engine of jose and WebCrypto. Its tokens and hashes are interchangeable with those of Node's engine. */
export const webCryptoEngine: CryptoEngine = {
  async loadSigner(jwk, alg, kid) {
    const key = await importJWK(jwk, alg)
    const header = { alg, kid, typ: TOKEN_TYPE }
    return (payload) => new CompactSign(encoder.encode(payload)).setProtectedHeader(header).sign(key)
  },

  async loadLongSigner(jwk, alg) {
    const imported = await importJWK(jwk, alg)
    const key =
      imported instanceof Uint8Array
        ? await crypto.subtle.importKey('raw', new Uint8Array(imported), HMAC, false, ['sign'])
        : imported
    return async (input) =>
      base64url.encode(new Uint8Array(await crypto.subtle.sign(ALGORITHMS[alg], key, input)))
  },

  createSecretHash(pepper) {
    // Caches the key, not its promise: on Workers a request must not await a promise of another request.
    let key: CryptoKey | undefined
    return async (secret) => {
      key ??= await crypto.subtle.importKey('raw', encoder.encode(pepper), HMAC, false, ['sign'])
      return base64url.encode(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(secret))))
    }
  },
}
