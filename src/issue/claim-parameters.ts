// The parameters of a claim: each value against its rule, all faults told at once. A bound that is present
// but empty, or under a misspelt name, is a fault: it must never turn into "no bound".

import { readIpTexts, readOriginText, readScopeText } from '../claims/caller-text.ts'
import {
  type LifetimeLimits,
  longestLifetime,
  MIN_LIFETIME_SECONDS,
  standardLifetime,
} from '../claims/lifetime.ts'
import type { ParameterFault } from '../http/problem.ts'
import { isSha256Digest } from '../lib/base64url.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { TokenRequest } from './issue.ts'
import type { Parameters } from './sources.ts'

const KNOWN = ['token', 'origin', 'ip', 'expiresIn', 'scope', 'jkt'] as const
const KNOWN_NAMES: ReadonlySet<string> = new Set(KNOWN)
const KNOWN_BY_SOUND: ReadonlyMap<string, string> = new Map(KNOWN.map((name) => [name.toLowerCase(), name]))

const ORIGIN_EXAMPLE = 'write the whole origin, like https://www.example.com'

/** The request that these parameters make, or every fault in them. */
export function parseClaimParameters(
  parameters: Parameters,
  limits: LifetimeLimits,
): Result<TokenRequest, readonly ParameterFault[]> {
  const faults: ParameterFault[] = []
  /** The value, or the fallback after noting the fault: parsing goes on, to tell all faults at once. */
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
    const meant = nearMiss(name)
    if (meant !== undefined) faults.push({ parameter: meant.shown, message: `is written \`${meant.name}\`` })
  }
  return faults.length === 0 ? ok(request) : fail(faults)
}

/** The known name that this one was probably meant to be, and the name as it may be shown. */
function nearMiss(name: string): { readonly name: string; readonly shown: string } | undefined {
  if (KNOWN_NAMES.has(name)) return undefined
  const bracket = name.endsWith(']') ? name.indexOf('[') : -1
  const bare = bracket < 0 ? name : name.slice(0, bracket)
  const known = KNOWN_BY_SOUND.get(bare.toLowerCase().replace(/[_-]/g, ''))
  if (known === undefined) return undefined
  return { name: known, shown: bare.length < 32 ? bare + (bare === name ? '' : '[]') : known }
}

function readOrigin(value: unknown): Result<string | undefined, string> {
  if (value === undefined) return fail(`is required; ${ORIGIN_EXAMPLE}`)
  if (typeof value !== 'string') return fail(`must be text; ${ORIGIN_EXAMPLE}`)
  const parsed = readOriginText(value)
  return parsed.ok ? ok(parsed.value.origin) : parsed
}

function readIp(value: unknown): Result<readonly string[], string> {
  if (value === undefined) return ok([])
  const entries = value as readonly unknown[]
  if (!entries.every((entry) => typeof entry === 'string')) {
    return fail('must be an address, a comma separated list, or an array of texts')
  }
  const ranges = readIpTexts(entries)
  return ranges.ok ? ok(ranges.value.map((range) => range.text)) : ranges
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
  if (value === undefined || isSha256Digest(value)) return ok(value)
  return fail('must be the SHA-256 thumbprint of a key (RFC 7638): 43 base64url characters')
}
