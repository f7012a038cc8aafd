// CORS for a protected resource (Fetch section 3.2). Pages of allowed origins may read every answer, refusals included.
// Cookies and the origin `null` are never allowed. The origin in the token is not used, because it is not verified yet.

import { isPreflightHead } from '../../claims/preflight.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import type { RequestLike } from '../request/extract.ts'

const TRACE_HEADERS = ['traceparent', 'tracestate', 'baggage', 'sentry-trace']
const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'X-Client-Token', ...TRACE_HEADERS]
const EXPOSED_HEADERS =
  'WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, DPoP-Nonce, Claimgate-Would-Block, X-Request-Id'

/** The origins and request headers that one resource allows. */
export interface CorsPolicy {
  /** Called with the request's `Origin`, never with the text `null`. Must not throw or reject. */
  readonly isAllowed: (origin: string, source?: object) => MaybePromise<boolean>
  /** Request headers to allow in addition to those of tokens, proofs and tracing. */
  readonly allowedHeaders?: readonly string[]
}

/** Headers to set on an answer, with their names in lower case. */
export type CorsHeaders = Readonly<Record<string, string>>

/** The CORS headers for requests to one resource. `source` is the request object that the API has, for messages about it. */
export interface Cors {
  /** Headers for the answer to a request that is not a preflight. */
  headersFor(request: RequestLike, source?: object): MaybePromise<CorsHeaders>
  /** Headers for the 204 that answers a preflight; for any other request only `Vary`. */
  preflightHeaders(request: RequestLike, source?: object): MaybePromise<CorsHeaders>
}

const NOT_ALLOWED: CorsHeaders = { vary: 'Origin' }

/** Creates the CORS of a resource. Every answer has `Vary: Origin`, also one to a request without an allowed origin. */
export function createCors({ isAllowed, allowedHeaders = [] }: CorsPolicy): Cors {
  const allowHeaders = [...REQUEST_HEADERS, ...allowedHeaders].join(', ')

  function decide(
    request: RequestLike,
    source: object | undefined,
    open: (origin: string) => CorsHeaders,
  ): MaybePromise<CorsHeaders> {
    const origin = request.headers.get('origin')
    if (origin === null || origin === '' || origin === 'null') return NOT_ALLOWED
    return after(isAllowed(origin, source), (isOpen) => (isOpen ? open(origin) : NOT_ALLOWED))
  }

  return {
    headersFor: (request, source) =>
      decide(request, source, (origin) => ({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': EXPOSED_HEADERS,
      })),

    preflightHeaders: (request, source) => {
      const method = request.headers.get('access-control-request-method')
      if (method === null || !isPreflight(request)) return NOT_ALLOWED
      return decide(request, source, (origin) => ({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-allow-methods': method,
        'access-control-allow-headers': allowHeaders,
        'access-control-max-age': '7200',
      }))
    },
  }
}

/** Adds `name` to a `Vary` header, unless the header has it or `*` already. `known` is the header so far, or empty. */
export function addVary(known: string, name: string): string {
  if (known === '') return name
  const names = known.split(',').map((one) => one.trim().toLowerCase())
  return names.includes('*') || names.includes(name.toLowerCase()) ? known : `${known}, ${name}`
}

/** Whether a request is a CORS preflight, by the strict definition of {@link isPreflightHead}. */
export function isPreflight({ method, headers }: RequestLike): boolean {
  return isPreflightHead({
    method,
    origin: headers.get('origin'),
    requestMethod: headers.get('access-control-request-method'),
  })
}

/** Whether a header belongs to CORS. `name` is in lower case. */
export function isCorsHeader(name: string): boolean {
  return name.startsWith('access-control-')
}

/** Whether these headers, of an answer to a request with an origin, let its page read the answer. */
export function isReadable(headers: CorsHeaders): boolean {
  return headers['access-control-allow-origin'] !== undefined
}
