// What every door to a token shares: from a proven credential and the bounds that were asked for to a signed token,
// and from a credential that was not accepted to its refusal. Knows no dialect.

import type { CredentialWithAccount } from '../claims/account.ts'
import { addressKey } from '../claims/ip.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import { limitHeader, overLimit, type RateLimiter } from '../http/limits.ts'
import type { Problem } from '../http/problem.ts'
import type { Door } from './browser.ts'
import { authorizeGrant, type IssuedToken, type IssueToken, type TokenRequest } from './issue.ts'
import type { SignCurrent } from './sign-current.ts'

/** A token on its way out. */
export interface Minted {
  readonly issued: IssuedToken
  /** What tells where the credential stands with its limit; empty where there is none. */
  readonly headers: HeaderRecord
}

/**
 * Policy (origin, then scope), limits, signature; the first that fails is the reason. `alsoAllowed`: origin patterns
 * beside those that the account lists.
 */
export type Mint = (
  found: CredentialWithAccount,
  request: TokenRequest,
  alsoAllowed?: readonly string[],
) => Promise<Result<Minted, Problem>>

/** What minting needs. */
export interface MintDeps {
  readonly issueToken: IssueToken
  /** Null: no limits. */
  readonly limiter: RateLimiter | null
  readonly signCurrent: SignCurrent
  /** Told of each token that was issued. */
  readonly countIssued: (door: Door) => void
}

const POLICY_DETAILS = {
  origin_not_allowed: 'the account does not list this origin; add it to the allowed origins of the account',
  scope_not_allowed: 'the credential does not hold every scope that was asked for',
} as const

/** Minting at one door. */
export function createMint({ issueToken, limiter, signCurrent, countIssued }: MintDeps, door: Door): Mint {
  return async (found, request, alsoAllowed) => {
    const grant = authorizeGrant(found, request, alsoAllowed)
    if (!grant.ok) return fail({ code: grant.reason, detail: POLICY_DETAILS[grant.reason] })
    const state = limiter === null ? undefined : await limiter.consume(`c:${found.credential.id}`)
    if (state !== undefined && limiter !== null && !state.allowed)
      return fail(overLimit(state, limiter.quota))
    const issued = await signCurrent(found, (now) => issueToken(grant.value, now))
    if (!issued.ok) return issued
    countIssued(door)
    return ok({ issued: issued.value, headers: state === undefined ? {} : limitHeader(state) })
  }
}

/**
 * The refusal of a caller whose credential was not accepted: `problem`, or 429 once its address has had too many
 * of them. A right credential never comes here.
 */
export type RefuseCaller = (context: RequestContext, problem: Problem) => Promise<Problem>

/** Refusing under these limits; null: none. */
export function createRefuseCaller(limiter: RateLimiter | null): RefuseCaller {
  return async ({ address }, problem) => {
    if (limiter === null) return problem
    const state = await limiter.consume(`a:${address === undefined ? 'unknown' : addressKey(address)}`)
    return state.allowed ? problem : overLimit(state, limiter.quota)
  }
}
