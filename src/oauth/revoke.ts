// POST /oauth/revoke (RFC 7009): a client revokes a token of its own account. For any other text the answer is 200 too.
// `token_type_hint` is ignored, because there is one type of token.

import type { ClaimsSet } from '../claims/claims-set.ts'
import { REVOCATION_MARGIN_MS } from '../claims/records/revocation.ts'
import type { Handler } from '../http/context.ts'
import type { Logger } from '../http/log.ts'
import { createMinuteLine } from '../http/minute-line.ts'
import { paths } from '../http/paths.ts'
import { type Problem, unavailable } from '../http/problem.ts'
import { orderedBase62 } from '../lib/random.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { RevocationBudget, Storage } from '../storage/storage.ts'
import { type ExamineDeps, examineRequest } from './examine.ts'

/**
 * Revokes a token by its `jti` and adds an audit entry of `actor` (a credential id), in one transaction. Resolves once the
 * revocation is in force in this process. The reason is the 429 or 503 of a full list. `now` is epoch milliseconds.
 */
export type RevokeToken = (claims: ClaimsSet, actor: string, now: number) => Promise<Result<void, Problem>>

/** Where revocations are stored and put in force. */
export interface RevokeTokenDeps {
  readonly storage: Pick<Storage, 'addCustomerRevocation'>
  /** Reads the revocations again, so that a new one is in force before the client gets its answer. */
  readonly refresh: () => Promise<void>
  readonly log: Logger
  /** Called when a revocation is refused because all accounts together have too many. */
  readonly countFull: () => void
}

/**
 * Most unexpired revocations by `jti` of one account, and of all accounts together, because every verifier reads the whole
 * list. Revocations by operators do not count.
 */
const REVOCATION_BUDGET: RevocationBudget = { ofAccount: 1000, ofAll: 50_000 }

const RETRY_SECONDS = 60

export function createRevokeToken({ storage, refresh, log, countFull }: RevokeTokenDeps): RevokeToken {
  const logFull = createMinuteLine()
  return async ({ jti, sub, exp }, actor, now) => {
    const until = exp * 1000 + REVOCATION_MARGIN_MS
    const revocation = {
      // The id follows from the token, so that concurrent requests on several machines store one revocation.
      id: `jti_${jti}`,
      kind: 'jti',
      value: jti,
      account: sub,
      before: until,
      until,
      createdAt: now,
    } as const
    const audit = {
      at: now,
      actor,
      action: 'revocation.create',
      target: jti,
      detail: { kind: 'jti' },
    } as const
    const added = await storage.addCustomerRevocation(revocation, REVOCATION_BUDGET, {
      id: orderedBase62(),
      ...audit,
    })
    if (added.outcome === 'account_full') return fail(tooMany(Math.ceil((added.until - now) / 1000)))
    if (added.outcome === 'all_full') {
      logFull(now, (count) =>
        log.error('customers cannot revoke tokens: the list of revocations is full', { account: sub, count }),
      )
      countFull()
      return fail(unavailable('no more tokens can be revoked at the moment; try again later', RETRY_SECONDS))
    }
    await refresh()
    return ok(undefined)
  }
}

function tooMany(seconds: number): Problem {
  return {
    code: 'rate_limited',
    detail: `an account may have ${REVOCATION_BUDGET.ofAccount} revoked tokens that have not expired; try again later`,
    headers: { 'retry-after': String(Math.max(1, seconds)) },
  }
}

export interface RevokeDeps extends ExamineDeps {
  readonly revokeToken: RevokeToken
}

export function createRevokeHandler(deps: RevokeDeps): Handler {
  return async (context) => {
    const examined = await examineRequest(deps, context, paths.oauthRevoke)
    if (!examined.ok) return context.refuse(examined.reason)
    const { claims, clientId } = examined.value
    if (claims !== undefined) {
      const revoked = await deps.revokeToken(claims, clientId, context.now())
      if (!revoked.ok) return context.refuse(revoked.reason)
    }
    return context.answer(200, null, {})
  }
}
