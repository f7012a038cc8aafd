// What stands before a protected API, whatever framework it is written in: CORS, the verdict, and how a refusal
// is written. A middleware only carries it over: preflight -> 204, refuse -> the answer, pass -> the handler.

import { LRUCache } from 'lru-cache'
import { claimProblems } from '../../claims/codes.ts'
import { matchOrigin, parseOriginPatterns } from '../../claims/origin-pattern.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { refusalHeaders, toRefusal } from '../challenge.ts'
import { checkOptions, isTextList } from '../check-options.ts'
import type { RequestLike } from '../extract.ts'
import type { Denial, Verdict } from '../judge.ts'
import type { Claims, VerifierOptions } from '../options.ts'
import { attempt, createRequestJudge } from '../request-judge.ts'
import { type Cors, type CorsHeaders, createCors, isPreflight } from './cors.ts'

/** Whose pages may read answers. */
export type AllowedOrigins = readonly string[] | '*' | ((origin: string) => MaybePromise<boolean>)

/** What CORS allows. */
export interface Allowed {
  /** Origins, `https://*.example.com`, `http://localhost:*`, or `*`; or a function. */
  readonly allowedOrigins: AllowedOrigins
  /** Request headers beyond `Authorization, Content-Type, DPoP, X-Client-Token`. */
  readonly allowedHeaders?: readonly string[]
}

/** CORS of a middleware: on, with its origins, or off. */
export type CorsRules =
  | (Allowed & { readonly cors?: true })
  | { readonly cors: false; readonly allowedOrigins?: never; readonly allowedHeaders?: never }

/** Options of a middleware. */
export type GateOptions = VerifierOptions & CorsRules

/** What becomes of a request. `headers` are in lower case and belong on the answer, whoever writes it. */
export type Admission =
  | { readonly kind: 'pass'; readonly claims: Claims; readonly headers: CorsHeaders }
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: CorsHeaders
      readonly body: string | null
    }

/** A gate. */
export interface Gate {
  admit(request: RequestLike, peer: string | undefined): MaybePromise<Admission>
  close(): void
}

const MAX_DECIDED = 1000
const MAX_DECIDED_LENGTH = 300
const NONE: CorsHeaders = {}
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** A gate with these options; `more` are names that the middleware itself knows. Throws TypeError. */
export function createGate(options: GateOptions, more: readonly string[] = []): Gate {
  const checked = checkOptions(options, ['cors', 'allowedOrigins', 'allowedHeaders', ...more])
  const cors = checkCors(options)
  const judge = createRequestJudge(options, checked)

  const decide = (request: RequestLike, peer: string | undefined, headers: CorsHeaders) =>
    after(judge.judge(request, peer), (verdict) => toAdmission(verdict, headers, options.issuer))

  return {
    admit(request, peer) {
      if (cors === undefined) return decide(request, peer, NONE)
      if (isPreflight(request)) {
        return after(cors.preflightHeaders(request), (headers) => ({
          kind: 'answer',
          status: 204,
          headers,
          body: null,
        }))
      }
      return after(cors.headersFor(request), (headers) => decide(request, peer, headers))
    },
    close: judge.close,
  }
}

function toAdmission(verdict: Verdict, headers: CorsHeaders, issuer: string): Admission {
  if (verdict.outcome === 'deny') return refuse(verdict, headers, issuer)
  const { claims } = verdict.parsed
  if (verdict.outcome === 'allow') return { kind: 'pass', claims, headers }
  return { kind: 'pass', claims, headers: { ...headers, 'claimgate-would-block': verdict.reason.code } }
}

/** problem+json (RFC 9457), as the issuer itself writes it. */
function refuse(denial: Denial, headers: CorsHeaders, issuer: string): Admission {
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

/** CORS of a middleware's rules; undefined when it is off. */
function checkCors(rules: CorsRules): Cors | undefined {
  if (rules.cors !== false) {
    if (rules.cors !== undefined && rules.cors !== true) throw new TypeError('cors: must be true or false')
    return checkAllowed(rules)
  }
  const idle = (['allowedOrigins', 'allowedHeaders'] as const).find((name) => rules[name] !== undefined)
  if (idle !== undefined) throw new TypeError(`${idle}: says nothing with cors: false`)
  return undefined
}

/** CORS of what is allowed. Throws TypeError. */
export function checkAllowed({ allowedOrigins, allowedHeaders = [] }: Allowed): Cors {
  if (!isTextList(allowedHeaders) || !allowedHeaders.every((name) => HEADER_NAME.test(name))) {
    throw new TypeError('allowedHeaders: must be a list of header names')
  }
  return createCors({ isAllowed: checkOrigins(allowedOrigins), allowedHeaders })
}

function checkOrigins(origins: AllowedOrigins): (origin: string) => MaybePromise<boolean> {
  if (typeof origins === 'function') {
    // What fails, or answers anything but true, has not said yes.
    return (origin) =>
      after(
        attempt(() => origins(origin), false),
        (isAllowed) => isAllowed === true,
      )
  }
  const texts = origins === '*' ? ['*'] : origins
  // The list is the API's own: no stranger can put a public suffix into it.
  const patterns = isTextList(texts) ? parseOriginPatterns(texts, () => false) : undefined
  if (patterns === undefined) {
    throw new TypeError('allowedOrigins: must be a list of origins, "*" or a function, unless cors is false')
  }
  if (!patterns.ok) throw new TypeError(`allowedOrigins: ${patterns.reason}`)
  const { value } = patterns
  // Pages of one API come from few origins; strangers' can only push one another out.
  const decided = new LRUCache<string, boolean>({ max: MAX_DECIDED })
  return (origin) => {
    const known = decided.get(origin)
    if (known !== undefined) return known
    const isAllowed = matchOrigin(value, origin)
    if (origin.length <= MAX_DECIDED_LENGTH) decided.set(origin, isAllowed)
    return isAllowed
  }
}
