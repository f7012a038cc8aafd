// What a route sees of one request, and what the answers of several routes have in common. Independent of Hono.

import type { IpAddress } from '../claims/ip.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { Cors } from '../verify/middleware/cors.ts'
import { type FormatProblem, NOT_FOUND, type Problem } from './problem.ts'

/** Headers of an answer, names in lower case. A plain object, because servers write one faster than `Headers`. */
export type HeaderRecord = Readonly<Record<string, string>>

/** One request, and the functions that build its answer. */
export interface RequestContext {
  readonly request: Request
  /** Random, made for this request; an `X-Request-Id` of the caller is ignored. */
  readonly requestId: string
  /**
   * The current time, epoch milliseconds. A function, because a body may take half a minute to arrive: a check after a
   * wait must use the time after the wait.
   */
  readonly now: () => number
  /** The client's address according to the trusted proxies; undefined when it is not known. */
  readonly address: IpAddress | undefined
  /** Address of the socket's peer as text: the client itself, or the nearest proxy. */
  readonly peer: string | undefined
  /** Named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** An answer with the headers of the route, CORS and `X-Request-Id` added. */
  answer(status: number, body: string | Uint8Array<ArrayBuffer> | null, headers: HeaderRecord): Response
  /** An error answer in the format of the route, with the same headers added. */
  refuse(problem: Problem): Response
}

/** Answers a request. What it throws becomes an error answer in `serve.ts`. */
export type Handler = (context: RequestContext) => MaybePromise<Response>

/** The handlers of one path. GET also answers HEAD; ALL answers every method without a handler. */
export type Methods = Readonly<Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE' | 'ALL', Handler>>>

/** One path of the service. */
export interface Route {
  /** The name of the path in logs and metrics. */
  readonly name: string
  readonly methods: Methods
  /**
   * Whether only the literal path matches, without percent-encoding, absolute form or fragment: a proxy in front may
   * restrict access to the path by comparing its text. For another spelling the answer is 404.
   */
  readonly isLiteral?: true
  /**
   * Runs after CORS (which answers preflights) and before the handler is chosen by the method. If it returns a response,
   * that response is the answer.
   */
  readonly guard?: (context: RequestContext) => MaybePromise<Response | undefined>
  /** Headers of every answer, error answers included. */
  readonly headers?: HeaderRecord
  /** Format of refusals and internal errors. Default: problem+json. */
  readonly formatProblem?: FormatProblem
  /** Whether the metrics count its refusals, as they do for issuing endpoints. */
  readonly countsRefusals?: true
  /** Which pages may read the answers. Default: none. */
  readonly cors?: Cors
  /** Called for a preflight whose answer gives no page permission. Must not throw. */
  readonly onDeniedPreflight?: (context: RequestContext) => void
}

/** The route of every path that does not exist: 404 for all methods. */
export const NOWHERE: Route = {
  name: 'none',
  guard: (context) => context.refuse(NOT_FOUND),
  methods: {},
}

/** For every answer that may contain a token or a secret (RFC 6749 section 5.1). */
export const NO_STORE: HeaderRecord = { 'cache-control': 'no-store' }

/** Content type of a JSON answer. */
export const JSON_TYPE: HeaderRecord = { 'content-type': 'application/json' }

/**
 * Whether an `If-None-Match` header contains this entity tag, which has its quotes (RFC 9110 section 13.1.2). Weak
 * comparison: a `W/` in the header is ignored. `*` matches every tag.
 */
export function matchesTag(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

/** Epoch seconds as RFC 3339 text in UTC, without a fraction: `2026-01-01T00:30:00Z`. */
export function formatSecond(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
