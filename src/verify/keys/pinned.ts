// Keys from the verifier's options: a JWK Set, or one shared secret. Checked when the verifier is created; a TypeError
// names the option and holds no key material.

import { base64url, type JWK } from 'jose'
import type { VerificationKey, VerifyToken } from '../../claims/jws.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import { parseJwk, type UsableJwk } from './jwk.ts'
import type { KeySource } from './source.ts'

const MIN_SECRET_BYTES = 32

/** Keys of a JWK Set. Throws TypeError if a key cannot verify signatures, if two share a `kid`, or if there is none. */
export function createPinnedKeys(jwks: readonly JWK[], load: LoadVerifier): KeySource {
  const byId = new Map<string, UsableJwk>()
  for (const [index, jwk] of jwks.entries()) {
    const key = checkKey(jwk, `jwks: key ${index + 1}`)
    if (byId.has(key.kid)) throw new TypeError(`jwks: key ${index + 1} repeats a kid`)
    byId.set(key.kid, key)
  }
  if (byId.size === 0) throw new TypeError('jwks: keys is empty')
  return createLoaded([...byId.values()], (kid) => byId.get(kid), load)
}

/**
 * One shared secret for HS256. Text and bytes verify tokens with any `kid` and have none themselves, so a revocation by
 * `kid` does not apply to their tokens; a JWK verifies only tokens with its own `kid`. Throws TypeError if the secret has
 * fewer than 32 bytes, if a JWK is not of type `oct`, and if a text is PEM, because that is a public or private key.
 */
export function createSharedKey(secret: string | Uint8Array | JWK, load: LoadVerifier): KeySource {
  if (typeof secret === 'object' && secret !== null && !(secret instanceof Uint8Array)) {
    if (secret.kty !== 'oct') throw new TypeError('secret: must be bytes, text, or a JWK of type oct')
    const key = checkKey(secret, 'secret: the JWK')
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

function checkKey(jwk: JWK, name: string): UsableJwk {
  const parsed = parseJwk(jwk)
  if (!parsed.ok) throw new TypeError(`${name} ${parsed.reason}`)
  return parsed.value
}

/**
 * A source of these keys. Starts to import each key immediately. Until a key is imported, the synchronous look-up does not find
 * it; `load` of the source does.
 */
function createLoaded(
  keys: readonly UsableJwk[],
  find: (kid: string) => UsableJwk | undefined,
  load: LoadVerifier,
): KeySource {
  const loaded = new Map<UsableJwk, VerificationKey>()
  for (const key of keys) {
    const verify = load(key.jwk, key.alg)
    // The promise is not kept: on Workers a request must not await a promise of another request.
    if (verify instanceof Promise) verify.then(keep(key), () => undefined)
    else keep(key)(verify)
  }

  function keep(key: UsableJwk): (verify: VerifyToken) => void {
    return (verify) => {
      // Never replaced, because a remembered token counts only while its key is the same object.
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
