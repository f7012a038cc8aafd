// The claim on the wire: its parameters and its answer. Every parameter is checked and all faults are reported together.
// A bound that is present but empty, or under a misspelt name, is a fault: it must never turn into "no bound".

import { readCanonicalOrigin, readIpTexts, readScopeText } from '../claims/input/caller-text.ts'
import {
  type LifetimeLimits,
  longestLifetime,
  MIN_LIFETIME_SECONDS,
  standardLifetime,
} from '../claims/lifetime.ts'
import { formatSecond } from '../http/context.ts'
import type { ParameterFault } from '../http/problem.ts'
import { isBase64urlOf32Bytes } from '../lib/base64url.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { IssuedToken, TokenRequest } from './issue.ts'
import type { Parameters } from './sources.ts'

const KNOWN = ['token', 'origin', 'ip', 'expiresIn', 'scope', 'jkt'] as const
const KNOWN_NAMES: ReadonlySet<string> = new Set(KNOWN)
/** The known names by their lower case, with which misspelt names are compared. */
const KNOWN_BY_LOWER_CASE: ReadonlyMap<string, string> = new Map(
  KNOWN.map((name) => [name.toLowerCase(), name]),
)

const ORIGIN_EXAMPLE = 'write the whole origin, like https://www.example.com'

/** The request that these parameters make, or every fault in them. A name that resembles no known one is ignored. */
export function parseClaimParameters(
  parameters: Parameters,
  limits: LifetimeLimits,
): Result<TokenRequest, readonly ParameterFault[]> {
  const faults: ParameterFault[] = []
  /** The value. On a fault, notes it and returns the fallback, so that the other parameters are checked too. */
  const take = <T>(parameter: string, result: Result<T, string>, fallback: T): T => {
    if (result.ok) return result.value
    faults.push({ parameter, message: result.reason })
    return fallback
  }
  const request: TokenRequest = {
    origin: take<string | undefined>('origin', readOrigin(parameters.get('origin')), undefined),
    ip: take('ip', readIp(parameters.get('ip')), []),
    lifetimeSeconds: take('expiresIn', readLifetime(parameters.get('expiresIn'), limits), 0),
    scopes: take('scope', readScope(parameters.get('scope')), []),
    jkt: take<string | undefined>('jkt', readThumbprint(parameters.get('jkt')), undefined),
  }
  for (const name of parameters.keys()) {
    const meant = findNearMiss(name)
    if (meant !== undefined) faults.push({ parameter: meant.shown, message: `is written \`${meant.name}\`` })
  }
  return faults.length === 0 ? ok(request) : fail(faults)
}

/**
 * The known name that an unknown name probably means. `shown` is how the answer names the unknown one: a long name is not
 * shown, because it may contain anything. Undefined for a known name, and for one that resembles none.
 */
function findNearMiss(name: string): { readonly name: string; readonly shown: string } | undefined {
  if (KNOWN_NAMES.has(name)) return undefined
  const bracket = name.endsWith(']') ? name.indexOf('[') : -1
  const bare = bracket < 0 ? name : name.slice(0, bracket)
  const known = KNOWN_BY_LOWER_CASE.get(bare.toLowerCase().replace(/[_-]/g, ''))
  if (known === undefined) return undefined
  return { name: known, shown: bare.length < 32 ? bare + (bare === name ? '' : '[]') : known }
}

function readOrigin(value: unknown): Result<string, string> {
  if (value === undefined) return fail(`is required; ${ORIGIN_EXAMPLE}`)
  return typeof value === 'string' ? readCanonicalOrigin(value) : fail(`must be text; ${ORIGIN_EXAMPLE}`)
}

function readIp(value: unknown): Result<readonly string[], string> {
  if (value === undefined) return ok([])
  // `Parameters` always holds `ip` as a list.
  const entries = value as readonly unknown[]
  return entries.every((entry) => typeof entry === 'string')
    ? readIpTexts(entries)
    : fail('must be an address, a comma separated list, or an array of texts')
}

function readLifetime(value: unknown, limits: LifetimeLimits): Result<number, string> {
  if (value === undefined) return ok(standardLifetime(limits))
  const longest = longestLifetime(limits)
  const seconds = typeof value === 'string' && /^(?:0|[1-9]\d{0,9})$/.test(value) ? Number(value) : value
  return Number.isInteger(seconds) &&
    (seconds as number) >= MIN_LIFETIME_SECONDS &&
    (seconds as number) <= longest
    ? ok(seconds as number)
    : fail(`must be a whole number of seconds from ${MIN_LIFETIME_SECONDS} to ${longest}`)
}

function readScope(value: unknown): Result<readonly string[], string> {
  if (value === undefined) return ok([])
  return typeof value === 'string' ? readScopeText(value) : fail('must be text: scopes separated by spaces')
}

function readThumbprint(value: unknown): Result<string | undefined, string> {
  if (value === undefined || isBase64urlOf32Bytes(value)) return ok(value)
  return fail('must be the SHA-256 thumbprint of a key (RFC 7638): 43 base64url characters')
}

/** The JSON body of a 200. Members that the token does not have are left out. */
export function formatClaimAnswer({ token, claims }: IssuedToken): string {
  const expiresAt = formatSecond(claims.exp)
  return JSON.stringify({
    token,
    tokenType: claims.cnf === undefined ? 'Bearer' : 'DPoP',
    expiresIn: claims.exp - claims.iat,
    expiresAt,
    expiration: formatMinute(expiresAt),
    origin: claims.origin,
    ip: claims.ip,
    scope: claims.scope,
  })
}

/** ISO 8601 as `MM-DD-YYYY HH:MM`, UTC: what Trefle's clients parse. */
function formatMinute(iso: string): string {
  return `${iso.slice(5, 10)}-${iso.slice(0, 4)} ${iso.slice(11, 16)}`
}
