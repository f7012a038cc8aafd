// What both middlewares do with a request: answer a preflight with 204, refuse with problem+json, or pass the request to
// the handler. The files hono.ts and node.ts only translate this to their framework.

import { type ClaimErrorCode, claimProblems } from '../../claims/codes.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { refusalHeaders, toRefusal } from '../challenge.ts'
import type { Denial, Verdict } from '../judge.ts'
import type { Claims } from '../options/options.ts'
import type { RequestLike, TokenSource } from '../request/extract.ts'
import { requestIdOf } from '../request/id.ts'
import type { RequestVerifier } from '../request-verifier.ts'
import { type Cors, type CorsHeaders, isPreflight, isReadable } from './cors.ts'

/** What one middleware uses to decide on its requests. */
export interface Guard {
  readonly verifier: RequestVerifier
  /** Undefined when the middleware does no CORS. */
  readonly cors: Cors | undefined
  /** Whether a request with a valid token is refused when CORS does not allow its origin. */
  readonly refusesOrigins: boolean
  /** In report mode, whether further checks of the same request report too. */
  readonly mode: 'enforce' | 'report'
  /** URL of the issuer, where the codes of problems are documented. */
  readonly issuer: string
}

/** What the middleware must do. It sets `headers` (names in lower case) on the answer, also when a handler writes it. */
export type Admission =
  | { readonly kind: 'pass'; readonly claims: Claims; readonly headers: CorsHeaders }
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: CorsHeaders
      readonly body: string | null
    }

const NO_HEADERS: CorsHeaders = {}

/**
 * Decides on a request; `peer` is the address of the socket's other end, and `source` the request object that the API has.
 * Never throws or rejects.
 */
export function admitRequest(
  { verifier, cors, refusesOrigins, mode, issuer }: Guard,
  request: RequestLike,
  peer: string | undefined,
  source: object,
): MaybePromise<Admission> {
  if (cors !== undefined && isPreflight(request)) {
    return after(cors.preflightHeaders(request, source), (headers) => ({
      kind: 'answer',
      status: 204,
      headers,
      body: null,
    }))
  }
  if (mode === 'report') reported.add(source)
  const corsHeaders = cors === undefined ? NO_HEADERS : cors.headersFor(request, source)
  return after(corsHeaders, (headers) => {
    const isOriginAllowed = refusesOrigins ? isReadable(headers) : undefined
    return after(verifier.judge(request, peer, { source, isOriginAllowed }), (verdict) =>
      toAdmission(verdict, headers, issuer, source),
    )
  })
}

function toAdmission(verdict: Verdict, cors: CorsHeaders, issuer: string, source: object): Admission {
  const headers = forCaches(cors, verdict.presented?.source)
  if (verdict.outcome === 'deny') return toProblem(verdict, headers, issuer, source)
  const { claims } = verdict.parsed
  if (verdict.outcome === 'allow') return { kind: 'pass', claims, headers }
  return { kind: 'pass', claims, headers: { ...headers, ...wouldBlock(verdict.reason.code) } }
}

/** The request header that has the token of this source. Caches use `Authorization` without being told (RFC 9111 section 3.5). */
const SOURCE_HEADERS: Readonly<Partial<Record<TokenSource, string>>> = {
  'x-client-token': 'X-Client-Token',
  websocket: 'Sec-WebSocket-Protocol',
}

/** Adds what keeps a cache from giving the answer for one token to the sender of another, or of none. */
function forCaches(headers: CorsHeaders, source: TokenSource | undefined): CorsHeaders {
  if (source === 'query') return { ...headers, 'cache-control': 'private' }
  const name = source && SOURCE_HEADERS[source]
  if (name === undefined) return headers
  return { ...headers, vary: headers.vary === undefined ? name : `${headers.vary}, ${name}` }
}

/** Request objects that a middleware in report mode has judged. */
const reported = new WeakSet<object>()

/** Whether a middleware in report mode has judged this request object. */
export function isReported(source: object): boolean {
  return reported.has(source)
}

/** The header that tells the code of a refusal that report mode does not enforce. */
export function wouldBlock(code: ClaimErrorCode): CorsHeaders {
  return { 'claimgate-would-block': code }
}

/** The refusal as problem+json (RFC 9457), with the same members as the issuer's own problems. */
export function toProblem(denial: Denial, headers: CorsHeaders, issuer: string, source: object): Admission {
  const refusal = toRefusal(denial)
  const { status, code, detail } = refusal
  const requestId = requestIdOf(source)
  const body = {
    type: `${issuer}/docs#${code}`,
    title: claimProblems[code][1],
    status,
    detail,
    error: code,
    requestId,
  }
  return {
    kind: 'answer',
    status,
    body: JSON.stringify(body),
    headers: {
      ...headers,
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...refusalHeaders(refusal),
    },
  }
}
