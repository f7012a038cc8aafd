// Lifetimes of tokens: the limits of service, account and credential.

import type { CredentialWithAccount } from './records/account.ts'

/** Shortest lifetime that a request may ask for, seconds. */
export const MIN_LIFETIME_SECONDS = 10

/** Limits of a token's lifetime, in seconds. */
export interface LifetimeLimits {
  /** Lifetime when the request names none. */
  readonly standard: number
  readonly serverMax: number
  /** Null when the account has no limit of its own. */
  readonly accountMax: number | null
  /** Seconds until the credential expires, see `secondsLeft`; Infinity when it does not. */
  readonly credentialLeft: number
}

/**
 * The limits of a token that is issued at `now` (epoch milliseconds). `tokenTtl` is the lifetime of a request that names
 * none, `maxTtl` the longest lifetime that the service allows, both in seconds.
 */
export function lifetimeLimits(
  { account, credential }: CredentialWithAccount,
  { tokenTtl, maxTtl }: { readonly tokenTtl: number; readonly maxTtl: number },
  now: number,
): LifetimeLimits {
  return {
    standard: tokenTtl,
    serverMax: maxTtl,
    accountMax: account.maxTtl,
    credentialLeft: secondsLeft(credential.expiresAt, now),
  }
}

/**
 * Longest lifetime that a request may ask for, seconds: the smallest of the three limits. Zero or negative when the
 * credential has expired.
 */
export function longestLifetime(limits: LifetimeLimits): number {
  const { serverMax, accountMax, credentialLeft } = limits
  return Math.min(serverMax, accountMax ?? serverMax, credentialLeft)
}

/** Lifetime, in seconds, of a token whose request names none: the standard one, or the longest allowed if shorter. */
export function standardLifetime(limits: LifetimeLimits): number {
  return Math.min(limits.standard, longestLifetime(limits))
}

/**
 * The longest lifetime, in whole seconds, of a token issued at `now` that expires no later than `expiresAt` (both epoch
 * milliseconds). Infinity when `expiresAt` is null; zero or negative when it has passed.
 */
export function secondsLeft(expiresAt: number | null, now: number): number {
  return expiresAt === null ? Number.POSITIVE_INFINITY : Math.floor(expiresAt / 1000) - Math.floor(now / 1000)
}
