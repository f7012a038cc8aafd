// The rules that a token with a valid signature must meet: issuer, audience and times, and for one request its origin,
// client address and scopes. Values are compared as text, because both sides are canonical. Pure functions.

import type { ClaimsSet, ParsedClaims } from './claims-set.ts'
import type { ClaimErrorCode } from './codes.ts'
import { containsAddress, type IpAddress } from './ip.ts'

/** The checks of a request, in the order in which a verifier makes them. The first that fails decides. */
export const steps = [
  'extract',
  'format',
  'signature',
  'claims',
  'revocation',
  'origin',
  'address',
  'key',
  'scope',
] as const

/** The name of one check. */
export type Step = (typeof steps)[number]

/**
 * Why a request is refused. `detail` is one sentence for the caller, and never contains the value that would have
 * passed.
 */
export interface Reason {
  readonly step: Step
  readonly code: ClaimErrorCode
  readonly detail: string
  /** Present when the token is verified and bound to a key: the challenge is then for the DPoP scheme. */
  readonly isKeyBound?: true
  /** All scopes that the request needs, separated by spaces. Present on `insufficient_scope` when there are any. */
  readonly scope?: string
  /** Seconds after which the same request may pass. Present on `rate_limited`. */
  readonly retryAfterSeconds?: number
}

/** A binding that a verifier can require of every token: to an origin, to addresses, or to a key. */
export type RequiredBound = 'origin' | 'ip' | 'key'

/** The requirements of a verifier for every token, in addition to the token's own bindings. */
export interface Policy {
  readonly issuer: string
  /** The token's `aud` must contain one of these. */
  readonly audience: readonly string[]
  /** Allowed clock skew in seconds. */
  readonly clockTolerance: number
  /** Whether a request without an origin passes when the token is bound to one. */
  readonly missingOrigin: 'reject' | 'allow'
  readonly require: readonly RequiredBound[]
  /** A token must have all of these. */
  readonly scopes: readonly string[]
}

/**
 * Checks issuer, audience and times (RFC 7519 section 4.1), in this order: the step `claims`. `now` is epoch seconds, with
 * fractions. Returns undefined when all are right, otherwise the reason of the first that is not.
 */
export function enforceClaims(parsed: ParsedClaims, policy: Policy, now: number): Reason | undefined {
  const { claims } = parsed
  if (claims.iss !== policy.issuer)
    return refuse('claims', 'invalid_token', 'the token is from another issuer')
  if (!parsed.audience.some((audience) => policy.audience.includes(audience))) {
    return refuse('claims', 'invalid_token', 'the token is for another audience')
  }
  return enforceTime(claims, policy.clockTolerance, now)
}

/**
 * Checks only `exp`, `iat` and `nbf`. Needed each time a cached token is used. `tolerance` is the allowed clock skew in
 * seconds; `now` is epoch seconds. Returns undefined when all are right.
 */
export function enforceTime(claims: ClaimsSet, tolerance: number, now: number): Reason | undefined {
  if (now >= claims.exp + tolerance) return refuse('claims', 'token_expired', EXPIRED)
  if (claims.iat > now + tolerance || (claims.nbf !== undefined && claims.nbf > now + tolerance)) {
    return refuse('claims', 'invalid_token', `the token is not valid yet; ${WRONG_CLOCK}`)
  }
  return undefined
}

const WRONG_CLOCK = 'if it is new, a clock is wrong: that of the issuer or that of this server'
const EXPIRED = `the token has expired: get a new one; ${WRONG_CLOCK}`

/**
 * Checks that the request comes from the origin that the token is bound to. `origin` is the request's `Origin` header; the
 * API's own origin when there is no such header and `Sec-Fetch-Site` is `same-origin`; else null. Returns undefined when the
 * request passes. A token that is bound to no origin passes unless the policy requires one.
 */
export function enforceOrigin(claims: ClaimsSet, policy: Policy, origin: string | null): Reason | undefined {
  if (claims.origin === undefined) {
    return policy.require.includes('origin')
      ? refuse('origin', 'origin_required', 'the token is bound to no origin, and one is required here')
      : undefined
  }
  if (origin === null) {
    return policy.missingOrigin === 'allow'
      ? undefined
      : refuse('origin', 'origin_required', 'the token is bound to an origin, and the request has none')
  }
  return origin === claims.origin ? undefined : refuse('origin', 'origin_mismatch', ANOTHER_ORIGIN)
}

const ANOTHER_ORIGIN =
  'the token is bound to another origin: claim one for the origin of the page, with the same scheme, host and port'

/**
 * Checks that the client's address is one that the token is bound to. `address` is undefined when it is not known; a bound
 * token is then refused. Returns undefined when the request passes. A token that is bound to no address passes unless the
 * policy requires one.
 */
export function enforceAddress(
  parsed: ParsedClaims,
  policy: Policy,
  address: IpAddress | undefined,
): Reason | undefined {
  if (parsed.ranges === undefined) {
    return policy.require.includes('ip')
      ? refuse('address', 'ip_mismatch', 'the token is bound to no address, and one is required here')
      : undefined
  }
  if (address === undefined) {
    return refuse(
      'address',
      'ip_mismatch',
      "the client's address is not known, and the token is bound to one",
    )
  }
  return parsed.ranges.some((range) => containsAddress(range, address))
    ? undefined
    : refuse('address', 'ip_mismatch', 'the token is bound to another address')
}

/** Checks that the token has each of these scopes (RFC 6750 section 3.1). Undefined when it has; else names the missing. */
export function enforceScope(held: readonly string[], needed: readonly string[]): Reason | undefined {
  const missing = needed.filter((scope) => !held.includes(scope))
  if (missing.length === 0) return undefined
  const names = missing.length === 1 ? 'the scope' : 'the scopes'
  return lackScope(`the token lacks ${names} ${missing.join(' ')}`, needed)
}

/** The reason for a refusal that another token of the same user could avoid; `needed` are the scopes of the request. */
export function lackScope(detail: string, needed: readonly string[]): Reason {
  const reason = refuse('scope', 'insufficient_scope', detail)
  return needed.length === 0 ? reason : { ...reason, scope: needed.join(' ') }
}

/** The reason for a refusal at `step`. `detail` is one sentence for the caller. */
export function refuse(step: Step, code: ClaimErrorCode, detail: string): Reason {
  return { step, code, detail }
}

/** The reason, with `isKeyBound` set when the token is bound to a key. Only for the claims of a verified token. */
export function markKeyBound(reason: Reason, claims: ClaimsSet): Reason {
  return claims.cnf === undefined ? reason : { ...reason, isKeyBound: true }
}
