// Step 5 for the service itself: a token ends with its credential, its account, its signing key, or by its `jti`. The
// same look-up gives the scopes that its credential still holds.

import type { CredentialWithAccount } from '../../claims/account.ts'
import type { ClaimsSet } from '../../claims/claims-set.ts'
import { heldScopes } from '../../claims/scope.ts'
import type { Logger } from '../../http/log.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import type { CachedStorage } from '../../storage/cached.ts'
import type { HeldScopes } from '../../verify/judge.ts'
import type { RevocationRules } from './rules.ts'

/** What the check asks. */
export interface RevocationDeps {
  readonly storage: Pick<CachedStorage, 'findCredentialStale'>
  readonly rules: Pick<RevocationRules, 'isListed'>
  readonly keyRing: { readonly isEnded: (kid: string) => boolean }
  readonly log: Logger
}

/** `isRevoked` of a judge. */
type RevocationCheck = (claims: ClaimsSet, kid: string) => MaybePromise<boolean | HeldScopes>

/**
 * Whether a token was ended: by a revocation, with its signing key, or because its credential was revoked or deleted
 * or its account suspended or deleted. While the database is down what was known last decides, and a credential never
 * seen here is taken to be in force: the token's signature and lifetime still bound it, and an outage must not end
 * every session.
 */
export function createRevocationCheck({ storage, rules, keyRing, log }: RevocationDeps): RevocationCheck {
  function checkRecord(claims: ClaimsSet): MaybePromise<boolean | HeldScopes> {
    const found = storage.findCredentialStale(claims.client_id)
    if (!(found instanceof Promise)) return judgeRecord(found, claims)
    return found.then(
      (record) => judgeRecord(record, claims),
      (error: unknown) => {
        log.warn('verifying without the database', { error })
        return false
      },
    )
  }

  return (claims, kid) => {
    if (keyRing.isEnded(kid)) return true
    return after(rules.isListed(claims, kid), (isListed) => isListed || checkRecord(claims))
  }
}

function judgeRecord(found: CredentialWithAccount | undefined, claims: ClaimsSet): boolean | HeldScopes {
  if (found === undefined || found.account.id !== claims.sub) return true
  const { account, credential } = found
  if (credential.revokedAt !== null || account.status !== 'active') return true
  if (claims.scope === undefined) return false
  const held = heldScopes(account.scopes, credential.scopes)
  const hasLost = claims.scope.split(' ').some((scope) => scope !== '' && !held.includes(scope))
  return hasLost && { heldScopes: held }
}
