// Who is asking: a credential's id and secret against the store. Every refusal looks and takes the same.

import type { CredentialWithAccount } from '../claims/account.ts'
import { MIN_LIFETIME_SECONDS } from '../claims/lifetime.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { type ClientSecret, equalsInConstantTime, type HashSecret } from '../signing/secret.ts'
import type { CachedStorage } from '../storage/cached.ts'
import type { Storage } from '../storage/storage.ts'

/** The credential that a pair proves at `now` (epoch milliseconds), or undefined. Rejects when the store does. */
export type Authenticate = (
  pair: ClientSecret | undefined,
  now: number,
) => MaybePromise<CredentialWithAccount | undefined>

/** Compared where there is nothing to compare with, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = 'x'.repeat(43)

/** Longest parts that an account token can spell, in characters. */
const MAX_ID_LENGTH = 64
const MAX_SECRET_LENGTH = 128

/** Where credentials are found: a store, or one that remembers and can be asked anew. */
export type Credentials = Pick<Storage, 'findCredential'> & Partial<Pick<CachedStorage, 'findCredentialAnew'>>

/**
 * Authentication against this store and pepper. What a remembered record refuses is judged again by a fresh one: a
 * secret that another process has just made or rotated is as good here.
 */
export function createAuthenticate(credentials: Credentials, hashSecret: HashSecret): Authenticate {
  const { findCredential, findCredentialAnew } = credentials
  return (pair, now) => {
    if (pair === undefined) return undefined
    const { clientId, clientSecret } = pair
    // Longer than any of ours: nothing to hash, and nothing to ask the database.
    if (clientId.length > MAX_ID_LENGTH || clientSecret.length > MAX_SECRET_LENGTH) return undefined
    const hash = hashSecret(clientSecret)
    const judgeBy = (find: Storage['findCredential']): MaybePromise<CredentialWithAccount | undefined> => {
      const found = find(clientId)
      if (found instanceof Promise || hash instanceof Promise) {
        return Promise.all([found, hash]).then(([record, given]) => judge(record, given, now))
      }
      return judge(found, hash, now)
    }
    return after(judgeBy(findCredential), (proven) =>
      proven === undefined && findCredentialAnew !== undefined ? judgeBy(findCredentialAnew) : proven,
    )
  }
}

/** The same, telling `noteUse` which credential was proven and when. */
export function withNote(
  authenticate: Authenticate,
  noteUse: (credentialId: string, now: number) => void,
): Authenticate {
  return (pair, now) =>
    after(authenticate(pair, now), (found) => {
      if (found !== undefined) noteUse(found.credential.id, now)
      return found
    })
}

function judge(
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
 * Whether a credential may be used at all at `now` (epoch milliseconds). Not in its last seconds: a token ends with its
 * credential, and none lives less than 10 s.
 */
export function isInForce({ credential, account }: CredentialWithAccount, now: number): boolean {
  if (credential.revokedAt !== null || account.status !== 'active') return false
  return credential.expiresAt === null || credential.expiresAt - now >= MIN_LIFETIME_SECONDS * 1000
}
