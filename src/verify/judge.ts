// The whole verdict on a request, step by step in the fixed order:
// extract -> format -> signature -> claims -> revocation -> origin -> address -> key -> scope
// What is ready is not awaited: a known token on a warm cache is judged without a turn of the event loop.

import { type ClaimsSet, narrowScopes, type ParsedClaims } from '../claims/claims-set.ts'
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
import { after, type MaybePromise } from '../lib/result.ts'
import { extractToken, type PresentedToken, type RequestLike, type TokenSource } from './extract.ts'
import type { Verified, VerifiedClaims, VerifyTokenText } from './verify.ts'

/** What becomes of a request: the first rule that failed, if any, and the claims once the token itself was right. */
export type Verdict =
  | { readonly outcome: 'allow'; readonly parsed: ParsedClaims }
  /** A bound says no, and report mode lets it pass. */
  | { readonly outcome: 'would_block'; readonly parsed: ParsedClaims; readonly reason: Reason }
  | Denial

/** A refusal. */
export interface Denial {
  readonly outcome: 'deny'
  readonly reason: Reason
  readonly parsed?: ParsedClaims
  /** Known once a token was found. */
  readonly presented?: PresentedToken
}

/** One request as it is judged. */
export interface Presented {
  readonly request: RequestLike
  /** The client's address, resolved; undefined when there is none to be trusted. */
  readonly address: IpAddress | undefined
  /** Epoch seconds. */
  readonly now: number
}

/** Step 8: undefined when the key is proven, or none is needed. */
export type EnforceKey = (
  presented: Presented,
  token: PresentedToken,
  claims: ClaimsSet,
) => MaybePromise<Reason | undefined>

/** Scopes that a credential holds at this moment. */
export interface HeldScopes {
  readonly heldScopes: readonly string[]
}

/** What judging needs. */
export interface JudgeDeps {
  readonly policy: Policy
  readonly mode: 'enforce' | 'report'
  readonly sources: readonly TokenSource[]
  /** Origin of the API itself: what a same-origin request without `Origin` counts as. */
  readonly apiOrigin: string | undefined
  readonly verifyToken: VerifyTokenText
  /**
   * Whether the token, its credential, its account or the key `kid` that signed it was ended. The scopes that its
   * credential holds now, instead of false, when the token has other scopes: those no longer count.
   */
  readonly isRevoked: (claims: ClaimsSet, kid: string) => MaybePromise<boolean | 'unavailable' | HeldScopes>
  readonly enforceKey: EnforceKey
  /** The API's own last word. */
  readonly authorize: ((claims: ClaimsSet, request: RequestLike) => MaybePromise<boolean>) | undefined
}

/** Judges a request. Never throws, and rejects only when a function it was given does. */
export type Judge = (presented: Presented) => MaybePromise<Verdict>

/** A judge with these rules. */
export function createJudge(deps: JudgeDeps): Judge {
  const { policy } = deps

  /** Steps 6 to 9. */
  function judgeBounds(
    presented: Presented,
    token: PresentedToken,
    parsed: ParsedClaims,
  ): MaybePromise<Reason | undefined> {
    const origin = requestOrigin(presented.request, deps.apiOrigin)
    const early =
      enforceOrigin(parsed.claims, policy, origin) ?? enforceAddress(parsed, policy, presented.address)
    if (early !== undefined) return early
    return after(
      deps.enforceKey(presented, token, parsed.claims),
      (reason) => reason ?? enforceScope(parsed, policy) ?? judgeAuthorize(presented, parsed.claims),
    )
  }

  function judgeAuthorize({ request }: Presented, claims: ClaimsSet): MaybePromise<Reason | undefined> {
    if (deps.authorize === undefined) return undefined
    return after(deps.authorize(claims, request), (isAllowed) =>
      isAllowed === true ? undefined : NOT_AUTHORIZED,
    )
  }

  /** Steps 5 to 9, for a token that is right in itself. */
  function judgeRight(
    presented: Presented,
    token: PresentedToken,
    verified: VerifiedClaims,
  ): MaybePromise<Verdict> {
    return after(deps.isRevoked(verified.claims, verified.kid), (revoked) => {
      const parsed = typeof revoked === 'object' ? narrowScopes(verified, revoked.heldScopes) : verified
      const deny = (reason: Reason): Denial => ({
        outcome: 'deny',
        reason: markKeyBound(reason, parsed.claims),
        parsed,
        presented: token,
      })
      if (revoked === 'unavailable') return deny(NO_REVOCATIONS)
      if (revoked === true) return deny(REVOKED)
      return after(judgeBounds(presented, token, parsed), (reason): Verdict => {
        if (reason === undefined) return { outcome: 'allow', parsed }
        return deps.mode === 'report' ? { outcome: 'would_block', parsed, reason } : deny(reason)
      })
    })
  }

  return (presented) => {
    const extracted = extractToken(presented.request, deps.sources)
    if (!extracted.ok) return { outcome: 'deny', reason: extracted.reason }
    const token = extracted.value
    return after(deps.verifyToken(token.token, presented.now), (verified: Verified) =>
      verified.ok
        ? judgeRight(presented, token, verified.value)
        : { outcome: 'deny', reason: verified.reason, presented: token },
    )
  }
}

const REVOKED = refuse('revocation', 'token_revoked', 'the token, its credential or its account was ended')
const NO_REVOCATIONS = refuse(
  'revocation',
  'unavailable',
  'whether the token was ended cannot be told at the moment',
)
const NOT_AUTHORIZED = refuse('scope', 'insufficient_scope', 'the token does not authorize this request')

/** The origin that a request comes from (Fetch section 3.2); null when the browser, or another client, tells none. */
function requestOrigin({ headers }: RequestLike, apiOrigin: string | undefined): string | null {
  const origin = headers.get('origin')
  if (origin !== null || apiOrigin === undefined) return origin
  return headers.get('sec-fetch-site') === 'same-origin' ? apiOrigin : null
}
