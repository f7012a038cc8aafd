// Issues a token, in the same way for every endpoint: applies the account's policy, signs, and answers with 200. Each
// endpoint passes the request that it parsed and the format of its answer.

import { buildClaimsSet, type ClaimsSet, type Grant, type TokenIssuer } from '../claims/claims-set.ts'
import type { SignToken } from '../claims/jws.ts'
import { MIN_LIFETIME_SECONDS, secondsLeft } from '../claims/lifetime.ts'
import { matchOrigin } from '../claims/origin-pattern.ts'
import type { CredentialWithAccount } from '../claims/records/account.ts'
import { grantScope, heldScopes } from '../claims/scope.ts'
import { JSON_TYPE, type RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { randomBase62 } from '../lib/random.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../lib/result.ts'
import type { Admission } from './admission.ts'
import type { IssuingEndpoint } from './browser.ts'
import type { SignCurrent } from './sign-current.ts'

/** What a caller asks for, parsed: every value is canonical and within its limits. */
export interface TokenRequest {
  /** Origin that the token is bound to; undefined: none. */
  readonly origin: string | undefined
  /** Addresses and CIDRs that the token is bound to; empty: none. */
  readonly ip: readonly string[]
  readonly lifetimeSeconds: number
  /** Empty: every scope that the credential holds. */
  readonly scopes: readonly string[]
  /** Thumbprint of the key that the token is bound to; undefined: none. */
  readonly jkt: string | undefined
  /** Some of the service's audiences; absent: all. */
  readonly audience?: readonly string[]
}

/** A request for every scope of the credential, bound to `origin` or, without it, to nothing. */
export function requestEveryScope(lifetimeSeconds: number, origin?: string): TokenRequest {
  return { origin, ip: [], lifetimeSeconds, scopes: [], jkt: undefined }
}

/** Which rule of the account forbids a token. */
export type PolicyFault = 'origin_missing' | 'origin_not_allowed' | 'scope_not_allowed'

/**
 * The grant of a request, or the first rule that forbids it: origin, then scope. `alsoAllowed` are origin patterns in
 * addition to those of the account. Checks nothing else: parsing has checked the other values.
 */
export function authorizeGrant(
  { account, credential }: CredentialWithAccount,
  request: TokenRequest,
  alsoAllowed: readonly string[] = [],
): Result<Grant, PolicyFault> {
  const { origin, ip, lifetimeSeconds, jkt } = request
  if (origin === undefined && account.requireOrigin) return fail('origin_missing')
  const isAllowed =
    origin === undefined || matchOrigin(account.allowedOrigins, origin) || matchOrigin(alsoAllowed, origin)
  if (!isAllowed) return fail('origin_not_allowed')
  const scopes = grantScope(request.scopes, heldScopes(account.scopes, credential.scopes))
  if (scopes === undefined) return fail('scope_not_allowed')
  const { audience } = request
  const bounds = { lifetimeSeconds, scopes, origin, ip, jkt, ...(audience && { audience }) }
  return ok({ accountId: account.id, credentialId: credential.id, ...bounds })
}

/** A signed token and the claims in it. */
export interface IssuedToken {
  readonly token: string
  readonly claims: ClaimsSet
}

/** Signs the Claims Set of a grant. `now` is epoch milliseconds; `iat` is `now` rounded down to a second. */
export type SignGrant = (grant: Grant, now: number) => MaybePromise<IssuedToken>

/** 16 base62 characters: 95 random bits. */
const JTI_LENGTH = 16

/** Signs for this issuer with the key that `currentSigner` returns at the moment of each signature. */
export function createSignGrant(issuer: TokenIssuer, currentSigner: () => SignToken): SignGrant {
  return (grant, now) => {
    const claims = buildClaimsSet(issuer, grant, Math.floor(now / 1000), randomBase62(JTI_LENGTH))
    return after(currentSigner()(JSON.stringify(claims)), (token) => ({ token, claims }))
  }
}

/**
 * Issues a token and answers the request with it: 200 in the format of the endpoint. Otherwise answers with the first
 * refusal: 422 or 403 of policy (origin, then scope), 401 when the credential has less than 10 s left, 503 of
 * `SignCurrent`. `alsoAllowed` is as for {@link authorizeGrant}.
 */
export type Issue = (
  context: RequestContext,
  admission: Admission,
  request: TokenRequest,
  alsoAllowed?: readonly string[],
) => Promise<Response>

/** What all issuing endpoints share. */
export interface IssueDeps {
  readonly signGrant: SignGrant
  readonly signCurrent: SignCurrent
  /** Called once for each token that is issued. */
  readonly countIssued: (endpoint: IssuingEndpoint) => void
}

/** Creates the function that issues at one endpoint. `format` makes the JSON body of the 200. */
export function createIssue(
  { signGrant, signCurrent, countIssued }: IssueDeps,
  endpoint: IssuingEndpoint,
  format: (issued: IssuedToken) => string,
): Issue {
  return async (context, { found, headers, unauthorized }, request, alsoAllowed) => {
    const grant = authorizeGrant(found, request, alsoAllowed)
    if (!grant.ok) return context.refuse(POLICY_PROBLEMS[grant.reason])
    // `now` is the time of the signature: nothing is awaited between reading the clock and signing.
    const issued = await signCurrent(found, (now) => {
      const left = secondsLeft(found.credential.expiresAt, now)
      if (left < MIN_LIFETIME_SECONDS) return fail(unauthorized)
      const lifetimeSeconds = Math.min(grant.value.lifetimeSeconds, left)
      return after(signGrant({ ...grant.value, lifetimeSeconds }, now), ok)
    })
    if (!issued.ok) return context.refuse(issued.reason)
    countIssued(endpoint)
    return context.answer(200, format(issued.value), { ...JSON_TYPE, ...headers })
  }
}

const POLICY_PROBLEMS: Readonly<Record<PolicyFault, Problem>> = {
  origin_missing: {
    code: 'invalid_request',
    status: 422,
    detail: 'every token of this account must be bound to an origin',
    errors: [{ parameter: 'origin', message: 'is required for this account' }],
  },
  origin_not_allowed: {
    code: 'origin_not_allowed',
    detail: 'the account does not list this origin; add it to the allowed origins of the account',
  },
  scope_not_allowed: {
    code: 'scope_not_allowed',
    detail: 'the credential does not hold every scope that was asked for',
  },
}
