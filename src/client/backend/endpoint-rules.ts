// Checks the options of a client-token endpoint when it is created, and turns them into rules with every default filled in.
// An unknown name is an error too: a typo in plain JavaScript must not create an endpoint that gives tokens to more pages.

import type { TrustedProxies } from '../../claims/client-ip.ts'
import {
  checkAllowedOrigins,
  checkHeaderNames,
  checkTrustedProxies,
  checkWebOrigin,
} from '../../claims/input/options.ts'
import { MIN_LIFETIME_SECONDS } from '../../claims/lifetime.ts'
import { matchOrigin } from '../../claims/origin-pattern.ts'
import { TRACE_HEADERS } from '../../claims/preflight.ts'
import { parseScope } from '../../claims/scope.ts'
import { checkFlag, checkFunction, checkNames } from '../../lib/options.ts'
import { clientOptionNames } from './claim-client.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** The checked options of an endpoint. */
export interface EndpointRules<R> {
  readonly authenticate: EndpointOptions<R>['authenticate']
  readonly origins: EndpointOrigins
  readonly methods: readonly string[]
  /** Values of `Access-Control-Allow-Headers` and `Access-Control-Expose-Headers`. */
  readonly allowHeaders: string
  readonly exposeHeaders: string
  readonly bindIp: boolean
  readonly trustedProxies: TrustedProxies
  readonly expiresIn: number | undefined
  readonly scope: string | undefined
  /** Undefined: the path of the request. */
  readonly clientTokenUri: string | undefined
  /** Undefined: the answer contains no `config`. */
  readonly baseUrl: string | undefined
  readonly onError: EndpointOptions<R>['onError']
}

/** What a browser's request says about its page. */
export interface PageRequest {
  readonly method: string
  /** The `Origin` header; null when it is absent. */
  readonly origin: string | null
  /** The `Sec-Fetch-Site` header; null when it is absent. */
  readonly site: string | null
}

/** The pages that may get a token, and those that may read the answers from another origin. */
export interface EndpointOrigins {
  /** The origin that the page's token is bound to; undefined when the page may not get a token. */
  findOrigin(page: PageRequest): string | undefined
  /** Whether pages of this origin may read answers (CORS, Fetch section 3.2). */
  canRead(origin: string | null): boolean
}

const optionNames: Readonly<Record<keyof EndpointOptions<unknown>, true>> = {
  authenticate: true,
  allowedOrigins: true,
  origin: true,
  allowGet: true,
  allowedHeaders: true,
  exposedHeaders: true,
  clientTokenUri: true,
  expiresIn: true,
  scope: true,
  includeConfig: true,
  baseUrl: true,
  bindIp: true,
  trustedProxies: true,
  onError: true,
}

/** Options that only the client uses are accepted and ignored, so that the result of `loadConfig` may be spread into these. */
const knownNames = { ...clientOptionNames, ...optionNames }

/** The rules of an endpoint. Throws a TypeError whose message names the option. */
export function checkEndpoint<R>(client: ClaimClient, options: EndpointOptions<R>): EndpointRules<R> {
  if (typeof client?.claim !== 'function') {
    throw new TypeError('client: must be a client from createClaimClient')
  }
  if (typeof options !== 'object' || options === null) throw new TypeError('options: must be an object')
  checkNames(options, knownNames)
  const { settings = {} } = client
  const { authenticate, expiresIn } = options
  if (typeof authenticate !== 'function' && authenticate !== 'public') {
    throw new TypeError('authenticate: must be a function that decides who gets a token, or "public"')
  }
  if (expiresIn !== undefined && !(Number.isSafeInteger(expiresIn) && expiresIn >= MIN_LIFETIME_SECONDS)) {
    throw new TypeError(`expiresIn: must be whole seconds, at least ${MIN_LIFETIME_SECONDS}`)
  }
  const hasConfig = checkFlag('includeConfig', options.includeConfig, true)
  const baseUrl = options.baseUrl ?? settings.baseUrl
  return {
    authenticate,
    onError: checkFunction('onError', options.onError),
    expiresIn,
    scope: checkScope(options.scope),
    origins: createEndpointOrigins(options.allowedOrigins ?? settings.allowedOrigins, options.origin),
    allowHeaders: [
      'Content-Type',
      ...TRACE_HEADERS,
      ...checkHeaderNames('allowedHeaders', options.allowedHeaders),
    ].join(', '),
    exposeHeaders: [
      'Retry-After',
      'X-Request-Id',
      ...checkHeaderNames('exposedHeaders', options.exposedHeaders),
    ].join(', '),
    methods: checkFlag('allowGet', options.allowGet, false) ? ['GET', 'POST'] : ['POST'],
    bindIp: checkFlag('bindIp', options.bindIp, false),
    trustedProxies: checkTrustedProxies(options.trustedProxies),
    clientTokenUri: checkUri(options.clientTokenUri ?? settings.clientTokenUri),
    baseUrl: hasConfig ? checkBaseUrl(baseUrl) : undefined,
  }
}

/**
 * Which pages may get a token, by the list `allowedOrigins` and the site's own `origin`. An `Origin` header must be spelled
 * as browsers send it (RFC 6454 section 6.1); `null` is never allowed.
 */
function createEndpointOrigins(allowedOrigins: unknown, ownOrigin: unknown): EndpointOrigins {
  const own =
    ownOrigin === undefined ? undefined : checkWebOrigin('origin', ownOrigin, 'https://www.example.com')
  const listed = allowedOrigins === undefined ? [] : checkOriginList(allowedOrigins)
  const allowed = own === undefined ? listed : [...listed, own]

  return {
    findOrigin({ method, origin, site }) {
      if (origin === null) return method === 'GET' && site === 'same-origin' ? own : undefined
      if (allowed.length > 0) return matchOrigin(allowed, origin) ? origin : undefined
      // Without a list, the issuer checks the account's list. Older browsers send no Sec-Fetch-Site, but a page of another
      // origin cannot read the answer, because it has no CORS headers.
      const isOwnPage = site === null || site === 'same-origin'
      return isOwnPage && matchOrigin(['*'], origin) ? origin : undefined
    },
    canRead: (origin) => origin !== null && matchOrigin(allowed, origin),
  }
}

function checkOriginList(value: unknown): readonly string[] {
  const patterns = checkAllowedOrigins(value, 'a list of origins')
  if (patterns.includes('*')) {
    throw new TypeError('allowedOrigins: "*" would let every page get tokens of your users; list the origins')
  }
  return patterns
}

function checkScope(scope: unknown): string | undefined {
  if (scope === undefined || (typeof scope === 'string' && parseScope(scope).ok)) return scope
  throw new TypeError('scope: must be a text of scopes separated by spaces')
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
    'baseUrl: must be the http(s) URL of the API that the page calls (variable CLAIMGATE_API_URL), unless includeConfig is false',
  )
}
