// Judging a verifier's options when it is made: in plain JavaScript a misspelt or misplaced one must not become a
// verifier that lets more through. Throws TypeError; its message names the option.

import { parseTrustedProxies, type TrustedProxies } from '../claims/client-ip.ts'
import type { Policy, RequiredBound } from '../claims/enforce.ts'
import { parseOrigin } from '../claims/origin.ts'
import { isSafeTransport, TRANSPORT_RULE } from '../claims/plain-http.ts'
import { isScopeToken, parseScope } from '../claims/scope.ts'
import type { TokenSource } from './extract.ts'
import type { VerifierOptions } from './options.ts'

const KNOWN: readonly string[] = [
  'issuer audience jwksUri jwks secret clockTolerance missingOrigin apiOrigin require mode trustedProxies',
  'forwardedHeader tokenSources scope authorize revocation replay cache onDecision allowInsecureIssuer',
].flatMap((names) => names.split(' '))

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']
const BOUNDS = ['origin', 'ip', 'key'] as const
/** A token without an origin passes only where the API says so. */
const DEFAULT_REQUIRE: readonly RequiredBound[] = ['origin']
const DEFAULT_SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token']
const DEFAULT_CACHE_MAX = 10_000
const MAX_CACHE = 10_000_000
const MAX_TOLERANCE = 300

/** Options with every default filled in. */
export interface CheckedOptions {
  readonly policy: Policy
  readonly mode: 'enforce' | 'report'
  readonly apiOrigin: string | undefined
  readonly trustedProxies: TrustedProxies
  readonly forwardedHeader: 'x-forwarded-for' | 'forwarded'
  readonly sources: readonly TokenSource[]
  /** 0: none. */
  readonly cacheMax: number
}

/** The options, checked; `more` are names that the caller's own middleware knows. */
export function checkOptions(options: VerifierOptions, more: readonly string[] = []): CheckedOptions {
  checkKnown(options, [...KNOWN, ...more])
  const given = ['jwksUri', 'jwks', 'secret'].filter((name) => Reflect.get(options, name) !== undefined)
  if (given.length !== 1) throw new TypeError('give exactly one of jwksUri, jwks and secret')
  checkFunctions(options)
  const policy = checkPolicy(options)
  const { mode = 'enforce', forwardedHeader = 'x-forwarded-for', tokenSources = DEFAULT_SOURCES } = options
  const apiOrigin = options.apiOrigin === undefined ? undefined : checkOrigin(options.apiOrigin)
  if (policy.require.includes('key') && apiOrigin === undefined) {
    throw new TypeError('apiOrigin: is needed with require: ["key"], since proofs name the URL they are for')
  }
  return {
    policy,
    mode: oneOf('mode', mode, ['enforce', 'report']),
    apiOrigin,
    trustedProxies: checkProxies(options.trustedProxies),
    forwardedHeader: oneOf('forwardedHeader', forwardedHeader, ['x-forwarded-for', 'forwarded']),
    sources: someOf('tokenSources', tokenSources, SOURCES, 1),
    cacheMax: checkCache(options.cache),
  }
}

function checkPolicy(options: VerifierOptions): Policy {
  const {
    issuer,
    audience,
    clockTolerance = 5,
    missingOrigin = 'reject',
    require = DEFAULT_REQUIRE,
  } = options
  if (typeof issuer !== 'string' || issuer === '')
    throw new TypeError("issuer: must be the text of the tokens' iss")
  const audiences = Array.isArray(audience) ? [...audience] : [audience]
  if (!isTextList(audiences) || audiences.length === 0 || audiences.includes('')) {
    throw new TypeError("audience: must be a text, or a list of texts, of the tokens' aud")
  }
  if (!isWithin(clockTolerance, 0, MAX_TOLERANCE)) {
    throw new TypeError(`clockTolerance: must be seconds from 0 to ${MAX_TOLERANCE}`)
  }
  return {
    issuer,
    audience: audiences,
    clockTolerance,
    missingOrigin: oneOf('missingOrigin', missingOrigin, ['reject', 'allow']),
    require: someOf('require', require, BOUNDS, 0),
    scopes: checkScopes(options.scope),
  }
}

function checkScopes(scope: unknown = []): readonly string[] {
  if (isTextList(scope) && scope.every(isScopeToken)) return [...scope]
  const scopes = typeof scope === 'string' ? parseScope(scope) : undefined
  if (!scopes?.ok) throw new TypeError('scope: must be scopes in a list, or in a text separated by spaces')
  return scopes.value
}

function checkOrigin(value: unknown): string {
  const parsed = typeof value === 'string' ? parseOrigin(value) : undefined
  if (
    !parsed?.ok ||
    parsed.value.kind !== 'web' ||
    new URL(value as string).href !== `${parsed.value.origin}/`
  ) {
    throw new TypeError('apiOrigin: must be an origin like https://api.example.com')
  }
  return parsed.value.origin
}

function checkProxies(value: VerifierOptions['trustedProxies']): TrustedProxies {
  if (value === undefined) return { kind: 'none' }
  const text = Array.isArray(value) ? value.join(',') : String(value)
  if (Array.isArray(value)) {
    if (value.length === 0) return { kind: 'none' }
    // A number alone is a hop count; in a list it could only be a slip.
    if (value.some((one) => /^\d+$/.test(one))) throw new TypeError('trustedProxies: a list holds addresses')
  }
  const parsed = parseTrustedProxies(text)
  if (!parsed.ok) throw new TypeError(`trustedProxies: ${parsed.reason}`)
  return parsed.value
}

function checkCache(cache: VerifierOptions['cache'] = { max: DEFAULT_CACHE_MAX }): number {
  if (cache === false) return 0
  if (
    typeof cache === 'object' &&
    cache !== null &&
    Number.isSafeInteger(cache.max) &&
    cache.max > 0 &&
    cache.max <= MAX_CACHE
  )
    return cache.max
  throw new TypeError('cache: must be false or { max: a whole number from 1 to 10 000 000 }')
}

function checkFunctions(options: VerifierOptions): void {
  const { authorize, revocation, replay, onDecision, allowInsecureIssuer = false } = options
  if (typeof allowInsecureIssuer !== 'boolean') {
    throw new TypeError('allowInsecureIssuer: must be true or false')
  }
  if (authorize !== undefined && typeof authorize !== 'function')
    throw new TypeError('authorize: must be a function')
  if (onDecision !== undefined && typeof onDecision !== 'function') {
    throw new TypeError('onDecision: must be a function')
  }
  if (replay !== undefined && typeof replay?.seen !== 'function') {
    throw new TypeError('replay: must be an object with a function seen(key, expiresAt)')
  }
  if (revocation === undefined || typeof revocation === 'function') return
  if (typeof revocation !== 'object' || revocation === null) {
    throw new TypeError('revocation: must be a function or { url }')
  }
  checkKnown(revocation, ['url', 'refreshSeconds', 'maxStaleSeconds', 'onStale'], 'revocation.')
  checkUrl('revocation.url', revocation.url, allowInsecureIssuer)
  const { refreshSeconds = 2, maxStaleSeconds = 60, onStale = 'accept' } = revocation
  if (!isWithin(refreshSeconds, Number.MIN_VALUE, Number.MAX_VALUE)) {
    throw new TypeError('revocation.refreshSeconds: must be above 0')
  }
  if (!isWithin(maxStaleSeconds, refreshSeconds, Number.POSITIVE_INFINITY)) {
    throw new TypeError('revocation.maxStaleSeconds: must not be below refreshSeconds')
  }
  oneOf('revocation.onStale', onStale, ['accept', 'refuse'])
}

/** A URL that keys or revocations may be fetched from. */
export function checkUrl(name: string, value: unknown, allowInsecure = false): string {
  const url = typeof value === 'string' ? URL.parse(value) : null
  if (url === null || !isSafeTransport(url, allowInsecure)) throw new TypeError(`${name}: ${TRANSPORT_RULE}`)
  if (url.username + url.password !== '') {
    throw new TypeError(`${name}: must be a URL without user name and password`)
  }
  return url.href
}

/** Whether a value is a list of texts, which a JavaScript caller may get wrong. */
export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/** Options of known names only; `path` goes before a name in the message. */
export function checkKnown(options: object, known: readonly string[], path = ''): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`${path}${unknown}: is no option`)
}

/** A number, not a text that looks like one: `exp + '5'` would be another time altogether. */
function isWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max
}

function oneOf<T extends string>(name: string, value: T, known: readonly T[]): T {
  if (!known.includes(value)) throw new TypeError(`${name}: must be one of ${known.join(', ')}`)
  return value
}

function someOf<T extends string>(
  name: string,
  values: readonly T[],
  known: readonly T[],
  min: number,
): readonly T[] {
  if (!Array.isArray(values) || values.length < min || !values.every((value) => known.includes(value))) {
    throw new TypeError(`${name}: must be a list of ${known.join(', ')}`)
  }
  return [...values]
}
