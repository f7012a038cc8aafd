// The last steps that all issuing endpoints share: from an admitted credential and the requested bounds to a signed
// token. Independent of the dialect.

import { MIN_LIFETIME_SECONDS, secondsLeft } from '../claims/lifetime.ts'
import type { HeaderRecord } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { after, fail, ok, type Result } from '../lib/result.ts'
import type { Admission } from './admission.ts'
import type { Door } from './browser.ts'
import {
  authorizeGrant,
  type IssuedToken,
  type IssueToken,
  type PolicyFault,
  type TokenRequest,
} from './issue.ts'
import type { SignCurrent } from './sign-current.ts'

/** A token on its way out. */
export interface Minted {
  readonly issued: IssuedToken
  /** What tells where the credential stands with its limit; empty where there is none. */
  readonly headers: HeaderRecord
}

/**
 * Policy (origin, then scope), then the signature; the first that fails is the reason. `alsoAllowed`: origin patterns
 * in addition to those that the account lists.
 */
export type Mint = (
  admission: Admission,
  request: TokenRequest,
  alsoAllowed?: readonly string[],
) => Promise<Result<Minted, Problem>>

/** What minting needs. */
export interface MintDeps {
  readonly issueToken: IssueToken
  readonly signCurrent: SignCurrent
  /** Told of each token that was issued. */
  readonly countIssued: (door: Door) => void
}

const POLICY_PROBLEMS: Readonly<Record<PolicyFault, Problem>> = {
  origin_missing: {
    code: 'invalid_request',
    status: 422,
    detail: 'this account gets no token that is not bound to an origin',
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

/** Minting at one endpoint. */
export function createMint({ issueToken, signCurrent, countIssued }: MintDeps, door: Door): Mint {
  return async ({ found, headers, unauthorized }, request, alsoAllowed) => {
    const grant = authorizeGrant(found, request, alsoAllowed)
    if (!grant.ok) return fail(POLICY_PROBLEMS[grant.reason])
    // `now` is the time of the signature: nothing is awaited between reading the clock and signing.
    const issued = await signCurrent(found, (now) => {
      const left = secondsLeft(found.credential.expiresAt, now)
      if (left < MIN_LIFETIME_SECONDS) return fail(unauthorized)
      const lifetimeSeconds = Math.min(grant.value.lifetimeSeconds, left)
      return after(issueToken({ ...grant.value, lifetimeSeconds }, now), ok)
    })
    if (!issued.ok) return issued
    countIssued(door)
    return ok({ issued: issued.value, headers })
  }
}
