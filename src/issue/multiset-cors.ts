// CORS of MultiSet's door (Fetch section 3.2): open to the origins that some credential for pages allows, refusals
// included, so that a page can tell why it got no token. Never credentials, never `null`.

import { matchOrigin, patternsMatching } from '../claims/origin-pattern.ts'
import type { HeaderRecord, Route } from '../http/context.ts'
import type { Logger } from '../http/log.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { Storage } from '../storage/storage.ts'

/** A developer's own machine, which a credential for pages allows beside its account's origins unless it says not. */
export const LOCALHOST_PATTERNS: readonly string[] = [
  'http://localhost:*',
  'http://127.0.0.1:*',
  'http://[::1]:*',
]

/** What deciding needs. */
export interface MultisetCorsDeps {
  /** May answer from memory while the database is down. */
  readonly isPrototypeOriginListed: Storage['isPrototypeOriginListed']
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly log: Logger
}

const CLOSED: HeaderRecord = { vary: 'Origin' }

/** CORS of this door. While nothing can be looked up, unknown origins stay shut. */
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
        deps.log.error('origins of prototypes could not be read', { error })
        return CLOSED
      },
    )
  }

  return {
    headersFor: ({ headers }) => decide(headers.get('origin'), READABLE),
    preflightHeaders: ({ headers }) => decide(headers.get('origin'), ASKABLE),
  }
}

const READABLE: HeaderRecord = {
  'access-control-expose-headers': 'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id',
}
const ASKABLE: HeaderRecord = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'Authorization, Content-Type',
  'access-control-max-age': '7200',
}
