// Verifies one DPoP proof (RFC 9449 section 4.3): format, key, signature and claims, in this order. Does not check whether
// the proof was used before; see use-proof.ts.

import { calculateJwkThumbprint } from 'jose'
import { LRUCache } from 'lru-cache'
import type { VerifyToken } from '../../claims/jws.ts'
import type { JsonObject } from '../../lib/json.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../../lib/result.ts'
import { decodeObject, findDots } from '../format.ts'
import type { UsableJwk } from '../keys/jwk.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import type { HashText } from '../runtime/sha256.ts'
import { checkProofClaims, parseProofHeader } from './proof.ts'

/** The request that a proof must have been made for. */
export interface ExpectedProof {
  readonly method: string
  /** Absolute URL of the request; its query and fragment are ignored. */
  readonly htu: string
  /** The access token of the same request; undefined at the token endpoint, and then `ath` is not checked. */
  readonly accessToken: string | undefined
  /** RFC 7638 thumbprint of the key that must have signed the proof; undefined: any key. */
  readonly jkt: string | undefined
  /** The time of the request, epoch seconds. */
  readonly now: number
}

/** What a verified proof contains, and the ids derived from it. */
export interface Proof {
  /** RFC 7638 thumbprint of the key that signed it. */
  readonly jkt: string
  readonly jti: string
  /** Epoch seconds, possibly with a fraction. */
  readonly iat: number
  /**
   * Key for a replay store: SHA-256 of `jkt` and `jti`, 43 base64url characters. ES256 signatures are malleable, so one proof
   * can have two valid texts; both have the same id.
   */
  readonly id: string
}

/** Verifies the text of a proof. The reason of a failure is one sentence. Never throws or rejects. */
export type VerifyProof = (text: string, expected: ExpectedProof) => MaybePromise<Result<Proof, string>>

/** The runtime's cryptography: signatures, and SHA-256 of a text. */
export interface ProofCrypto {
  readonly loadVerifier: LoadVerifier
  readonly hashText: HashText
}

interface ProofKey {
  readonly jkt: string
  readonly verify: VerifyToken
}

/** How many imported keys are cached. Importing a key costs more than verifying with it. */
const MAX_KEYS = 1000

const MALFORMED = fail('the proof is malformed')
const UNUSABLE_KEY = fail('the key of the proof cannot be used')
const OTHER_KEY = fail('the proof was made with another key than the one that the token is bound to')
/** The reason of a proof with a wrong signature. */
export const WRONG_SIGNATURE = 'the signature of the proof is wrong'
const BAD_SIGNATURE = fail(WRONG_SIGNATURE)

/** Creates a verifier of proofs with its own cache of keys. Create one for each process, so that all requests share it. */
export function createProofVerifier({ loadVerifier, hashText }: ProofCrypto): VerifyProof {
  /**
   * Keys by the encoded header, because most clients send the same header with every proof. If a client varies the header of
   * its key, each text takes up one entry.
   */
  const cache = new LRUCache<string, ProofKey>({ max: MAX_KEYS })

  async function loadKey({ jwk, alg }: Omit<UsableJwk, 'kid'>): Promise<Result<ProofKey, string>> {
    try {
      return ok({ jkt: await calculateJwkThumbprint(jwk), verify: await loadVerifier(jwk, alg) })
    } catch {
      return UNUSABLE_KEY
    }
  }

  function findKey(headerText: string): MaybePromise<Result<ProofKey, string>> {
    const cached = cache.get(headerText)
    if (cached !== undefined) return ok(cached)
    const header = decodeObject(headerText, 0, headerText.length)
    if (header === undefined) return MALFORMED
    const parsed = parseProofHeader(header)
    return parsed.ok ? loadKey(parsed.value) : parsed
  }

  function checkClaims(
    payload: JsonObject,
    { jkt }: ProofKey,
    { method, htu, now, accessToken }: ExpectedProof,
  ): MaybePromise<Result<Proof, string>> {
    const hashing = accessToken === undefined ? undefined : hashText(accessToken)
    return after<string | undefined, Result<Proof, string>>(hashing, (ath) => {
      const checked = checkProofClaims(payload, { method, htu, now, ath })
      if (!checked.ok) return checked
      const { jti, iat } = checked.value
      return after(hashText(`${jkt} ${jti}`), (id) => ok({ jkt, jti, iat, id }))
    })
  }

  return (text, expected) => {
    const dots = findDots(text)
    if (dots === undefined) return MALFORMED
    const [first, second] = dots
    const payload = decodeObject(text, first + 1, second)
    if (payload === undefined) return MALFORMED
    const headerText = text.slice(0, first)
    return after(findKey(headerText), (found) => {
      if (!found.ok) return found
      const key = found.value
      // Compared before the signature is verified, because comparing thumbprints is cheap.
      if (expected.jkt !== undefined && key.jkt !== expected.jkt) return OTHER_KEY
      return after(key.verify(text), (isValid) => {
        if (!isValid) return BAD_SIGNATURE
        return after(checkClaims(payload, key, expected), (checked) => {
          // A proof that is not valid is not cached, so it evicts no other key. Valid proofs with many keys or headers do.
          // An evicted key is imported again with its next proof.
          if (checked.ok) cache.set(headerText, key)
          return checked
        })
      })
    })
  }
}
