// CORS of MultiSet's endpoint (Fetch section 3.2). If any credential for pages (one with `browserPrototype`) allows the
// origin of a page, that page may read every answer, refusals included, so that it can show why it got no token. A page of
// the origin `null` may never read an answer, and cookies are never allowed.

import { matchOrigin, patternsMatching } from '../claims/origin-pattern.ts'
import type { HeaderRecord, Route } from '../http/context.ts'
import type { Logger } from '../http/log.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { Storage } from '../storage/storage.ts'

/** Origins on a developer's machine. A credential for pages allows them unless its `allowLocalhost` is false. */
export const LOCALHOST_PATTERNS: readonly string[] = [
  'http://localhost:*',
  'http://127.0.0.1:*',
  'http://[::1]:*',
]

export interface MultisetCorsDeps {
  /** Whether a credential for pages allows one of these patterns. May answer from memory while the database is down. */
  readonly isPrototypeOriginListed: Storage['isPrototypeOriginListed']
  /** The current time, epoch milliseconds. */
  readonly now: () => number
  readonly log: Logger
}

/** Headers of an answer that the page may not read. */
const CLOSED: HeaderRecord = { vary: 'Origin' }

/**
 * Creates the CORS headers of the route. When the database fails and the answer is not in memory, the fault is logged and
 * the page may not read the answer.
 */
export function createMultisetCors(deps: MultisetCorsDeps): NonNullable<Route['cors']> {
  function decide(origin: string | null, open: HeaderRecord): MaybePromise<HeaderRecord> {
    const patterns = origin === null ? [] : patternsMatching(origin)
    if (origin === null || patterns.length === 0) return CLOSED
    const headers = { ...CLOSED, 'access-control-allow-origin': origin, ...open }
    const isLocalhost = matchOrigin(LOCALHOST_PATTERNS, origin)
    const listed = deps.isPrototypeOriginListed(patterns, isLocalhost, deps.now())
    if (!(listed instanceof Promise)) return listed ? headers : CLOSED
    return listed.then(
      (isListed) => (isListed ? headers : CLOSED),
      (error: unknown) => {
        deps.log.error('origins of credentials for pages could not be read', { error })
        return CLOSED
      },
    )
  }

  return {
    headersFor: ({ headers }) => decide(headers.get('origin'), ANSWER_HEADERS),
    preflightHeaders: ({ headers }) => decide(headers.get('origin'), PREFLIGHT_HEADERS),
  }
}

const ANSWER_HEADERS: HeaderRecord = {
  'access-control-expose-headers': 'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id',
}
const PREFLIGHT_HEADERS: HeaderRecord = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'Authorization, Content-Type',
  'access-control-max-age': '7200',
}
