// Limits of the issuing endpoints: requests with a proven credential count for that credential, whatever the answer;
// only requests whose credential was not accepted count for the client's address.

import { addressKey } from '../claims/ip.ts'
import type { LimitState } from '../counters/counters.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import { limitHeader, overLimit, type RateLimiter } from '../http/limits.ts'
import type { Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'

/** The limit of credentials. The reason is the 429 of a credential that is over it. */
export interface CredentialLimit {
  /** Counts a request. The value: rate limit headers for a successful answer; empty without a limit. */
  consume(credentialId: string): Promise<Result<HeaderRecord, Problem>>
  /** Whether a request would be refused, without counting one. */
  peek(credentialId: string): Promise<Result<HeaderRecord, Problem>>
}

const NO_HEADERS = ok({})
const NO_LIMIT: CredentialLimit = {
  consume: async () => NO_HEADERS,
  peek: async () => NO_HEADERS,
}

/** `limiter` null: no limit. Each kind of request has a separate limiter. */
export function createCredentialLimit(limiter: RateLimiter | null): CredentialLimit {
  if (limiter === null) return NO_LIMIT
  const judge = (state: LimitState): Result<HeaderRecord, Problem> =>
    state.allowed ? ok(limitHeader(state)) : fail(overLimit(state, limiter.quota))
  return {
    consume: async (id) => judge(await limiter.consume(id)),
    peek: async (id) => judge(await limiter.peek(id)),
  }
}

/**
 * The refusal of a caller whose credential was not accepted: `problem`, or 429 once its address has had too many
 * refusals. Never called for a right credential.
 */
export type RefuseCaller = (context: RequestContext, problem: Problem) => Promise<Problem>

/** `limiter` null: no limit. */
export function createRefuseCaller(limiter: RateLimiter | null): RefuseCaller {
  return async ({ address }, problem) => {
    if (limiter === null) return problem
    const state = await limiter.consume(addressKey(address))
    return state.allowed ? problem : overLimit(state, limiter.quota)
  }
}
