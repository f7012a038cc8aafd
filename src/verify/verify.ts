// Format, signature and claims of a token. The signature is checked before any claim is looked at. A token that was
// verified before is remembered with its key: only its times are checked again, because its signature cannot change.

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
import { isAccountTokenShaped } from '../claims/records/account-token.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../lib/result.ts'
import { type DecodedToken, decodeToken } from './format.ts'
import type { KeySource } from './keys/source.ts'

/** Parsed claims of a token whose signature, issuer, audience and times are right. */
export interface VerifiedClaims extends ParsedClaims {
  /** Id of the key that signed the token; empty for a shared secret without `kid`, even if the token's header has one. */
  readonly kid: string
}

/**
 * Verifies the text of a token at `now`, epoch seconds. Synchronous when the key is in memory and its cryptography is
 * synchronous. Never rejects.
 */
export type VerifyTokenText = (token: string, now: number) => MaybePromise<Result<VerifiedClaims, Reason>>

type Verified = Result<VerifiedClaims, Reason>

interface KnownToken {
  readonly verified: VerifiedClaims
  readonly key: VerificationKey
}

/** One text for every fault of format, key or signature, so that a forger cannot find out which it was. */
const NOT_OURS = 'the token is malformed or was not signed by this issuer'
const BAD_FORM: Verified = fail(refuse('format', 'invalid_token', NOT_OURS))
const ACCOUNT_TOKEN: Verified = fail(
  refuse(
    'format',
    'invalid_token',
    'this is an account token, which must stay on a server: exchange it there for a browser token',
  ),
)
const BAD_SIGNATURE: Verified = fail(refuse('signature', 'invalid_token', NOT_OURS))
const NO_KEYS: Verified = fail(
  refuse('signature', 'unavailable', "the issuer's keys are not available at the moment"),
)
const BAD_CLAIMS: Verified = fail(
  refuse('claims', 'invalid_token', 'the token lacks a claim or has an invalid one'),
)

/**
 * Creates the function that verifies tokens with `keys` by `policy`. It remembers up to `cacheMax` valid tokens by their
 * whole text, and drops the least recently used first; 0 remembers none. Not checked: revocation, bindings and scopes.
 */
export function createVerifyToken(keys: KeySource, policy: Policy, cacheMax: number): VerifyTokenText {
  const known = cacheMax > 0 ? new LRUCache<string, KnownToken>({ max: cacheMax }) : undefined

  function checkClaims(token: string, decoded: DecodedToken, key: VerificationKey, now: number): Verified {
    const parsed = parseClaimsSet(decoded.payload)
    if (!parsed.ok) return BAD_CLAIMS
    const reason = enforceClaims(parsed.value, policy, now)
    if (reason !== undefined) return fail(markKeyBound(reason, parsed.value.claims))
    const verified = { ...parsed.value, kid: key.kid }
    known?.set(token, { verified, key })
    return ok(verified)
  }

  function checkSignature(
    token: string,
    decoded: DecodedToken,
    key: VerificationKey | undefined,
    now: number,
  ): MaybePromise<Verified> {
    if (key === undefined || key.alg !== decoded.alg) return BAD_FORM
    return after(key.verify(token), (isValid) =>
      isValid ? after(keys.used?.(key.kid), () => checkClaims(token, decoded, key, now)) : BAD_SIGNATURE,
    )
  }

  function verifyToken(token: string, now: number): MaybePromise<Verified> {
    const entry = known?.get(token)
    // A remembered token counts only while its key is in memory: the issuer may have withdrawn or replaced the key.
    if (entry !== undefined && keys.get(entry.key.kid) === entry.key) {
      const { verified } = entry
      const reason = enforceTime(verified.claims, policy.clockTolerance, now)
      return reason === undefined ? ok(verified) : fail(markKeyBound(reason, verified.claims))
    }
    const decoded = decodeToken(token)
    if (decoded === undefined) return isAccountTokenShaped(token) ? ACCOUNT_TOKEN : BAD_FORM
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
    return renewing instanceof Promise
      ? renewing.then(() => verifyToken(token, now))
      : verifyToken(token, now)
  }
}
