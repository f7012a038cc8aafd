// What the rule that refused a DPoP proof expected, and what it got. Follows the order of ../dpop/enforce-key.ts and
// ../dpop/verify-proof.ts; which rule failed is known from the decoded proof and from whether the signature was the reason.

import { calculateJwkThumbprint } from 'jose'
import type { Reason } from '../../claims/enforce.ts'
import type { JsonObject } from '../../lib/json.ts'
import { isSameTarget, normalizeTarget, resolveTarget } from '../dpop/htu.ts'
import { MAX_JTI_LENGTH, PROOF_WINDOW_SECONDS, parseProofHeader } from '../dpop/proof.ts'
import { WRONG_SIGNATURE } from '../dpop/verify-proof.ts'
import { decodeObject, findDots } from '../format.ts'
import type { ReceivedRequest } from '../judge.ts'
import { hashText } from '../runtime/sha256.ts'
import { type Comparison, describeSeconds, kindOf, nameOf } from './describe.ts'

/** The request with the refused proof, and the token that the proof should fit. */
export interface ComparedProof {
  readonly received: ReceivedRequest
  /** Thumbprint of the key that the token is bound to. */
  readonly jkt: string
  readonly accessToken: string
  readonly apiOrigin: string | undefined
}

/** Compares a proof with what step 8 expected. Verifies no signature. */
export async function compareProof(reason: Reason, compared: ComparedProof): Promise<Comparison> {
  const { received, jkt, apiOrigin } = compared
  const { request } = received
  const text = request.headers.get('dpop')
  if (text === null) return { expected: `a proof by the key ${jkt}`, actual: null }
  if (text.includes(',')) return { expected: 'one proof', actual: 'several proofs' }
  const target = apiOrigin === undefined ? undefined : resolveTarget(apiOrigin, request.url)
  if (target === undefined) return { expected: 'the URL of this API', actual: null }
  const decoded = decodeProof(text)
  if (decoded === undefined) {
    return {
      expected: 'a JWT in base64url with a header and claims',
      actual: `a text of ${text.length} characters`,
    }
  }
  const [header, claims] = decoded
  const parsed = parseProofHeader(header)
  if (!parsed.ok) {
    return {
      expected: 'typ dpop+jwt, alg ES256 or EdDSA, and a public jwk of that algorithm',
      actual: `typ ${nameOf(header.typ)}, alg ${nameOf(header.alg)}, jwk ${kindOf(header.jwk)}`,
    }
  }
  const thumbprint = await calculateJwkThumbprint(parsed.value.jwk)
  if (thumbprint !== jkt) return { expected: `the key ${jkt}`, actual: `the key ${thumbprint}` }
  if (reason.detail === WRONG_SIGNATURE)
    return {
      expected: `a signature by the key ${jkt}`,
      actual: 'a signature by another key, or of another text',
    }
  return compareProofClaims(claims, request.method, target, compared)
}

function decodeProof(text: string): readonly [header: JsonObject, claims: JsonObject] | undefined {
  const [first, second] = findDots(text) ?? [0, 0]
  const header = decodeObject(text, 0, first)
  const claims = second === 0 ? undefined : decodeObject(text, first + 1, second)
  return header === undefined || claims === undefined ? undefined : [header, claims]
}

async function compareProofClaims(
  { htm, htu, iat, jti, ath }: JsonObject,
  method: string,
  target: string,
  { received: { now }, accessToken }: ComparedProof,
): Promise<Comparison> {
  if (htm !== method)
    return { expected: `htm ${method}`, actual: htm === undefined ? null : `htm ${nameOf(htm)}` }
  if (typeof htu !== 'string' || !isSameTarget(htu, target)) {
    return { expected: `htu ${target}`, actual: htu === undefined ? null : `htu ${describeTarget(htu)}` }
  }
  if (typeof iat !== 'number' || !(Math.abs(now - iat) <= PROOF_WINDOW_SECONDS)) {
    return {
      expected: `iat from ${describeSeconds(now - PROOF_WINDOW_SECONDS)} to ${describeSeconds(now + PROOF_WINDOW_SECONDS)}`,
      actual:
        iat === undefined ? null : `iat ${typeof iat === 'number' ? describeSeconds(iat) : kindOf(iat)}`,
    }
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    return {
      expected: `jti of 1 to ${MAX_JTI_LENGTH} characters`,
      actual: jti === undefined ? null : kindOf(jti),
    }
  }
  const hash = await hashText(accessToken)
  if (ath !== hash)
    return { expected: `ath ${hash}`, actual: ath === undefined ? null : `ath ${nameOf(ath)}` }
  return { expected: 'a proof that was not used before', actual: 'a used proof' }
}

/** The URL in a proof, without its query, which may hold a token. */
function describeTarget(htu: unknown): string {
  return (
    (typeof htu === 'string' ? normalizeTarget(htu) : undefined) ?? `${kindOf(htu)} that is no http(s) URL`
  )
}
