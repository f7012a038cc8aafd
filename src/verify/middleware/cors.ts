// CORS for a protected resource (Fetch section 3.2): answers preflights, and lets allowed origins read every
// other answer, refusals included. Never credentials, never `null`, never an origin out of an unverified token.

import { isPreflightHead } from '../../claims/preflight.ts'
import type { MaybePromise } from '../../lib/result.ts'
import type { RequestLike } from '../extract.ts'

const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'X-Client-Token']
const EXPOSED =
  'WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, DPoP-Nonce, Claimgate-Would-Block, X-Request-Id'

/** Which origins may read. */
export interface CorsOptions {
  readonly isAllowed: (origin: string) => MaybePromise<boolean>
  /** Request headers beyond the standing ones. */
  readonly allowedHeaders?: readonly string[]
}

/** Headers to put on an answer. */
export type CorsHeaders = Readonly<Record<string, string>>

/** CORS of one resource. */
export interface Cors {
  /** Headers of any answer to this request. */
  headersFor(request: RequestLike): MaybePromise<CorsHeaders>
  /** Headers of the 204 to a preflight. */
  preflightHeaders(request: RequestLike): MaybePromise<CorsHeaders>
}

const CLOSED: CorsHeaders = { vary: 'Origin' }

/** CORS by these options. */
export function createCors(options: CorsOptions): Cors {
  const allowHeaders = [...REQUEST_HEADERS, ...(options.allowedHeaders ?? [])].join(', ')

  function decide(request: RequestLike, open: (origin: string) => CorsHeaders): MaybePromise<CorsHeaders> {
    const origin = request.headers.get('origin')
    if (origin === null || origin === '' || origin === 'null') return CLOSED
    const allowed = options.isAllowed(origin)
    if (allowed instanceof Promise) return allowed.then((yes) => (yes ? open(origin) : CLOSED))
    return allowed ? open(origin) : CLOSED
  }

  return {
    headersFor: (request) =>
      decide(request, (origin) => ({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': EXPOSED,
      })),

    preflightHeaders: (request) => {
      const method = request.headers.get('access-control-request-method')
      if (method === null || !isPreflight(request)) return CLOSED
      return decide(request, (origin) => ({
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-allow-methods': method,
        'access-control-allow-headers': allowHeaders,
        'access-control-max-age': '7200',
      }))
    },
  }
}

/** A `Vary` that names `name` too; `known` is what the handler wrote, if anything. */
export function addVary(known: string, name: string): string {
  if (known === '') return name
  const names = known.split(',').map((one) => one.trim().toLowerCase())
  return names.includes('*') || names.includes(name.toLowerCase()) ? known : `${known}, ${name}`
}

/** Whether a request is a preflight: see {@link isPreflightHead}. Anything else is judged as a request. */
export function isPreflight({ method, headers }: RequestLike): boolean {
  return isPreflightHead({
    method,
    origin: headers.get('origin'),
    requestMethod: headers.get('access-control-request-method'),
  })
}

/** Whether a header, in lower case, is one by which an answer opens itself to pages. */
export function isCorsHeader(name: string): boolean {
  return name.startsWith('access-control-')
}
