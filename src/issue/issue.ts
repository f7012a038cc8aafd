// From an authenticated request to a signed token: what the account allows, then the token. One for all dialects.

import type { CredentialWithAccount } from '../claims/account.ts'
import { buildClaimsSet, type ClaimsSet, type Grant, type TokenIssuer } from '../claims/claims-set.ts'
import type { SignToken } from '../claims/jws.ts'
import { type LifetimeLimits, secondsLeft } from '../claims/lifetime.ts'
import { matchOrigin } from '../claims/origin-pattern.ts'
import { grantScope, heldScopes } from '../claims/scope.ts'
import { randomBase62 } from '../lib/random.ts'
import { fail, type MaybePromise, ok, type Result } from '../lib/result.ts'

/** What a dialect has parsed: bounds in canonical form, every value within its limits. */
export interface TokenRequest {
  readonly origin: string | undefined
  readonly ip: readonly string[]
  readonly lifetimeSeconds: number
  /** Empty: all that the credential holds. */
  readonly scopes: readonly string[]
  readonly jkt: string | undefined
  /** Some of the service's audiences; absent: all. */
  readonly audience?: readonly string[]
}

/** Why policy says no. */
export type PolicyFault = 'origin_missing' | 'origin_not_allowed' | 'scope_not_allowed'

/**
 * The grant, or the first rule of the account that forbids it: origin, then scope. `alsoAllowed`: origin patterns
 * in addition to those that the account lists.
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

/**
 * What bounds the lifetime of a token at `now` (epoch milliseconds). `standard` and `serverMax` are seconds: the
 * lifetime where none is asked for, and the longest that the service gives.
 */
export function lifetimeLimits(
  { account, credential }: CredentialWithAccount,
  { standard, serverMax }: Pick<LifetimeLimits, 'standard' | 'serverMax'>,
  now: number,
): LifetimeLimits {
  const credentialLeft = secondsLeft(credential.expiresAt, now)
  return { standard, serverMax, accountMax: account.maxTtl, credentialLeft }
}

/** A token and what it says. */
export interface IssuedToken {
  readonly token: string
  readonly claims: ClaimsSet
}

/** Signs grants. `now` is epoch milliseconds; `iat` is its second. */
export type IssueToken = (grant: Grant, now: number) => MaybePromise<IssuedToken>

/** 16 base62 characters: 95 random bits. */
const JTI_LENGTH = 16

/** Issuing for this issuer with the key that signs at the moment. */
export function createIssueToken(by: TokenIssuer, currentSigner: () => SignToken): IssueToken {
  return (grant, now) => {
    const claims = buildClaimsSet(by, grant, Math.floor(now / 1000), randomBase62(JTI_LENGTH))
    const token = currentSigner()(JSON.stringify(claims))
    return token instanceof Promise ? token.then((ready) => ({ token: ready, claims })) : { token, claims }
  }
}
