// The verdict on one request. The checks run in a fixed order, and the first that fails decides:
// extract -> format -> signature -> claims -> revocation -> origin -> address -> key -> scope
// A value that is ready is not awaited, so a remembered token is judged without a turn of the event loop.

import { type ClaimsSet, narrowScopes, type ParsedClaims } from '../claims/claims-set.ts'
import {
  enforceAddress,
  enforceOrigin,
  enforceScope,
  lackScope,
  markKeyBound,
  type Policy,
  type Reason,
  refuse,
} from '../claims/enforce.ts'
import type { IpAddress } from '../claims/ip.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { callSafely } from './options/callbacks.ts'
import { type TellFault, thrownBy } from './options/faults.ts'
import type { VerifierRules } from './options/options.ts'
import { extractToken, type PresentedToken, type RequestLike, type TokenSource } from './request/extract.ts'
import type { VerifiedClaims, VerifyTokenText } from './verify.ts'

/** The outcome for a request. `parsed` is present if the token's format, signature and claims are valid. */
export type Verdict =
  | { readonly outcome: 'allow'; readonly parsed: ParsedClaims; readonly presented: PresentedToken }
  /** A rule about origin, address, key or scope failed, and report mode does not enforce it. */
  | {
      readonly outcome: 'would_block'
      readonly parsed: ParsedClaims
      readonly reason: Reason
      readonly presented: PresentedToken
    }
  | Denial

/** The verdict on a request that must not pass. */
export interface Denial {
  readonly outcome: 'deny'
  readonly reason: Reason
  readonly parsed?: ParsedClaims
  /** Absent when the request has no token, has different tokens, or cannot be read. */
  readonly presented?: PresentedToken
}

/** A request with the client's address and the time, which are not part of it. */
export interface ReceivedRequest {
  readonly request: RequestLike
  /** The client's address after forwarded headers were resolved; undefined when it is not known. */
  readonly address: IpAddress | undefined
  /** The time at which the request is judged, in epoch seconds. */
  readonly now: number
  /** The request object that the API has, if its framework has one of its own. Its id goes into messages about it. */
  readonly source?: object | undefined
  /** Whether CORS allows the request's `Origin`; undefined when it allows all, or another program does CORS. */
  readonly isOriginAllowed?: boolean | undefined
}

/** Checks whether the client has the key that its token is bound to. Undefined when it has, or when it needs none. */
export type EnforceKey = (
  received: ReceivedRequest,
  presented: PresentedToken,
  claims: ClaimsSet,
) => MaybePromise<Reason | undefined>

/** The scopes that a credential holds now, if it has lost scopes since the token was issued. */
export interface HeldScopes {
  readonly heldScopes: readonly string[]
}

/** The rules of a verifier, and the functions that check what needs keys, a store or the network. */
export interface JudgeDeps {
  readonly policy: Policy
  readonly mode: 'enforce' | 'report'
  readonly sources: readonly TokenSource[]
  /** Origin of the API itself. Same-origin requests without an `Origin` header count as coming from it. */
  readonly apiOrigin: string | undefined
  readonly verifyToken: VerifyTokenText
  /**
   * Whether the token, its credential, its account or the key `kid` that signed it is revoked. If the token has scopes that
   * its credential has lost, the result is the scopes that the credential holds now; the lost ones no longer count.
   */
  readonly isRevoked: (
    claims: ClaimsSet,
    kid: string,
    received?: ReceivedRequest,
  ) => MaybePromise<boolean | 'unavailable' | HeldScopes>
  readonly enforceKey: EnforceKey
  /** Called for a request whose address its token does not allow. Must not throw. */
  readonly onWrongAddress?: (received: ReceivedRequest) => void
  readonly authorize: VerifierRules['authorize']
  /** Tells the developer of the API that `authorize` threw. Absent at the service, which has no such function. */
  readonly tellFault?: TellFault
}

/** {@link judgeRequest} with the rules of one verifier. */
export type Judge = (received: ReceivedRequest) => MaybePromise<Verdict>

/** Judges a request by these rules. Throws or rejects only when the request or a function of `deps` does. */
export function judgeRequest(deps: JudgeDeps, received: ReceivedRequest): MaybePromise<Verdict> {
  const extracted = extractToken(received.request, deps.sources)
  if (!extracted.ok) return { outcome: 'deny', reason: extracted.reason }
  const presented = extracted.value
  return after(
    deps.verifyToken(presented.token, received.now),
    (verified): MaybePromise<Verdict> =>
      verified.ok
        ? judgeVerified(deps, received, presented, verified.value)
        : { outcome: 'deny', reason: verified.reason, presented },
  )
}

/** Revocation, then the bindings and scopes of a token whose signature and claims are valid. */
function judgeVerified(
  deps: JudgeDeps,
  received: ReceivedRequest,
  presented: PresentedToken,
  verified: VerifiedClaims,
): MaybePromise<Verdict> {
  return after(deps.isRevoked(verified.claims, verified.kid, received), (revoked) => {
    const parsed = typeof revoked === 'object' ? narrowScopes(verified, revoked.heldScopes) : verified
    const deny = (reason: Reason): Denial => ({
      outcome: 'deny',
      reason: markKeyBound(reason, parsed.claims),
      parsed,
      presented,
    })
    if (revoked === 'unavailable') return deny(REVOCATION_UNKNOWN)
    if (revoked === true) return deny(REVOKED)
    return after(enforceBounds(deps, received, presented, parsed), (reason): Verdict => {
      if (reason === undefined) return { outcome: 'allow', parsed, presented }
      return deps.mode === 'report' ? { outcome: 'would_block', parsed, reason, presented } : deny(reason)
    })
  })
}

/** The checks that report mode does not enforce: origin, address, key, scope. */
function enforceBounds(
  deps: JudgeDeps,
  received: ReceivedRequest,
  presented: PresentedToken,
  parsed: ParsedClaims,
): MaybePromise<Reason | undefined> {
  const { policy, apiOrigin, authorize } = deps
  const { request } = received
  const { claims } = parsed
  const early =
    enforceOrigin(claims, policy, originOf(request, apiOrigin)) ??
    enforceCors(received) ??
    checkAddress(deps, received, parsed)
  if (early !== undefined) return early
  return after(deps.enforceKey(received, presented, claims), (unproven) => {
    const reason = unproven ?? enforceScope(parsed.scopes, policy.scopes)
    if (reason !== undefined || authorize === undefined) return reason
    return after(
      callSafely(
        () => authorize(claims, request),
        (thrown) => {
          deps.tellFault?.(thrownBy('authorize', thrown), received.source)
          return false
        },
      ),
      (isAllowed) => (isAllowed === true ? undefined : lackScope(NOT_AUTHORIZED, policy.scopes)),
    )
  })
}

function checkAddress(deps: JudgeDeps, received: ReceivedRequest, parsed: ParsedClaims): Reason | undefined {
  const reason = enforceAddress(parsed, deps.policy, received.address)
  if (reason !== undefined && parsed.ranges !== undefined) deps.onWrongAddress?.(received)
  return reason
}

/** Refuses a request of a page that could not read the answer: its origin is one that CORS does not allow. */
function enforceCors({ request, isOriginAllowed }: ReceivedRequest): Reason | undefined {
  return isOriginAllowed === false && request.headers.get('origin') !== null ? NOT_ALLOWED : undefined
}

const NOT_ALLOWED = refuse(
  'origin',
  'origin_not_allowed',
  'this API does not allow requests from pages of this origin: it is not among its allowedOrigins',
)
const REVOKED = refuse('revocation', 'token_revoked', 'the token, its credential or its account was revoked')
const REVOCATION_UNKNOWN = refuse(
  'revocation',
  'unavailable',
  'the revocation status of the token cannot be determined now',
)
const NOT_AUTHORIZED = 'the token does not authorize this request'

/**
 * The origin that a request comes from (Fetch section 3.2), or null when the client does not send one. Browsers send a
 * same-origin GET without `Origin` but with `Sec-Fetch-Site`, which scripts of a page cannot set.
 */
export function originOf({ headers }: RequestLike, apiOrigin: string | undefined): string | null {
  const origin = headers.get('origin')
  if (origin !== null || apiOrigin === undefined) return origin
  return headers.get('sec-fetch-site') === 'same-origin' ? apiOrigin : null
}
