// The bounds of a token against one request: time, origin, address, key, scope. Pure; `now` is an argument.
// Compares bytes: the issuer made every value canonical and browsers send them so.

import type { ClaimsSet, ParsedClaims } from './claims-set.ts'
import type { ClaimErrorCode } from './codes.ts'
import { containsAddress, type IpAddress } from './ip.ts'

/** The checks in the order in which they are made. */
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

/** One of {@link steps}. */
export type Step = (typeof steps)[number]

/** Why a request is refused. `detail` is one sentence for the caller and names no value that would pass. */
export interface Reason {
  readonly step: Step
  readonly code: ClaimErrorCode
  readonly detail: string
  /** Set once the token's claims are trusted and it is bound to a key: its challenge speaks of DPoP. */
  readonly isKeyBound?: true
  /** Seconds after which the same request may be right; on `rate_limited`. */
  readonly retryAfterSeconds?: number
}

/** Bounds that a token must carry. */
export type RequiredBound = 'origin' | 'ip' | 'key'

/** What a verifier demands of every token, beyond what the token itself is bound to. */
export interface Policy {
  readonly issuer: string
  /** One of these must be in `aud`. */
  readonly audience: readonly string[]
  /** Seconds of clock difference that are forgiven. */
  readonly clockTolerance: number
  readonly missingOrigin: 'reject' | 'allow'
  readonly require: readonly RequiredBound[]
  readonly scopes: readonly string[]
}

/** Steps 4: who issued it, for whom, and whether it is its time. `now` is epoch seconds, fractions welcome. */
export function enforceClaims(parsed: ParsedClaims, policy: Policy, now: number): Reason | undefined {
  const { claims } = parsed
  if (claims.iss !== policy.issuer)
    return refuse('claims', 'invalid_token', 'the token is from another issuer')
  if (!parsed.audience.some((audience) => policy.audience.includes(audience))) {
    return refuse('claims', 'invalid_token', 'the token is for another audience')
  }
  return enforceTime(claims, policy.clockTolerance, now)
}

/** The time bounds alone: judged again each time a known token comes. */
export function enforceTime(claims: ClaimsSet, tolerance: number, now: number): Reason | undefined {
  if (now >= claims.exp + tolerance) return refuse('claims', 'token_expired', 'the token has expired')
  if (claims.iat > now + tolerance || (claims.nbf !== undefined && claims.nbf > now + tolerance)) {
    return refuse('claims', 'invalid_token', 'the token is not valid yet')
  }
  return undefined
}

/**
 * Step 6. `origin` is the request's `Origin` header, or the API's own origin where the browser says
 * `Sec-Fetch-Site: same-origin`, or null.
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
  return origin === claims.origin
    ? undefined
    : refuse('origin', 'origin_mismatch', 'the token is bound to another origin')
}

/** Step 7. `address` is the resolved client address, undefined when there is none to be trusted. */
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

/** Step 9: every scope that the verifier asks for. */
export function enforceScope(parsed: ParsedClaims, policy: Policy): Reason | undefined {
  return policy.scopes.every((scope) => parsed.scopes.includes(scope))
    ? undefined
    : refuse('scope', 'insufficient_scope', 'the token lacks a scope that this request needs')
}

/** A reason. */
export function refuse(step: Step, code: ClaimErrorCode, detail: string): Reason {
  return { step, code, detail }
}

/** The same reason, telling that the token is bound to a key where it is. */
export function markKeyBound(reason: Reason, claims: ClaimsSet): Reason {
  return claims.cnf === undefined ? reason : { ...reason, isKeyBound: true }
}
