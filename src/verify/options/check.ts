// The checks of a verifier's options, made once, when the verifier is created. In JavaScript a misspelt option would
// otherwise create a verifier that lets more requests pass. Nothing reads the raw options afterwards.

import type { JWK } from 'jose'
import type { ForwardedHeader, TrustedProxies } from '../../claims/client-ip.ts'
import type { Policy, RequiredBound } from '../../claims/enforce.ts'
import { checkTrustedProxies, checkWebOrigin } from '../../claims/input/options.ts'
import { isSafeTransport, TRANSPORT_RULE } from '../../claims/input/plain-http.ts'
import { isScopeToken, parseScope } from '../../claims/scope.ts'
import {
  checkChoice,
  checkChoices,
  checkFlag,
  checkFunction,
  checkNames,
  isTextList,
} from '../../lib/options.ts'
import type { TokenSource } from '../request/extract.ts'
import type { Claims, KeyOptions, RevocationFeedOptions, VerifierOptions, VerifierRules } from './options.ts'

const FEED_NAMES = {
  url: true,
  refreshSeconds: true,
  maxStaleSeconds: true,
  onStale: true,
} satisfies Record<keyof RevocationFeedOptions, true>

const KEY_NAMES = { jwksUri: true, jwks: true, secret: true } satisfies Record<keyof KeyOptions, true>

/** The name of every option of `createVerifier`; a middleware adds its own. */
export const verifierNames: Readonly<Record<keyof VerifierOptions, true>> = {
  ...KEY_NAMES,
  issuer: true,
  audience: true,
  clockTolerance: true,
  missingOrigin: true,
  apiOrigin: true,
  require: true,
  mode: true,
  trustedProxies: true,
  forwardedHeader: true,
  tokenSources: true,
  scope: true,
  authorize: true,
  revocation: true,
  replay: true,
  cache: true,
  allowInsecureIssuer: true,
  onDecision: true,
  onError: true,
}

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']
const BOUNDS: readonly RequiredBound[] = ['origin', 'ip', 'key']
const DEFAULT_REQUIRE: readonly RequiredBound[] = ['origin']
const DEFAULT_SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token']
const DEFAULT_CACHE_MAX = 10_000
const MAX_CACHE = 10_000_000
const MAX_TOLERANCE = 300
/** Where an issuer publishes its keys. */
const JWKS_PATH = '/.well-known/jwks.json'

/** The one source of keys that the options name. */
export type CheckedKeys =
  | { readonly kind: 'jwksUri'; readonly url: string }
  | { readonly kind: 'jwks'; readonly keys: readonly JWK[] }
  | { readonly kind: 'secret'; readonly secret: string | Uint8Array | JWK }

/** How revocations are looked up: by the API's own function, in the issuer's feed, or not at all. */
export type CheckedRevocation =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'function'
      readonly isRevoked: (claims: Claims) => boolean | PromiseLike<boolean>
    }
  | { readonly kind: 'feed'; readonly feed: CheckedFeed }

/** The options of a feed, all of them, and how long a request waits for it. */
export interface CheckedFeed extends Required<RevocationFeedOptions> {
  /** Milliseconds that a request waits for a poll at the most, when there is no list that it may use instead. */
  readonly longestWaitMs: number
  /** Whether the API's developer named no feed, and this one is the default. */
  readonly isDefault: boolean
}

/** A verifier's options after the checks. URLs and origins are canonical, and defaults are filled in. */
export interface CheckedOptions {
  readonly keys: CheckedKeys
  readonly policy: Policy
  readonly mode: 'enforce' | 'report'
  /** Canonical origin of the API; undefined when it was not given. */
  readonly apiOrigin: string | undefined
  readonly trustedProxies: TrustedProxies
  readonly forwardedHeader: ForwardedHeader
  readonly sources: readonly TokenSource[]
  /** How many verified tokens are remembered; 0: none. */
  readonly cacheMax: number
  readonly revocation: CheckedRevocation
  readonly authorize: VerifierRules['authorize']
  readonly replay: VerifierRules['replay']
  readonly onDecision: VerifierRules['onDecision']
  readonly onError: VerifierRules['onError']
}

/**
 * Checks the options of a verifier. Not checked here: pinned keys and the shared secret, which the key sources check.
 *
 * @param names every allowed name: {@link verifierNames}, and the names of the caller's own options
 * @throws {TypeError} for the first option that is wrong; the message names it.
 */
export function checkOptions(
  options: VerifierOptions,
  names: Readonly<Record<string, true>> = verifierNames,
): CheckedOptions {
  checkNames(options, names)
  const isInsecureAllowed = checkFlag('allowInsecureIssuer', options.allowInsecureIssuer, false)
  const policy = checkPolicy(options)
  const keys = checkKeys(options, policy.issuer, isInsecureAllowed)
  const { mode = 'enforce', forwardedHeader = 'x-forwarded-for', tokenSources = DEFAULT_SOURCES } = options
  const apiOrigin =
    options.apiOrigin === undefined
      ? undefined
      : checkWebOrigin('apiOrigin', options.apiOrigin, 'https://api.example.com')
  if (policy.require.includes('key') && apiOrigin === undefined) {
    throw new TypeError(
      'apiOrigin: is required with require: ["key"], because a proof contains the URL of its request',
    )
  }
  return {
    keys,
    policy,
    mode: checkChoice('mode', mode, ['enforce', 'report']),
    apiOrigin,
    trustedProxies: checkTrustedProxies(options.trustedProxies),
    forwardedHeader: checkChoice('forwardedHeader', forwardedHeader, ['x-forwarded-for', 'forwarded']),
    sources: checkChoices('tokenSources', tokenSources, SOURCES, 1),
    cacheMax: checkCache(options.cache),
    revocation: checkRevocation(options.revocation, keys, isInsecureAllowed),
    authorize: checkFunction('authorize', options.authorize),
    replay: checkReplay(options.replay),
    onDecision: checkFunction('onDecision', options.onDecision),
    onError: checkFunction('onError', options.onError),
  }
}

/** Options that only a middleware has. It checks them itself; this list is for a clear message. */
const MIDDLEWARE_NAMES: readonly string[] = [
  'allowedOrigins',
  'allowedHeaders',
  'exposedHeaders',
  'cors',
  'clientIp',
  'verifier',
]

/** Throws a TypeError for an option of the middlewares that was given to `createVerifier`. Ignores all other faults. */
export function refuseMiddlewareNames(options: unknown): void {
  if (typeof options !== 'object' || options === null) return
  const name = MIDDLEWARE_NAMES.find((one) => Object.hasOwn(options, one))
  if (name !== undefined) {
    throw new TypeError(
      `${name}: is an option of the middlewares: pass it to claimAuth, not to createVerifier`,
    )
  }
}

function checkKeys(
  { jwksUri, jwks, secret }: KeyOptions,
  issuer: string,
  isInsecureAllowed: boolean,
): CheckedKeys {
  if ([jwksUri, jwks, secret].filter((given) => given !== undefined).length > 1) {
    throw new TypeError(`give only one of ${Object.keys(KEY_NAMES).join(', ')}`)
  }
  if (secret !== undefined) return { kind: 'secret', secret }
  if (jwks === undefined) {
    const [name, url] = jwksUri === undefined ? ['issuer', issuer + JWKS_PATH] : ['jwksUri', jwksUri]
    return { kind: 'jwksUri', url: checkUrl(name, url, isInsecureAllowed) }
  }
  if (!Array.isArray(jwks?.keys)) throw new TypeError('jwks: must be a JWK Set, { keys: [] }')
  return { kind: 'jwks', keys: jwks.keys }
}

function checkPolicy(options: VerifierOptions): Policy {
  const {
    issuer,
    audience,
    clockTolerance = 5,
    missingOrigin = 'reject',
    require = DEFAULT_REQUIRE,
  } = options
  if (typeof issuer !== 'string' || issuer === '') {
    throw new TypeError('issuer: must be a text that is not empty, the iss of its tokens')
  }
  const audiences = Array.isArray(audience) ? [...audience] : [audience]
  if (!isTextList(audiences) || audiences.length === 0 || audiences.includes('')) {
    throw new TypeError(
      'audience: must be one text or a list of texts, the aud of tokens for this API; unless CLAIMGATE_AUDIENCE is set, that is the URL of the issuer',
    )
  }
  if (!isNumberWithin(clockTolerance, 0, MAX_TOLERANCE)) {
    throw new TypeError(`clockTolerance: must be seconds from 0 to ${MAX_TOLERANCE}`)
  }
  return {
    issuer: issuer.replace(/\/+$/, ''),
    audience: audiences,
    clockTolerance,
    missingOrigin: checkChoice('missingOrigin', missingOrigin, ['reject', 'allow']),
    require: checkChoices('require', require, BOUNDS, 0),
    scopes: checkScopes(options.scope),
  }
}

function checkScopes(scope: unknown = []): readonly string[] {
  if (isTextList(scope) && scope.every(isScopeToken)) return [...scope]
  const scopes = typeof scope === 'string' ? parseScope(scope) : undefined
  if (!scopes?.ok)
    throw new TypeError('scope: must be a list of scopes, or one text with spaces between the scopes')
  return scopes.value
}

function checkCache(cache: VerifierRules['cache'] = { max: DEFAULT_CACHE_MAX }): number {
  if (cache === false) return 0
  const max: unknown = typeof cache === 'object' && cache !== null ? cache.max : undefined
  if (Number.isSafeInteger(max) && isNumberWithin(max, 1, MAX_CACHE)) return max
  throw new TypeError('cache: must be false or { max: a whole number from 1 to 10 000 000 }')
}

function checkReplay(replay: VerifierRules['replay']): VerifierRules['replay'] {
  if (replay !== undefined && typeof replay?.seen !== 'function') {
    throw new TypeError('replay: must be an object with a function seen(key, expiresAt)')
  }
  return replay
}

function checkRevocation(
  revocation: VerifierRules['revocation'],
  keys: CheckedKeys,
  isInsecureAllowed: boolean,
): CheckedRevocation {
  if (revocation === undefined && keys.kind === 'jwksUri')
    return { kind: 'feed', feed: defaultFeed(keys.url) }
  if (revocation === undefined || revocation === false) return { kind: 'none' }
  if (typeof revocation === 'function') return { kind: 'function', isRevoked: revocation }
  if (typeof revocation !== 'object' || revocation === null) {
    throw new TypeError('revocation: must be false, a function or { url }')
  }
  checkNames(revocation, FEED_NAMES, 'revocation.')
  const { refreshSeconds = 2, maxStaleSeconds = 60, onStale = 'accept' } = revocation
  const url = checkUrl('revocation.url', revocation.url, isInsecureAllowed)
  if (!isNumberWithin(refreshSeconds, Number.MIN_VALUE, Number.MAX_VALUE)) {
    throw new TypeError('revocation.refreshSeconds: must be above 0')
  }
  if (!isNumberWithin(maxStaleSeconds, refreshSeconds, Number.POSITIVE_INFINITY)) {
    throw new TypeError('revocation.maxStaleSeconds: must not be below refreshSeconds')
  }
  checkChoice('revocation.onStale', onStale, ['accept', 'refuse'])
  return {
    kind: 'feed',
    feed: { url, refreshSeconds, maxStaleSeconds, onStale, longestWaitMs: 5000, isDefault: false },
  }
}

/** The issuer's feed, which stands beside its keys. */
function defaultFeed(jwksUrl: string): CheckedFeed {
  const url = new URL('revocations', jwksUrl).href
  return {
    url,
    refreshSeconds: 2,
    maxStaleSeconds: 60,
    onStale: 'accept',
    longestWaitMs: 500,
    isDefault: true,
  }
}

/** The normalized URL of the key set or of the revocation list. Throws a TypeError for a URL that is not allowed. */
function checkUrl(name: string, value: unknown, isInsecureAllowed: boolean): string {
  const url = typeof value === 'string' ? URL.parse(value) : null
  if (url === null || !isSafeTransport(url, isInsecureAllowed)) {
    throw new TypeError(`${name}: ${TRANSPORT_RULE}`)
  }
  if (url.username + url.password !== '') {
    throw new TypeError(`${name}: must be a URL without user name and password`)
  }
  return url.href
}

/** False for numeric strings, because `exp + '5'` would concatenate. */
function isNumberWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}
