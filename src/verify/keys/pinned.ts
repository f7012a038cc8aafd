// Keys that the API was given: a pinned set, or one shared secret. Judged when the verifier is made: TypeError,
// its message without key material.

import { base64url, type JWK } from 'jose'
import type { VerificationKey, VerifyToken } from '../../claims/jws.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import { parseJwk, type UsableJwk } from './jwk.ts'
import type { KeySource } from './source.ts'

const MIN_SECRET_BYTES = 32

/** A pinned JWK Set's keys. Throws TypeError on a key that cannot verify, on two of one `kid`, and on none. */
export function createPinnedKeys(jwks: readonly JWK[], load: LoadVerifier): KeySource {
  const byId = new Map<string, UsableJwk>()
  for (const [index, jwk] of jwks.entries()) {
    const key = demandKey(jwk, `jwks: key ${index + 1}`)
    if (byId.has(key.kid)) throw new TypeError(`jwks: key ${index + 1} repeats a kid`)
    byId.set(key.kid, key)
  }
  if (byId.size === 0) throw new TypeError('jwks: keys is empty')
  return createLoaded([...byId.values()], (kid) => byId.get(kid), load)
}

/**
 * One shared secret. Bytes and text verify whatever `kid` a token names and have none themselves, so that no revocation
 * by `kid` applies to their tokens; a JWK verifies only its own `kid`. Throws TypeError on
 * less than 32 bytes, on a JWK that is not `oct`, and on a PEM text, which is a key of another kind.
 */
export function createSharedKey(secret: string | Uint8Array | JWK, load: LoadVerifier): KeySource {
  if (typeof secret === 'object' && secret !== null && !(secret instanceof Uint8Array)) {
    if (secret.kty !== 'oct') throw new TypeError('secret: must be bytes, text, or a JWK of type oct')
    const key = demandKey(secret, 'secret: the JWK')
    return createLoaded([key], (kid) => (kid === key.kid ? key : undefined), load)
  }
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  if (!(bytes instanceof Uint8Array)) throw new TypeError('secret: must be bytes, text, or a JWK of type oct')
  if (bytes.length < MIN_SECRET_BYTES)
    throw new TypeError(`secret: must have ${MIN_SECRET_BYTES} bytes or more`)
  if (typeof secret === 'string' && secret.includes('-----BEGIN ')) {
    throw new TypeError('secret: is a PEM text; give a public key as a JWK in jwks')
  }
  const key: UsableJwk = { kid: '', alg: 'HS256', jwk: { kty: 'oct', k: base64url.encode(bytes) } }
  return createLoaded([key], () => key, load)
}

function demandKey(jwk: JWK, name: string): UsableJwk {
  const judged = parseJwk(jwk)
  if (!judged.ok) throw new TypeError(`${name} ${judged.reason}`)
  return judged.value
}

/** Loads each key once: at once where the engine can, else by the time that the first token asks for it. */
function createLoaded(
  keys: readonly UsableJwk[],
  find: (kid: string) => UsableJwk | undefined,
  load: LoadVerifier,
): KeySource {
  const loaded = new Map<UsableJwk, VerificationKey>()
  for (const key of keys) {
    const verify = load(key.jwk, key.alg)
    // Only a value is kept, not the promise: on Workers no request may await another's.
    if (verify instanceof Promise) verify.then(keep(key), () => undefined)
    else keep(key)(verify)
  }

  function keep(key: UsableJwk): (verify: VerifyToken) => void {
    return (verify) => {
      // The first stays: tokens are remembered together with this very object.
      if (!loaded.has(key)) loaded.set(key, { kid: key.kid, alg: key.alg, verify })
    }
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
      try {
        keep(key)(await load(key.jwk, key.alg))
      } catch {
        return 'unavailable'
      }
      return get(kid)
    },
  }
}
