// Judging an endpoint's options when it is made: in plain JavaScript a misspelt or empty one must not become an
// endpoint that gives tokens to more pages. Throws TypeError; its message names the option.

import { parseTrustedProxies, type TrustedProxies } from '../../claims/client-ip.ts'
import { MIN_LIFETIME_SECONDS } from '../../claims/lifetime.ts'
import { parseOrigin } from '../../claims/origin.ts'
import { matchOrigin, parseOriginPatterns } from '../../claims/origin-pattern.ts'
import { parseScope } from '../../claims/scope.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** Options with the client's settings and every default filled in. */
export interface EndpointRules<R> {
  readonly authenticate: EndpointOptions<R>['authenticate']
  readonly origins: EndpointOrigins
  readonly methods: readonly string[]
  readonly bindIp: boolean
  readonly trustedProxies: TrustedProxies
  readonly expiresIn: number | undefined
  readonly scope: string | undefined
  readonly clientTokenUri: string | undefined
  /** Undefined: no config in the answer. */
  readonly baseUrl: string | undefined
  readonly onError: EndpointOptions<R>['onError']
}

/** Options, and what the client's own are called: those may be spread into an endpoint's. */
const KNOWN = [
  'authenticate allowedOrigins origin allowGet clientTokenUri expiresIn scope includeConfig baseUrl bindIp',
  'trustedProxies onError issuer token clientId clientSecret allowInsecureIssuer',
].flatMap((names) => names.split(' '))

/** The options, checked. */
export function checkEndpoint<R>(client: ClaimClient, options: EndpointOptions<R>): EndpointRules<R> {
  if (typeof client?.claim !== 'function')
    throw new TypeError('client: must be a client of createClaimClient')
  if (typeof options !== 'object' || options === null) throw new TypeError('options: must be an object')
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw new TypeError(`${unknown}: is no option`)
  const { settings = {} } = client
  const { authenticate, onError, expiresIn } = options
  if (typeof authenticate !== 'function' && authenticate !== 'public') {
    throw new TypeError('authenticate: must be a function that says who may have a token, or "public"')
  }
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError('onError: must be a function')
  if (expiresIn !== undefined && !(Number.isSafeInteger(expiresIn) && expiresIn >= MIN_LIFETIME_SECONDS)) {
    throw new TypeError(`expiresIn: must be whole seconds from ${MIN_LIFETIME_SECONDS}`)
  }
  const hasConfig = checkFlag('includeConfig', options.includeConfig, true)
  const baseUrl = options.baseUrl ?? settings.baseUrl
  return {
    authenticate,
    onError,
    expiresIn,
    scope: checkScope(options.scope),
    origins: createEndpointOrigins(options.allowedOrigins ?? settings.allowedOrigins, options.origin),
    methods: checkFlag('allowGet', options.allowGet, false) ? ['GET', 'POST'] : ['POST'],
    bindIp: checkFlag('bindIp', options.bindIp, false),
    trustedProxies: checkProxies(options.trustedProxies),
    clientTokenUri: checkUri(options.clientTokenUri ?? settings.clientTokenUri),
    baseUrl: hasConfig ? checkBaseUrl(baseUrl) : undefined,
  }
}

function checkFlag(name: string, value: unknown, fallback: boolean): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name}: must be true or false`)
  return value ?? fallback
}

function checkScope(scope: unknown): string | undefined {
  if (scope === undefined || (typeof scope === 'string' && parseScope(scope).ok)) return scope
  throw new TypeError('scope: must be text, scopes separated by spaces')
}

function checkProxies(value: unknown): TrustedProxies {
  const isList = Array.isArray(value)
  if (value === undefined || (isList && value.length === 0)) return { kind: 'none' }
  const parsed = parseTrustedProxies(isList ? value.join(',') : String(value))
  if (!parsed.ok) throw new TypeError(`trustedProxies: ${parsed.reason}`)
  // A number alone is a hop count; in a list it could only be a slip.
  if (isList && parsed.value.kind === 'hops') throw new TypeError('trustedProxies: a list holds addresses')
  return parsed.value
}

function checkUri(uri: unknown): string | undefined {
  if (uri === undefined) return undefined
  if (typeof uri === 'string' && uri !== '' && URL.canParse(uri, 'http://localhost')) return uri
  throw new TypeError('clientTokenUri: must be a path like /api/client-token, or a URL')
}

function checkBaseUrl(value: unknown): string {
  const url = typeof value === 'string' ? URL.parse(value) : null
  if (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === ''
  ) {
    return value as string
  }
  throw new TypeError(
    'baseUrl: must be the http(s) URL of the API that the page calls, unless includeConfig is false',
  )
}

/** Facts of a request, as its browser tells them. */
export interface PageFacts {
  readonly method: string
  /** `Origin`. */
  readonly origin: string | null
  /** `Sec-Fetch-Site`. */
  readonly site: string | null
}

/** The pages of an endpoint. */
export interface EndpointOrigins {
  /** The origin that a token for this page is bound to; undefined when the page may have none. */
  admit(page: PageFacts): string | undefined
  /** Whether a page of this origin may read answers. */
  canRead(origin: string | null): boolean
}

/** The pages by `allowedOrigins` and the site's own `origin`. Throws TypeError. */
export function createEndpointOrigins(allowedOrigins: unknown, ownOrigin: unknown): EndpointOrigins {
  const own = ownOrigin === undefined ? undefined : checkOrigin(ownOrigin)
  const listed = allowedOrigins === undefined ? [] : checkList(allowedOrigins)
  const allowed = own === undefined ? listed : [...listed, own]

  return {
    admit({ method, origin, site }) {
      if (origin === null) return method === 'GET' && site === 'same-origin' ? own : undefined
      if (allowed.length > 0) return matchOrigin(allowed, origin) ? origin : undefined
      // Without a list the account's own decides, which the issuer knows; and no other site's page could read a token.
      const isOwnPage = site === null || site === 'same-origin'
      return isOwnPage && matchOrigin(['*'], origin) ? origin : undefined
    },
    canRead: (origin) => origin !== null && matchOrigin(allowed, origin),
  }
}

function checkOrigin(value: unknown): string {
  const parsed = typeof value === 'string' ? parseOrigin(value) : undefined
  if (
    parsed?.ok &&
    parsed.value.kind === 'web' &&
    URL.parse(value as string)?.href === `${parsed.value.origin}/`
  ) {
    return parsed.value.origin
  }
  throw new TypeError('origin: must be the origin of your site, like https://www.example.com')
}

function checkList(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) {
    throw new TypeError('allowedOrigins: must be a list of origins')
  }
  // The list is the site's own: no stranger can put a public suffix into it.
  const patterns = parseOriginPatterns(value, () => false)
  if (!patterns.ok) throw new TypeError(`allowedOrigins: ${patterns.reason}`)
  if (patterns.value.includes('*')) {
    throw new TypeError('allowedOrigins: name them; "*" would let every page take the tokens of your users')
  }
  return patterns.value
}
