// The guard of the admin endpoints: one long bearer token from the configuration. Wrong tokens are limited by address;
// the right token is accepted however many wrong ones the address sent.

import { addressKey, anonymizeAddress } from '../claims/ip.ts'
import type { Quota } from '../counters/counters.ts'
import { readBearer } from '../http/authorization.ts'
import type { RequestContext } from '../http/context.ts'
import type { RateLimiter } from '../http/limits.ts'
import type { Logger } from '../http/log.ts'
import { createMinuteLine } from '../http/minute-line.ts'
import type { Problem } from '../http/problem.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { equalsInConstantTime } from '../signing/secret.ts'

/** Wrong admin tokens from one address, beyond which the answer is 429. */
export const WRONG_TOKEN_QUOTA: Quota = { requests: 20, seconds: 60 }

/** Gives the refusal of a request without the right token, undefined when it may go on. */
export type AdminGuard = (context: RequestContext) => MaybePromise<Response | undefined>

/** Dependencies of {@link createAdminGuard}. */
export interface AdminGuardDeps {
  readonly adminToken: string
  /** Counts wrong tokens, by address. */
  readonly limiter: RateLimiter
  /** Called for each refused request. */
  readonly countRefused: () => void
  readonly log: Pick<Logger, 'warn'>
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the admin token is missing or wrong',
  headers: { 'www-authenticate': 'Bearer' },
}

/** Make one guard for all paths, so that they share one count and one log line. */
export function createAdminGuard(deps: AdminGuardDeps): AdminGuard {
  const { adminToken, limiter, countRefused, log } = deps
  const logWrong = createMinuteLine()

  function warn({ address, requestId, now }: RequestContext): void {
    logWrong(now(), (count) =>
      log.warn('wrong admin tokens were sent', {
        requestId,
        count,
        address: address && anonymizeAddress(address),
      }),
    )
  }

  return (context) => {
    const { headers } = context.request
    if (equalsInConstantTime(adminToken, readBearer(headers) ?? '')) return undefined
    countRefused()
    // Not counted as a guess: there is no token.
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
