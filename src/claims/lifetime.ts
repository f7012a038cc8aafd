// How long a token may live.

import type { CredentialWithAccount } from './records/account.ts'

/** Shortest lifetime that may be asked for, in seconds. */
export const MIN_LIFETIME_SECONDS = 10

/** Limits of a token's lifetime, in seconds. */
export interface LifetimeLimits {
  readonly standard: number
  readonly serverMax: number
  /** Null where the account sets none. */
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

/** Longest lifetime that may be asked for. */
export function longestLifetime(limits: LifetimeLimits): number {
  const { serverMax, accountMax, credentialLeft } = limits
  return Math.min(serverMax, accountMax ?? serverMax, credentialLeft)
}

/** The lifetime of a token for which none was asked: the standard one, cut to what may be asked for. */
export function standardLifetime(limits: LifetimeLimits): number {
  return Math.min(limits.standard, longestLifetime(limits))
}

/**
 * The longest lifetime, in seconds, of a token issued at `now` that does not outlive `expiresAt` (both epoch
 * milliseconds; null: never). Infinity where nothing expires.
 */
export function secondsLeft(expiresAt: number | null, now: number): number {
  return expiresAt === null ? Number.POSITIVE_INFINITY : Math.floor(expiresAt / 1000) - Math.floor(now / 1000)
}
