// Rate limits of the issuing endpoints. A request with a right secret counts for its credential, whatever the answer. A
// request with a wrong one counts for the client's address.

import { addressKey } from '../claims/ip.ts'
import type { LimitState } from '../counters/counters.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import { limitHeader, overLimit, type RateLimiter } from '../http/limits.ts'
import type { Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'

/** A rate limit by credential. The reason is the 429 of a credential that is over it. */
export interface CredentialLimit {
  /** Counts a request. The value is the rate limit headers of a successful answer; without a limit there are none. */
  consume(credentialId: string): Promise<Result<HeaderRecord, Problem>>
  /** What `consume` would return. Counts nothing. */
  peek(credentialId: string): Promise<Result<HeaderRecord, Problem>>
}

const NO_HEADERS = ok({})
const NO_LIMIT: CredentialLimit = {
  consume: async () => NO_HEADERS,
  peek: async () => NO_HEADERS,
}

/** The limit that `limiter` counts; null: no limit. */
export function createCredentialLimit(limiter: RateLimiter | null): CredentialLimit {
  if (limiter === null) return NO_LIMIT
  const toResult = (state: LimitState): Result<HeaderRecord, Problem> =>
    state.allowed ? ok(limitHeader(state)) : fail(overLimit(state, limiter.quota))
  return {
    consume: async (id) => toResult(await limiter.consume(id)),
    peek: async (id) => toResult(await limiter.peek(id)),
  }
}

/**
 * The refusal of a caller whose secret was wrong: `problem`, or 429 when its address had too many refusals. A right secret
 * never counts for the address.
 */
export type RefuseCaller = (context: RequestContext, problem: Problem) => Promise<Problem>

/** Counts refusals with `limiter`; null: no limit. */
export function createRefuseCaller(limiter: RateLimiter | null): RefuseCaller {
  return async ({ address }, problem) => {
    if (limiter === null) return problem
    const state = await limiter.consume(addressKey(address))
    return state.allowed ? problem : overLimit(state, limiter.quota)
  }
}
