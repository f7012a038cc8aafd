// The revocation step for tokens that the service itself verifies. A token is revoked by a rule, or together with its
// credential, account or signing key. The same look-up gives the scopes that its credential still holds.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { CredentialWithAccount } from '../../claims/records/account.ts'
import { heldScopes } from '../../claims/scope.ts'
import type { Logger } from '../../http/log.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { formatTime } from '../../lib/time.ts'
import type { CachedStorage } from '../../storage/cached.ts'
import type { HeldScopes } from '../../verify/judge.ts'
import type { RevocationRules } from './rules.ts'

/** Where the check finds rules, records and keys. */
export interface RevocationDeps {
  readonly storage: Pick<CachedStorage, 'findCredentialStale'>
  readonly rules: Pick<RevocationRules, 'isListed'>
  readonly keyRing: { readonly isEnded: (kid: string) => boolean }
  readonly log: Logger
}

/** True if the token is revoked; otherwise false, or the scopes of its credential if it has lost some of the token's. */
type RevocationCheck = (claims: ClaimsSet, kid: string) => MaybePromise<boolean | HeldScopes>

/**
 * Creates the check whether a token is revoked: by a rule, with its signing key, because its credential was revoked or
 * deleted, or because its account was suspended or deleted. While the database is down, the last known records decide,
 * and an unknown credential counts as valid: its tokens still have a signature and a lifetime, and an outage must not end
 * every session.
 */
export function createRevocationCheck({ storage, rules, keyRing, log }: RevocationDeps): RevocationCheck {
  function checkRecord(claims: ClaimsSet): MaybePromise<boolean | HeldScopes> {
    const found = storage.findCredentialStale(claims.client_id)
    if (!(found instanceof Promise)) return checkCredential(found, claims)
    return found.then(
      (record) => checkCredential(record, claims),
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

/**
 * Why a token is revoked, for an operator. For a token that the check above has found to be revoked. Never rejects: when
 * the records cannot be read, only a rule can have ended the token.
 */
export async function describeRevocation(
  { storage, keyRing }: Pick<RevocationDeps, 'storage' | 'keyRing'>,
  claims: ClaimsSet,
  kid: string,
): Promise<string> {
  if (keyRing.isEnded(kid)) return `the signing key ${kid} has ended`
  let found: CredentialWithAccount | undefined
  try {
    found = await storage.findCredentialStale(claims.client_id)
  } catch {
    return BY_RULE
  }
  if (found === undefined) return 'the credential or its account does not exist'
  const { account, credential } = found
  if (account.id !== claims.sub) return 'the credential is of another account'
  if (credential.revokedAt !== null)
    return `the credential was revoked at ${formatTime(credential.revokedAt)}`
  if (account.status !== 'active') return `the account is ${account.status}`
  return BY_RULE
}

const BY_RULE = 'a revocation of the token, its credential, its account or its signing key'

function checkCredential(found: CredentialWithAccount | undefined, claims: ClaimsSet): boolean | HeldScopes {
  if (found === undefined || found.account.id !== claims.sub) return true
  const { account, credential } = found
  if (credential.revokedAt !== null || account.status !== 'active') return true
  if (claims.scope === undefined) return false
  const held = heldScopes(account.scopes, credential.scopes)
  const hasLost = claims.scope.split(' ').some((scope) => scope !== '' && !held.includes(scope))
  return hasLost && { heldScopes: held }
}
