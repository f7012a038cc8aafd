// CORS for a protected resource (Fetch section 3.2). Pages of allowed origins may read every answer, refusals included.
// Cookies and the origin `null` are never allowed. The origin in the token is not used, because it is not verified yet.

import { isPreflightHead, TRACE_HEADERS } from '../../claims/preflight.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import type { RequestLike } from '../request/extract.ts'

const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'X-Client-Token', ...TRACE_HEADERS]
const EXPOSE = 'access-control-expose-headers'
const EXPOSED_HEADERS = [
  ...['WWW-Authenticate', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'DPoP-Nonce'],
  ...['Claimgate-Would-Block', 'X-Request-Id'],
]

/** The origins and request headers that one resource allows. */
export interface CorsPolicy {
  /** Called with the request's `Origin`, never with the text `null`. Must not throw or reject. */
  readonly isAllowed: (origin: string, source?: object) => MaybePromise<boolean>
  /** Request headers to allow in addition to those of tokens, proofs and tracing. */
  readonly allowedHeaders?: readonly string[]
  /** Answer headers that pages may read in addition to those of claimgate. */
  readonly exposedHeaders?: readonly string[]
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
export function createCors({ isAllowed, allowedHeaders = [], exposedHeaders = [] }: CorsPolicy): Cors {
  const allowHeaders = [...REQUEST_HEADERS, ...allowedHeaders].join(', ')
  const exposeHeaders = [...EXPOSED_HEADERS, ...exposedHeaders].join(', ')

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
        [EXPOSE]: exposeHeaders,
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

/**
 * The value of one header (its name in lower case) when both the middleware (`ours`) and a handler (`theirs`, or empty) set it.
 * For `Vary` and `Access-Control-Expose-Headers` it has the names of both. For `Cache-Control`, which the middleware sets only
 * to `private`, it is what the handler says, made private. For every other header it is `ours`.
 */
export function combineHeader(name: string, ours: string, theirs: string): string {
  if (theirs === '') return ours
  if (name === 'vary') return addNames(theirs, ours)
  if (name === EXPOSE) return addNames(ours, theirs)
  return name === 'cache-control' ? makePrivate(theirs) : ours
}

/** The names of both comma lists, without repeats in any case; `*` in the first stands for all names. */
function addNames(known: string, more: string): string {
  const names = new Set(known.split(',').map((one) => one.trim().toLowerCase()))
  if (names.has('*')) return known
  let all = known
  for (const name of more.split(',').map((one) => one.trim())) {
    const folded = name.toLowerCase()
    if (name === '' || names.has(folded)) continue
    names.add(folded)
    all += `, ${name}`
  }
  return all
}

function makePrivate(directives: string): string {
  const given = directives.split(',').map((one) => one.trim())
  const names = given.map((one) => one.toLowerCase())
  if (names.includes('no-store') || names.includes('private')) return directives
  return ['private', ...given.filter((one) => one.toLowerCase() !== 'public')].join(', ')
}

/** Whether these headers of a middleware decide about CORS, so that those of a handler are dropped. */
export function areCors({ vary }: CorsHeaders): boolean {
  return vary?.startsWith('Origin') === true
}

/** Whether a request is a CORS preflight, by the strict definition of {@link isPreflightHead}. */
export function isPreflight({ method, headers }: RequestLike): boolean {
  // Asked for every request, so the headers of other methods are not read.
  if (method !== 'OPTIONS') return false
  return isPreflightHead({
    method,
    origin: headers.get('origin'),
    requestMethod: headers.get('access-control-request-method'),
  })
}

/**
 * Whether a header of a handler (its name in lower case) is dropped, because it belongs to CORS. Only the list of exposed headers
 * is kept, where the middleware has one of its own: both are then combined.
 */
export function isForeignCors(name: string, ours: CorsHeaders): boolean {
  return name.startsWith('access-control-') && !(name === EXPOSE && Object.hasOwn(ours, EXPOSE))
}

/** Whether these headers, of an answer to a request with an origin, let its page read the answer. */
export function isReadable(headers: CorsHeaders): boolean {
  return headers['access-control-allow-origin'] !== undefined
}
