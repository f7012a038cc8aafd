// The guard of everything that is for the administrator: one long bearer token from the configuration. Wrong tokens
// are limited by address; the right one is taken however many wrong ones came before it.

import { addressKey, anonymizeAddress } from '../claims/ip.ts'
import { after, type MaybePromise } from '../claims/result.ts'
import type { Quota } from '../counters/counters.ts'
import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import type { RateLimiter } from '../http/limits.ts'
import type { Logger } from '../http/log.ts'
import type { Problem } from '../http/problem.ts'
import { equalsInConstantTime } from '../signing/secret.ts'

/** Wrong admin tokens that one address may send before its answer is 429. */
export const WRONG_TOKEN_QUOTA: Quota = { requests: 20, seconds: 60 }

/** Gives the refusal of a request without the right token, undefined when it may go on. */
export type AdminGuard = (context: RequestContext) => MaybePromise<Response | undefined>

/** What guarding needs. */
export interface AdminGuardDeps {
  readonly adminToken: string
  /** Counts wrong tokens, by address. */
  readonly limiter: RateLimiter
  /** Told of each request that is refused. */
  readonly countRefused: () => void
  readonly log: Pick<Logger, 'warn'>
  /** Milliseconds on a clock that nobody sets; `performance.now`. */
  readonly monotonicMs?: () => number
}

const WARN_MS = 60_000

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the admin token is missing or wrong',
  headers: { 'www-authenticate': 'Bearer' },
}

/** A guard. Make one for all paths: what it counts is counted for all of them together. */
export function createAdminGuard(deps: AdminGuardDeps): AdminGuard {
  const { adminToken, limiter, countRefused, log, monotonicMs = () => performance.now() } = deps
  let warnedAt = Number.NEGATIVE_INFINITY
  let wrongTokens = 0

  /** One line a minute: with the first wrong token, then with how many came since. */
  function warn({ address, requestId }: RequestContext): void {
    wrongTokens += 1
    const now = monotonicMs()
    if (now - warnedAt < WARN_MS) return
    log.warn('wrong admin tokens were sent', {
      requestId,
      count: wrongTokens,
      address: address && anonymizeAddress(address),
    })
    warnedAt = now
    wrongTokens = 0
  }

  return (context) => {
    const { headers } = context.request
    if (equalsInConstantTime(adminToken, readBearer(headers) ?? '')) return undefined
    countRefused()
    // Without a token nothing was guessed.
    if (!headers.has('authorization')) return context.refuse(UNAUTHORIZED)
    warn(context)
    const { address } = context
    const key = address === undefined ? 'unknown' : addressKey(address)
    return after(limiter.consume(key), ({ allowed, resetSeconds }) =>
      context.refuse(allowed ? UNAUTHORIZED : tooManyWrong(resetSeconds)),
    )
  }
}

function tooManyWrong(retryAfterSeconds: number): Problem {
  return {
    code: 'rate_limited',
    detail: 'this address sent too many wrong admin tokens; try again later',
    headers: { 'retry-after': String(retryAfterSeconds) },
  }
}
