// Step 5 for the service itself: a token ends with its credential or its account.

import type { CredentialWithAccount } from '../claims/account.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import type { MaybePromise } from '../claims/result.ts'
import type { Logger } from '../http/log.ts'
import type { CachedStorage } from '../storage/cached.ts'

/**
 * Whether a token's credential was revoked or deleted, or its account suspended or deleted. While the database
 * is down the last known record decides, and a credential never seen here is taken to be in force: the token's
 * signature and lifetime still bound it, and an outage must not end every session.
 */
export function createRevocationCheck(
  storage: Pick<CachedStorage, 'findCredentialStale'>,
  log: Logger,
): (claims: ClaimsSet) => MaybePromise<boolean> {
  return (claims) => {
    const found = storage.findCredentialStale(claims.client_id)
    if (!(found instanceof Promise)) return isEnded(found, claims)
    return found.then(
      (record) => isEnded(record, claims),
      (error: unknown) => {
        log.warn('verifying without the database', { error })
        return false
      },
    )
  }
}

function isEnded(found: CredentialWithAccount | undefined, claims: ClaimsSet): boolean {
  if (found === undefined || found.account.id !== claims.sub) return true
  return found.credential.revokedAt !== null || found.account.status !== 'active'
}
