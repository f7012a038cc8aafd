// Judging one DPoP proof (RFC 9449 section 4.3): form, key, signature, claims, in this order. Not judged here: whether
// the proof was used before, see dpop.ts.

import { calculateJwkThumbprint } from 'jose'
import { LRUCache } from 'lru-cache'
import type { VerifyToken } from '../../claims/jws.ts'
import type { JsonObject } from '../../lib/json.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../../lib/result.ts'
import { decodeObject, findDots } from '../format.ts'
import type { JudgedKey } from '../keys/jwk.ts'
import type { ProofEngine } from './engine.ts'
import { judgeProofClaims, judgeProofHeader } from './proof.ts'

/** What a proof must be for. */
export interface ExpectedProof {
  readonly method: string
  /** URL of the request, absolute; its query and fragment do not count. */
  readonly htu: string
  /** The token that comes with it; undefined where there is none yet. */
  readonly accessToken: string | undefined
  /** RFC 7638 thumbprint of the key that must have signed it; undefined: any key. */
  readonly jkt: string | undefined
  /** Epoch seconds. */
  readonly now: number
}

/** A proof that is right. */
export interface Proof {
  /** RFC 7638 thumbprint of its key. */
  readonly jkt: string
  readonly jti: string
  /** Epoch seconds, fractions possible. */
  readonly iat: number
  /** SHA-256 of `jkt` and `jti` in base64url: the same for every text that this proof has, of 43 plain characters. */
  readonly id: string
}

/** Judges the text of a proof. The reason is one sentence; it never throws nor rejects. */
export type JudgeProof = (text: string, expected: ExpectedProof) => MaybePromise<Result<Proof, string>>

interface ProofKey {
  readonly jkt: string
  readonly verify: VerifyToken
}

/** Keys that are remembered, since importing one costs more than checking with it. */
const MAX_KEYS = 1000

const MALFORMED = fail('the proof is malformed')
const USELESS_KEY = fail('the key of the proof cannot be used')
const OTHER_KEY = fail('the proof was made with another key than the one that the token is bound to')
const BAD_SIGNATURE = fail('the signature of the proof is wrong')

/** A judge of proofs. It remembers the keys of proofs that were right: share it, and its memory, where you can. */
export function createProofJudge({ loadVerifier, digest }: ProofEngine): JudgeProof {
  /** By the header's text, which a client repeats with each proof, and in which the key is all that matters. */
  const known = new LRUCache<string, ProofKey>({ max: MAX_KEYS })

  async function loadKey({ jwk, alg }: Omit<JudgedKey, 'kid'>): Promise<Result<ProofKey, string>> {
    try {
      return ok({ jkt: await calculateJwkThumbprint(jwk), verify: await loadVerifier(jwk, alg) })
    } catch {
      return USELESS_KEY
    }
  }

  function findKey(headerText: string): MaybePromise<Result<ProofKey, string>> {
    const found = known.get(headerText)
    if (found !== undefined) return ok(found)
    const header = decodeObject(headerText, 0, headerText.length)
    if (header === undefined) return MALFORMED
    const judged = judgeProofHeader(header)
    return judged.ok ? loadKey(judged.value) : judged
  }

  function judgeClaims(
    payload: JsonObject,
    { jkt }: ProofKey,
    expected: ExpectedProof,
  ): MaybePromise<Result<Proof, string>> {
    const { accessToken } = expected
    const hashing = accessToken === undefined ? undefined : digest(accessToken)
    return after<string | undefined, Result<Proof, string>>(hashing, (ath) => {
      const judged = judgeProofClaims(payload, { ...expected, ath })
      if (!judged.ok) return judged
      const { jti, iat } = judged.value
      return after(digest(`${jkt} ${jti}`), (id) => ok({ jkt, jti, iat, id }))
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
      // Whose key it is costs nothing to tell, a signature does.
      if (expected.jkt !== undefined && key.jkt !== expected.jkt) return OTHER_KEY
      return after(key.verify(text), (isRight) => {
        if (!isRight) return BAD_SIGNATURE
        return after(judgeClaims(payload, key, expected), (judged) => {
          // Only now: strangers must not push out the keys of users.
          if (judged.ok) known.set(headerText, key)
          return judged
        })
      })
    })
  }
}
