// The Claims Set of a claim token (RFC 7519, RFC 9068): building it from a grant, and parsing it.
// Parsing is strict: a malformed binding is an error. It never counts as "not bound". A binding is a claim that restricts
// where a token works: `origin`, `ip` or `cnf`.

import { isBase64urlOf32Bytes } from '../lib/base64url.ts'
import { freezeDeep } from '../lib/freeze.ts'
import type { JsonObject } from '../lib/json.ts'
import { isJsonObject } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { type IpRange, parseIpRange } from './ip.ts'
import { parseOrigin } from './origin.ts'
import { parseScope } from './scope.ts'

/** Claims of a token under their wire names. Times are epoch seconds. */
export interface ClaimsSet {
  readonly iss: string
  readonly aud: string | readonly string[]
  /** Id of the account: the subject (RFC 7519 section 4.1.2). */
  readonly sub: string
  /** Id of the credential that the token was issued for (RFC 9068). */
  readonly client_id: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly nbf?: number
  /** Scopes, separated by spaces (RFC 8693 section 4.2). */
  readonly scope?: string
  /** Canonical origin that the token is bound to. */
  readonly origin?: string
  /** Canonical addresses or CIDRs that the token is bound to. */
  readonly ip?: string | readonly string[]
  /** RFC 7800 confirmation: the thumbprint of the key that the token is bound to. */
  readonly cnf?: { readonly jkt: string }
}

/** What is granted to an account: the parts of a token that depend on the request. */
export interface Grant {
  readonly accountId: string
  readonly credentialId: string
  readonly lifetimeSeconds: number
  readonly scopes: readonly string[]
  readonly origin: string | undefined
  /** Canonical, in the order asked; empty: not bound. */
  readonly ip: readonly string[]
  readonly jkt: string | undefined
  /** Some of the issuer's audiences; absent: all. */
  readonly audience?: readonly string[]
}

/** Issuer and audience, which are the same for every token of a service. */
export interface TokenIssuer {
  readonly issuer: string
  readonly audience: readonly string[]
}

/**
 * Builds the Claims Set of a grant. `issuedAt` is epoch seconds, an integer. An `aud` or `ip` of one entry is a string,
 * several are an array (RFC 7519 section 4.1.3). Bindings and scopes that the grant does not have are left out. Not checked:
 * the values of the grant.
 */
export function buildClaimsSet(by: TokenIssuer, grant: Grant, issuedAt: number, jti: string): ClaimsSet {
  return {
    iss: by.issuer,
    aud: oneOrMany(grant.audience ?? by.audience),
    sub: grant.accountId,
    client_id: grant.credentialId,
    jti,
    iat: issuedAt,
    exp: issuedAt + grant.lifetimeSeconds,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
    ...(grant.origin !== undefined && { origin: grant.origin }),
    ...(grant.ip.length > 0 && { ip: oneOrMany(grant.ip) }),
    ...(grant.jkt !== undefined && { cnf: { jkt: grant.jkt } }),
  }
}

function oneOrMany(values: readonly string[]): string | readonly string[] {
  const first = values[0]
  return values.length === 1 && first !== undefined ? first : values
}

/** A Claims Set with its lists parsed, so that the check of a request need not parse them again. */
export interface ParsedClaims {
  readonly claims: ClaimsSet
  readonly audience: readonly string[]
  /** The claim `ip`; undefined when the token is not bound to an address. */
  readonly ranges: readonly IpRange[] | undefined
  readonly scopes: readonly string[]
}

/**
 * Parses the payload of a token (RFC 7519 section 4.1, RFC 9068 section 2.2) and freezes it. Fails when a required claim is
 * missing, when a known claim is malformed or not canonical, and when `exp` is not after `iat`; the reason is the name of
 * the claim. Unknown claims are kept. Not checked: issuer, audience and times (see `enforceClaims`).
 */
export function parseClaimsSet(payload: JsonObject): Result<ParsedClaims, string> {
  for (const name of ['iss', 'sub', 'client_id', 'jti'] as const) {
    if (!isText(payload[name])) return fail(name)
  }
  const audience = textList(payload.aud)
  if (audience === undefined) return fail('aud')
  for (const name of ['iat', 'exp'] as const) {
    if (!isTime(payload[name])) return fail(name)
  }
  const { nbf, origin, ip, cnf, scope = '' } = payload
  if (nbf !== undefined && !isTime(nbf)) return fail('nbf')
  if ((payload.exp as number) <= (payload.iat as number)) return fail('exp')
  if (typeof scope !== 'string') return fail('scope')
  const scopes = parseScope(scope)
  if (!scopes.ok) return fail('scope')
  if (origin !== undefined && !isCanonicalOrigin(origin)) return fail('origin')
  const ranges = ip === undefined ? undefined : parseRanges(ip)
  if (ranges === null) return fail('ip')
  if (cnf !== undefined && !isConfirmation(cnf)) return fail('cnf')
  return ok({ claims: freezeDeep(payload) as unknown as ClaimsSet, audience, ranges, scopes: scopes.value })
}

/** A copy of the claims with only the scopes that are also in `held`; without a `scope` claim when none is left. */
export function narrowScopes(parsed: ParsedClaims, held: readonly string[]): ParsedClaims {
  const scopes = parsed.scopes.filter((scope) => held.includes(scope))
  const { scope: _, ...others } = parsed.claims
  const claims = scopes.length === 0 ? others : { ...others, scope: scopes.join(' ') }
  return {
    claims: Object.freeze(claims),
    audience: parsed.audience,
    ranges: parsed.ranges,
    scopes,
  }
}

/** Whether a value is a NumericDate (RFC 7519 section 2) that fits in a Date: finite, up to the year 275760. */
function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 8.64e12
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** A string or a non-empty array of strings, as a list. */
function textList(value: unknown): readonly string[] | undefined {
  const list = Array.isArray(value) ? value : [value]
  return list.length > 0 && list.every(isText) ? list : undefined
}

function isCanonicalOrigin(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const parsed = parseOrigin(value)
  return parsed.ok && parsed.value.origin === value
}

/** The ranges of an `ip` claim; null when it is malformed or not canonical. */
function parseRanges(value: unknown): readonly IpRange[] | null {
  const texts = textList(value)
  if (texts === undefined) return null
  const ranges: IpRange[] = []
  for (const text of texts) {
    const range = parseIpRange(text)
    if (!range.ok || range.value.text !== text) return null
    ranges.push(range.value)
  }
  return ranges
}

/** Whether `cnf` is an object with `jkt` only (RFC 9449 section 6.1): other confirmation methods cannot be enforced. */
function isConfirmation(value: unknown): boolean {
  return isJsonObject(value) && Object.keys(value).length === 1 && isBase64urlOf32Bytes(value.jkt)
}
