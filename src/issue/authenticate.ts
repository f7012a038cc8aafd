// Checks a client id and secret against the store. An unknown id and a wrong secret get the same answer in the same time.

import { MIN_LIFETIME_SECONDS } from '../claims/lifetime.ts'
import type { CredentialWithAccount } from '../claims/records/account.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { type ClientSecret, equalsInConstantTime, type HashSecret } from '../signing/secret.ts'
import type { CachedStorage } from '../storage/cached.ts'
import type { Storage } from '../storage/storage.ts'

/**
 * The credential of a client id and secret at `now` (epoch milliseconds); undefined when either is wrong or the credential
 * may not be used. Rejects when the store does.
 */
export type Authenticate = (
  pair: ClientSecret | undefined,
  now: number,
) => MaybePromise<CredentialWithAccount | undefined>

/** Stands for a hash that does not exist, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = 'x'.repeat(43)

/** Longest client id and secret that exist, in characters. */
const MAX_ID_LENGTH = 64
const MAX_SECRET_LENGTH = 128

/** Where credentials are found: a store, or a cached store that can also read past its cache. */
export type Credentials = Pick<Storage, 'findCredential'> &
  Partial<Pick<CachedStorage, 'findCredentialLatest'>>

/**
 * Authentication with the records of this store. When a cached record refuses the secret, the record is read again:
 * another process may just have created the credential or rotated its secret.
 */
export function createAuthenticate(credentials: Credentials, hashSecret: HashSecret): Authenticate {
  const { findCredential, findCredentialLatest } = credentials
  return (pair, now) => {
    if (pair === undefined) return undefined
    const { clientId, clientSecret } = pair
    // Longer than any that exists: not worth a hash and a query.
    if (clientId.length > MAX_ID_LENGTH || clientSecret.length > MAX_SECRET_LENGTH) return undefined
    const hash = hashSecret(clientSecret)
    const checkWith = (find: Storage['findCredential']): MaybePromise<CredentialWithAccount | undefined> => {
      const found = find(clientId)
      if (found instanceof Promise || hash instanceof Promise) {
        return Promise.all([found, hash]).then(([record, given]) => checkSecret(record, given, now))
      }
      return checkSecret(found, hash, now)
    }
    return after(checkWith(findCredential), (proven) =>
      proven === undefined && findCredentialLatest !== undefined ? checkWith(findCredentialLatest) : proven,
    )
  }
}

/** Like `authenticate`, and calls `noteUse` with the id of each credential whose secret was right. */
export function createNotingAuthenticate(
  authenticate: Authenticate,
  noteUse: (credentialId: string, now: number) => void,
): Authenticate {
  return (pair, now) =>
    after(authenticate(pair, now), (found) => {
      if (found !== undefined) noteUse(found.credential.id, now)
      return found
    })
}

/**
 * The record, when it is in force and `given` is the hash of its secret, or of its previous secret in the overlap. Always
 * compares two hashes, so that the time does not depend on the record.
 */
function checkSecret(
  found: CredentialWithAccount | undefined,
  given: string,
  now: number,
): CredentialWithAccount | undefined {
  const credential = found?.credential
  const newest = equalsInConstantTime(credential?.secretHash ?? NO_HASH, given)
  const previous = equalsInConstantTime(credential?.previousHash ?? NO_HASH, given)
  if (found === undefined || credential === undefined) return undefined
  const isProven = newest || (previous && (credential.previousExpiresAt ?? 0) > now)
  return isProven && isInForce(found, now) ? found : undefined
}

/**
 * Whether a credential may be used at `now` (epoch milliseconds): neither it nor its account has ended. In its last 10 s it
 * may not: a token ends with its credential, and the shortest lifetime is 10 s.
 */
export function isInForce({ credential, account }: CredentialWithAccount, now: number): boolean {
  if (credential.revokedAt !== null || account.status !== 'active') return false
  return credential.expiresAt === null || credential.expiresAt - now >= MIN_LIFETIME_SECONDS * 1000
}
