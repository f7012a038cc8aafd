// Verifies an assertion with the registered keys of its client (RFC 7515 section 5.2). The type of a key decides which
// algorithm it verifies, never the assertion; `jwk`, `jku`, `x5u` and `x5c` are ignored. Takes the same time whether or not
// a key matches.

import { compactVerify, importJWK, type JWK } from 'jose'
import { isJsonObject, parseJson } from '../lib/json.ts'
import { parseJwk } from '../verify/keys/jwk.ts'
import type { Assertion } from './assertion.ts'

/** Names of algorithms in assertions, with the key type and jose's name. RFC 9864 writes Ed25519 for EdDSA. */
const ALGORITHMS = new Map([
  ['ES256', { kty: 'EC', alg: 'ES256' }],
  ['EdDSA', { kty: 'OKP', alg: 'EdDSA' }],
  ['Ed25519', { kty: 'OKP', alg: 'EdDSA' }],
] as const)

/** The values of `alg` that assertions may have. */
export const assertionAlgorithms: readonly string[] = [...ALGORITHMS.keys()]

/**
 * Public keys whose private keys were thrown away. They are tried when the client has no fitting key, so that the check
 * takes as long as with one.
 */
const DUMMY_KEYS: string = JSON.stringify({
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

/** Whether one of the registered keys signed the assertion. `jwks` is a JWK Set as JSON text; undefined: no keys. */
export async function isSignedByClient(assertion: Assertion, jwks: string | undefined): Promise<boolean> {
  const algorithm = ALGORITHMS.get(assertion.alg as 'ES256')
  if (algorithm === undefined) return false
  const registered = selectKeys(jwks, assertion.kid, algorithm.kty)
  const tried = registered.length > 0 ? registered : selectKeys(DUMMY_KEYS, undefined, algorithm.kty)
  let isRight = false
  for (const key of tried) isRight = (await isSignedBy(assertion, key, algorithm.alg)) || isRight
  return isRight && registered.length > 0
}

/**
 * The valid keys of this type that may have signed an assertion with this `kid`: those with the same `kid` and those without
 * one. If the assertion has no `kid`, all of them. Only one curve of each type is valid.
 */
function selectKeys(jwks: string | undefined, kid: string | undefined, kty: string): readonly JWK[] {
  return readKeys(jwks).flatMap((jwk) => {
    if (jwk.kty !== kty || (kid !== undefined && jwk.kid !== undefined && jwk.kid !== kid)) return []
    // parseJwk requires a `kid`. The key's own was compared above.
    const parsed = parseJwk({ ...jwk, kid: 'registered' })
    return parsed.ok ? [parsed.value.jwk] : []
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
