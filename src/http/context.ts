// One request as the rooms see it: the request, who sent it, and how to answer. Knows no framework.

import type { IpAddress } from '../claims/ip.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { Cors } from '../verify/middleware/cors.ts'
import { type FormatProblem, NOT_FOUND, type Problem } from './problem.ts'

/** Headers of an answer, lower case. A plain record: that is the fast path of every server. */
export type HeaderRecord = Readonly<Record<string, string>>

/** One request. */
export interface RequestContext {
  readonly request: Request
  /** Made here, never taken in. */
  readonly requestId: string
  /**
   * The current time, epoch milliseconds. A function, because a body may take half a minute to arrive: a check after a
   * wait must use the time after the wait.
   */
  readonly now: () => number
  /** The client's address as far as it can be trusted; undefined when it cannot. */
  readonly address: IpAddress | undefined
  /** The socket's peer as text, before any header is looked at. */
  readonly peer: string | undefined
  /** Named parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** An answer with this service's own headers on it. */
  answer(status: number, body: string | Uint8Array<ArrayBuffer> | null, headers: HeaderRecord): Response
  /** A refusal in the path's own spelling. */
  refuse(problem: Problem): Response
}

/** Answers a request. */
export type Handler = (context: RequestContext) => MaybePromise<Response>

/** Handlers of one path by method; HEAD is answered by GET, and what is not listed by ALL where that is there. */
export type Methods = Readonly<Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE' | 'ALL', Handler>>>

/** One path of the service. */
export interface Route {
  /** Names the path in logs and metrics. */
  readonly name: string
  readonly methods: Methods
  /**
   * Matches only the literal path, without percent-encoding, absolute form or fragment: a proxy in front may restrict
   * the path by its text.
   */
  readonly isLiteral?: true
  /** Asked before anything else, the method included; a response of its ends the request. */
  readonly guard?: (context: RequestContext) => MaybePromise<Response | undefined>
  /** Headers of every answer, refusals and faults included. */
  readonly headers?: HeaderRecord
  /** How its refusals are spelled, faults of the service included; absent: problem+json. */
  readonly formatProblem?: FormatProblem
  /** Whether its refusals count as those of a door to a token. */
  readonly isDoor?: true
  /** Who may read its answers from a page; absent: nobody. */
  readonly cors?: Cors
}

/** A path at which nothing is, whatever it is asked. */
export const NOWHERE: Route = {
  name: 'none',
  guard: (context) => context.refuse(NOT_FOUND),
  methods: {},
}

/** Headers of every answer that holds a token or a secret (RFC 6749 section 5.1). */
export const NO_STORE: HeaderRecord = { 'cache-control': 'no-store' }

/** Headers of a JSON answer. */
export const JSON_TYPE: HeaderRecord = { 'content-type': 'application/json' }

/** Whether an `If-None-Match` header names this tag: a list of tags, compared weakly, or `*`. */
export function matchesTag(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

/** Epoch seconds as `2026-01-01T00:30:00Z`: whole seconds, as tokens have them. */
export function formatSecond(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
