// How long a token may live.

/** Shortest lifetime that may be asked for, in seconds. */
export const MIN_LIFETIME_SECONDS = 10

/** Limits of a token's lifetime, in seconds. `accountMax` is null where the account sets none. */
export interface LifetimeLimits {
  readonly standard: number
  readonly serverMax: number
  readonly accountMax: number | null
}

/** Longest lifetime that may be asked for. */
export function longestLifetime(limits: LifetimeLimits): number {
  return limits.accountMax === null ? limits.serverMax : Math.min(limits.serverMax, limits.accountMax)
}

/** The lifetime of a token for which none was asked: the standard one, cut to what the account may have. */
export function standardLifetime(limits: LifetimeLimits): number {
  return Math.min(limits.standard, longestLifetime(limits))
}
