// A decorator of any store that remembers, for a moment, the two look-ups that requests wait for.
// Issuing never rests on a stale record; verification may, while the database is down (findCredentialStale).

import type { CredentialWithAccount } from '../claims/account.ts'
import type { MaybePromise } from '../claims/result.ts'
import { createCachedLookup } from './lookup.ts'
import type { Storage } from './storage.ts'

/** How long the last known record may stand in for a database that is down. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000

/** Options of `createCachedStorage`. */
export interface CacheOptions {
  /** How long a look-up is remembered, milliseconds; 1000. What another process changes is seen after that. */
  readonly ttlMs?: number
  /** Answers kept for each look-up; 10 000. */
  readonly max?: number
  /** A monotonic clock, milliseconds; `performance.now`. */
  readonly now?: () => number
  /** Whether concurrent requests wait for one look-up; true. Must be false on Workers, where a request may not wait for another's I/O. */
  readonly shareLookups?: boolean
}

/** A store that can also answer from what it knew last. */
export interface CachedStorage extends Storage {
  /**
   * As `findCredential`, but while the database fails: the last known answer, up to 24 h old. For verification only.
   * Rejects with StorageError when nothing is known.
   */
  findCredentialStale(id: string): MaybePromise<CredentialWithAccount | undefined>
  /** As `isAnyOriginListed`, in the same way: who could read answers before an outage can during it. */
  isAnyOriginListedStale(patterns: readonly string[]): MaybePromise<boolean>
}

/** Remembers `findCredential` and `isAnyOriginListed` of `inner`, absence included; a write through it is seen at once. */
export function createCachedStorage(
  inner: Storage,
  { ttlMs = 1000, max = 10_000, now = () => performance.now(), shareLookups = true }: CacheOptions = {},
): CachedStorage {
  const options = { ttlMs, max, now, shareLookups, maxStaleMs: MAX_STALE_MS }
  const credentials = createCachedLookup((id) => inner.findCredential(id), options)
  const origins = createCachedLookup((patterns) => inner.isAnyOriginListed(JSON.parse(patterns)), options)

  return {
    async createAccount(account, credential, audit) {
      try {
        await inner.createAccount(account, credential, audit)
      } finally {
        // Also after a fault: the write may have been committed and its answer lost.
        credentials.forget(credential.id)
        origins.clear()
      }
    },
    getAccount: (id) => inner.getAccount(id),
    listAccounts: (after, limit) => inner.listAccounts(after, limit),
    listCredentials: (accountId) => inner.listCredentials(accountId),
    findCredential: credentials.find,
    findCredentialStale: credentials.findStale,
    isAnyOriginListed: (patterns) => origins.find(JSON.stringify(patterns)),
    isAnyOriginListedStale: (patterns) => origins.findStale(JSON.stringify(patterns)),
    appendAudit: (entry) => inner.appendAudit(entry),
    listAudit: (before, limit) => inner.listAudit(before, limit),
    ping: () => inner.ping(),
    async close() {
      credentials.clear()
      origins.clear()
      await inner.close()
    },
  }
}
