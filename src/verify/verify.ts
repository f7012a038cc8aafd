// Steps 2 to 4: from a text to claims that can be trusted. The signature is checked before any claim is judged;
// a token seen before skips to its time (its signature cannot change), everything else is judged every time.

import { LRUCache } from 'lru-cache'
import { type ParsedClaims, parseClaimsSet } from '../claims/claims-set.ts'
import {
  enforceClaims,
  enforceTime,
  markKeyBound,
  type Policy,
  type Reason,
  refuse,
} from '../claims/enforce.ts'
import type { VerificationKey } from '../claims/jws.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../lib/result.ts'
import { type DecodedToken, decodeToken } from './format.ts'
import type { KeySource } from './keys/source.ts'

/** Claims that can be trusted. */
export interface VerifiedClaims extends ParsedClaims {
  /** Id of the key that signed the token; empty for a shared secret that has none, whatever the token's header says. */
  readonly kid: string
}

/** Claims that can be trusted, or why not. */
export type Verified = Result<VerifiedClaims, Reason>

/** Verifies a token's text at `now` (epoch seconds). Ready at once where keys and crypto are. */
export type VerifyTokenText = (token: string, now: number) => MaybePromise<Verified>

interface KnownToken {
  readonly parsed: VerifiedClaims
  readonly key: VerificationKey
}

/** One sentence for whatever is wrong with form, key or signature: a forger learns nothing. */
const NOT_OURS = 'the token is malformed or was not signed by this issuer'
const BAD_FORM: Verified = fail(refuse('format', 'invalid_token', NOT_OURS))
const BAD_SIGNATURE: Verified = fail(refuse('signature', 'invalid_token', NOT_OURS))

const NO_KEYS: Verified = fail(
  refuse('signature', 'unavailable', "the issuer's keys cannot be had at the moment"),
)

/** A verifier of token texts. `max` tokens are remembered; 0: none. */
export function createVerifyToken(keys: KeySource, policy: Policy, max: number): VerifyTokenText {
  const known = max > 0 ? new LRUCache<string, KnownToken>({ max }) : undefined

  function accept(token: string, decoded: DecodedToken, key: VerificationKey, now: number): Verified {
    const parsed = parseClaimsSet(decoded.payload)
    if (!parsed.ok)
      return fail(refuse('claims', 'invalid_token', 'the token lacks a claim or holds one of a wrong shape'))
    const reason = enforceClaims(parsed.value, policy, now)
    if (reason !== undefined) return fail(markKeyBound(reason, parsed.value.claims))
    const verified = { ...parsed.value, kid: key.kid }
    known?.set(token, { parsed: verified, key })
    return ok(verified)
  }

  function checkSignature(
    token: string,
    decoded: DecodedToken,
    key: VerificationKey | undefined,
    now: number,
  ): MaybePromise<Verified> {
    if (key === undefined || key.alg !== decoded.alg) return BAD_FORM
    return after(key.verify(token), (isRight) =>
      isRight ? after(keys.used?.(key.kid), () => accept(token, decoded, key, now)) : BAD_SIGNATURE,
    )
  }

  function judge(token: string, now: number): MaybePromise<Verified> {
    const entry = known?.get(token)
    // A token leaves the cache with its key: what the issuer withdrew must not live on here.
    if (entry !== undefined && keys.get(entry.key.kid) === entry.key) {
      const reason = enforceTime(entry.parsed.claims, policy.clockTolerance, now)
      return reason === undefined ? ok(entry.parsed) : fail(markKeyBound(reason, entry.parsed.claims))
    }
    const decoded = decodeToken(token)
    if (decoded === undefined) return BAD_FORM
    const key = keys.get(decoded.kid)
    if (key === undefined && keys.load !== undefined) {
      return keys
        .load(decoded.kid)
        .then((loaded) => (loaded === 'unavailable' ? NO_KEYS : checkSignature(token, decoded, loaded, now)))
    }
    return checkSignature(token, decoded, key, now)
  }

  return (token, now) => {
    const renewing = keys.renew?.()
    return renewing instanceof Promise ? renewing.then(() => judge(token, now)) : judge(token, now)
  }
}
