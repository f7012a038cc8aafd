// POST /oauth/revoke (RFC 7009): a client ends a token of its own account. Whatever else it hands in, the answer is the
// same: there is nothing left to end. `token_type_hint` is not looked at, there is one type.

import { LATE_MINT_MS } from '../claims/account.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import type { Handler } from '../http/context.ts'
import { overLimit, type RateLimiter } from '../http/limits.ts'
import { orderedBase62 } from '../signing/random.ts'
import type { Storage } from '../storage/storage.ts'
import { paths } from './admit.ts'
import { type ExamineDeps, examineRequest } from './examine.ts'

/**
 * Ends a token by its `jti` and puts that on record in the name of `actor` (a credential id), in one transaction.
 * `now` is epoch milliseconds.
 */
export type RevokeToken = (claims: ClaimsSet, actor: string, now: number) => Promise<void>

/** Revocation in this store. `refresh` puts it in force here before the client is told. */
export function createRevokeToken({
  storage,
  refresh,
}: {
  readonly storage: Pick<Storage, 'addRevocation'>
  readonly refresh: () => Promise<void>
}): RevokeToken {
  return async ({ jti, exp }, actor, now) => {
    const until = exp * 1000 + LATE_MINT_MS
    const revocation = {
      // However many ask at once, and on however many machines, a token is put on record once.
      id: `jti_${jti}`,
      kind: 'jti',
      value: jti,
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
    await storage.addRevocation(revocation, { id: orderedBase62(), ...audit })
    await refresh()
  }
}

/** What revoking needs. */
export interface RevokeDeps extends ExamineDeps {
  readonly revokeToken: RevokeToken
  /** Bounds what one client puts on the list that every verifier reads. */
  readonly revokeLimiter: RateLimiter
}

/** The handler of the revocation endpoint. */
export function createRevokeHandler(deps: RevokeDeps): Handler {
  return async (context) => {
    const examined = await examineRequest(deps, context, paths.revoke)
    if (!examined.ok) return context.refuse(examined.reason)
    const { claims, clientId } = examined.value
    if (claims !== undefined) {
      const state = await deps.revokeLimiter.consume(clientId)
      if (!state.allowed) return context.refuse(overLimit(state, deps.revokeLimiter.quota))
      await deps.revokeToken(claims, clientId, context.now())
    }
    return context.answer(200, null, {})
  }
}
