// The whole verdict on a request, step by step in the fixed order:
// extract -> format -> signature -> claims -> revocation -> origin -> address -> key -> scope

import type { ClaimsSet, ParsedClaims } from '../claims/claims-set.ts'
import {
  enforceAddress,
  enforceOrigin,
  enforceScope,
  markKeyBound,
  type Policy,
  type Reason,
  refuse,
} from '../claims/enforce.ts'
import type { IpAddress } from '../claims/ip.ts'
import { fail, type MaybePromise, ok, type Result } from '../claims/result.ts'
import { extractToken, type PresentedToken, type RequestLike, type TokenSource } from './extract.ts'
import type { Verified, VerifyTokenText } from './verify.ts'

/** The token's claims, or the first rule that failed. `presented` is known once a token was found. */
export interface Verdict {
  readonly result: Result<ParsedClaims, Reason>
  readonly presented: PresentedToken | undefined
}

/** What judging needs. */
export interface JudgeDeps {
  readonly policy: Policy
  readonly sources: readonly TokenSource[]
  /** Origin of the API itself: what a same-origin request without `Origin` counts as. */
  readonly apiOrigin: string | undefined
  readonly verifyToken: VerifyTokenText
  /** Whether the token, its credential or its account was ended. */
  readonly isRevoked: (claims: ClaimsSet) => MaybePromise<boolean>
}

/** Judges a request. `address` is the client's, resolved; `now` is epoch seconds. */
export type Judge = (
  request: RequestLike,
  address: IpAddress | undefined,
  now: number,
) => MaybePromise<Verdict>

/** A judge with these rules. */
export function createJudge(deps: JudgeDeps): Judge {
  const { policy } = deps

  function judgeBounds(
    request: RequestLike,
    address: IpAddress | undefined,
    presented: PresentedToken,
    parsed: ParsedClaims,
  ): Verified {
    const reason =
      enforceOrigin(parsed.claims, policy, requestOrigin(request, deps.apiOrigin)) ??
      enforceAddress(parsed, policy, address) ??
      enforceKey(parsed.claims, policy, presented) ??
      enforceScope(parsed, policy)
    return reason === undefined ? ok(parsed) : fail(markKeyBound(reason, parsed.claims))
  }

  function judgeVerified(
    request: RequestLike,
    address: IpAddress | undefined,
    presented: PresentedToken,
    verified: Verified,
  ): MaybePromise<Verdict> {
    if (!verified.ok) return { result: verified, presented }
    const { value } = verified
    const conclude = (revoked: boolean): Verdict => ({
      result: revoked
        ? fail(markKeyBound(REVOKED, value.claims))
        : judgeBounds(request, address, presented, value),
      presented,
    })
    const revoked = deps.isRevoked(verified.value.claims)
    return revoked instanceof Promise ? revoked.then(conclude) : conclude(revoked)
  }

  return (request, address, now) => {
    const extracted = extractToken(request, deps.sources)
    if (!extracted.ok) return { result: extracted, presented: undefined }
    const presented = extracted.value
    const verified = deps.verifyToken(presented.token, now)
    return verified instanceof Promise
      ? verified.then((ready) => judgeVerified(request, address, presented, ready))
      : judgeVerified(request, address, presented, verified)
  }
}

const REVOKED = refuse('revocation', 'token_revoked', 'the token, its credential or its account was ended')

/** The origin that a request comes from (Fetch section 3.2); null when the browser, or another client, tells none. */
function requestOrigin({ headers }: RequestLike, apiOrigin: string | undefined): string | null {
  const origin = headers.get('origin')
  if (origin !== null || apiOrigin === undefined) return origin
  return headers.get('sec-fetch-site') === 'same-origin' ? apiOrigin : null
}

/** Step 8 without a proof: a key-bound token needs one, and one that is bound to no key must not claim to be. */
function enforceKey(claims: ClaimsSet, policy: Policy, presented: PresentedToken): Reason | undefined {
  if (claims.cnf === undefined) {
    if (presented.scheme === 'dpop')
      return refuse('key', 'invalid_token', 'the token is bound to no key: present it as Bearer')
    return policy.require.includes('key')
      ? refuse('key', 'proof_required', 'the token is bound to no key, and one is required here')
      : undefined
  }
  if (presented.scheme !== 'dpop') {
    return refuse('key', 'proof_required', 'the token is bound to a key: present it as DPoP with a proof')
  }
  return refuse('key', 'invalid_proof', 'proofs are not accepted here')
}
