// Keys that the API was given: a pinned set, or one shared secret. Judged when the verifier is made.

import type { JWK } from 'jose'
import type { VerificationKey } from '../claims/jws.ts'
import type { LoadVerifier } from './engine.ts'
import { type JudgedKey, judgeJwk } from './jwk.ts'
import type { KeySource } from './key-source.ts'

/** Bytes as base64url, without Buffer. */
function toBase64url(bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** A pinned JWK Set. Throws TypeError on a key that cannot verify, and on two of one `kid`. */
export function createPinnedKeys(jwks: readonly JWK[], load: LoadVerifier): KeySource {
  const byId = new Map<string, JudgedKey>()
  for (const [index, jwk] of jwks.entries()) {
    const judged = judgeJwk(jwk)
    if (!judged.ok) throw new TypeError(`jwks: key ${index + 1} ${judged.reason}`)
    if (byId.has(judged.value.kid)) throw new TypeError(`jwks: key ${index + 1} repeats a kid`)
    byId.set(judged.value.kid, judged.value)
  }
  if (byId.size === 0) throw new TypeError('jwks: keys is empty')
  return createLoaded(byId, (kid) => byId.get(kid), load)
}

/** One shared secret. Bytes and text verify whatever `kid` a token names, a JWK only its own. */
export function createSharedKey(secret: string | Uint8Array | JWK, load: LoadVerifier): KeySource {
  const isJwk = typeof secret === 'object' && !(secret instanceof Uint8Array)
  if (isJwk) {
    if (secret.kty !== 'oct') throw new TypeError('secret: a JWK must be of type oct')
    return createPinnedKeys([secret], load)
  }
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  if (bytes.length < 32) throw new TypeError('secret: must have at least 32 bytes')
  const key: JudgedKey = { kid: '', alg: 'HS256', jwk: { kty: 'oct', k: toBase64url(bytes) } }
  return createLoaded(new Map([['', key]]), () => key, load)
}

/** Loads each key once: at once where the engine can, else when the first token asks for it. */
function createLoaded(
  keys: ReadonlyMap<string, JudgedKey>,
  find: (kid: string) => JudgedKey | undefined,
  load: LoadVerifier,
): KeySource {
  const loaded = new Map<JudgedKey, VerificationKey>()
  for (const key of keys.values()) {
    const verify = load(key.jwk, key.alg)
    if (verify instanceof Promise) verify.catch(() => undefined)
    else loaded.set(key, { kid: key.kid, alg: key.alg, verify })
  }
  const get = (kid: string): VerificationKey | undefined => {
    const key = find(kid)
    return key && loaded.get(key)
  }
  return {
    get,
    async load(kid) {
      const key = find(kid)
      if (key === undefined) return undefined
      if (!loaded.has(key)) {
        loaded.set(key, { kid: key.kid, alg: key.alg, verify: await load(key.jwk, key.alg) })
      }
      return loaded.get(key)
    },
  }
}
