// What both middlewares do with a request: answer a preflight with 204, refuse with problem+json, or pass the request to
// the handler. The files hono.ts and node.ts only translate this to their framework.

import { claimProblems } from '../../claims/codes.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { refusalHeaders, toRefusal } from '../challenge.ts'
import type { RequestLike } from '../extract.ts'
import type { Denial, Verdict } from '../judge.ts'
import type { Claims } from '../options/options.ts'
import type { RequestVerifier } from '../request-verifier.ts'
import { type Cors, type CorsHeaders, isPreflight } from './cors.ts'

/** What one middleware uses to decide on its requests. */
export interface Guard {
  readonly verifier: RequestVerifier
  /** Undefined when the middleware does no CORS. */
  readonly cors: Cors | undefined
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

/** Decides on a request; `peer` is the address of the socket's other end. Never throws or rejects. */
export function admitRequest(
  { verifier, cors, issuer }: Guard,
  request: RequestLike,
  peer: string | undefined,
): MaybePromise<Admission> {
  if (cors !== undefined && isPreflight(request)) {
    return after(cors.preflightHeaders(request), (headers) => ({
      kind: 'answer',
      status: 204,
      headers,
      body: null,
    }))
  }
  const corsHeaders = cors === undefined ? NO_HEADERS : cors.headersFor(request)
  return after(corsHeaders, (headers) =>
    after(verifier.judge(request, peer), (verdict) => toAdmission(verdict, headers, issuer)),
  )
}

function toAdmission(verdict: Verdict, headers: CorsHeaders, issuer: string): Admission {
  if (verdict.outcome === 'deny') return toProblem(verdict, headers, issuer)
  const { claims } = verdict.parsed
  if (verdict.outcome === 'allow') return { kind: 'pass', claims, headers }
  return { kind: 'pass', claims, headers: { ...headers, 'claimgate-would-block': verdict.reason.code } }
}

/** The refusal as problem+json (RFC 9457), with the same members as the issuer's own problems. */
function toProblem(denial: Denial, headers: CorsHeaders, issuer: string): Admission {
  const refusal = toRefusal(denial)
  const { status, code, detail } = refusal
  const requestId = crypto.randomUUID()
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
