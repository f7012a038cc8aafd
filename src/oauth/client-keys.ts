// The registered keys of a client against its assertion (RFC 7515 section 5.2). A key's type decides what it verifies,
// never the assertion; `jwk`, `jku`, `x5u` and `x5c` are not looked at. Whoever has no such key costs as much as who has.

import { compactVerify, importJWK, type JWK } from 'jose'
import { isJsonObject, parseJson } from '../lib/json.ts'
import { parseJwk } from '../verify/keys/jwk.ts'
import type { Assertion } from './assertion.ts'

/** How assertions may be signed: each spelling with the key type and our name of it (RFC 9864 renames EdDSA). */
const ALGORITHMS = new Map([
  ['ES256', { kty: 'EC', alg: 'ES256' }],
  ['EdDSA', { kty: 'OKP', alg: 'EdDSA' }],
  ['Ed25519', { kty: 'OKP', alg: 'EdDSA' }],
] as const)

/** The spellings of algorithms in which clients may sign. */
export const assertionAlgorithms: readonly string[] = [...ALGORITHMS.keys()]

/** Public keys whose private halves nobody has: tried where there is nothing to try, so that it takes as long. */
const NOBODYS_KEYS: string = JSON.stringify({
  keys: [
    {
      kty: 'EC',
      crv: 'P-256',
      x: '_YiTmY8QsiO1pOQhEaE93cxH89Y3DZLChfheQz6vPLk',
      y: 'Xo9CkO2ipnZr_mtscOyklaVSsaDS5x3brvq4PUaHv0w',
    },
    { kty: 'OKP', crv: 'Ed25519', x: 'i01PV4TJAatxnv4EzrtamcrQ_kM_CCJrxhs6UXT4rqM' },
  ],
})

/** Whether one of the registered keys signed the assertion. `jwks` is a JWK Set as text; undefined: there is none. */
export async function isSignedByClient(assertion: Assertion, jwks: string | undefined): Promise<boolean> {
  const algorithm = ALGORITHMS.get(assertion.alg as 'ES256')
  if (algorithm === undefined) return false
  const registered = fittingKeys(jwks, assertion.kid, algorithm.kty)
  const tried = registered.length > 0 ? registered : fittingKeys(NOBODYS_KEYS, undefined, algorithm.kty)
  let isRight = false
  for (const key of tried) isRight = (await isSignedBy(assertion, key, algorithm.alg)) || isRight
  return isRight && registered.length > 0
}

/** Keys of a type (of each, one curve is in use), by the key id that the assertion names. A key registered without one answers to any. */
function fittingKeys(jwks: string | undefined, kid: string | undefined, kty: string): readonly JWK[] {
  return readKeys(jwks).flatMap((jwk) => {
    if (jwk.kty !== kty || (kid !== undefined && jwk.kid !== undefined && jwk.kid !== kid)) return []
    // Judging wants a name; what the key is called has been looked at.
    const judged = parseJwk({ ...jwk, kid: 'registered' })
    return judged.ok ? [judged.value.jwk] : []
  })
}

function readKeys(jwks: string | undefined): readonly JWK[] {
  const parsed = parseJson(jwks ?? '')
  const keys = parsed.ok && isJsonObject(parsed.value) ? parsed.value.keys : undefined
  return Array.isArray(keys) ? keys.filter(isJsonObject) : []
}

async function isSignedBy({ text, alg }: Assertion, jwk: JWK, keyAlg: string): Promise<boolean> {
  try {
    await compactVerify(text, await importJWK(jwk, keyAlg), { algorithms: [alg] })
    return true
  } catch {
    return false
  }
}
