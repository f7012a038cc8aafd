// Adds a cache to any store, for the look-ups that requests wait for. Results are cached for less than a second. While the
// database is down, verification may use an older record (findCredentialStale); issuing never does.

import type { CredentialWithAccount } from '../claims/records/account.ts'
import type { MaybePromise } from '../lib/result.ts'
import { createCachedLookup } from './lookup.ts'
import type { Storage } from './storage.ts'

/** How long the last known record may be used while the database is down. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000

/** Options of `createCachedStorage`; all are optional. */
export interface CacheOptions {
  /**
   * How long a result is cached, milliseconds. Default 800. Changes by other processes are seen after that time. It must
   * be less than the age at which issue/sign-current.ts reads a record again: that module refuses a request whose record
   * has changed since it was authenticated.
   */
  readonly ttlMs?: number
  /** Results kept for each kind of look-up. Default 10 000. */
  readonly max?: number
  /** Reads a monotonic clock, milliseconds. Default `performance.now`. */
  readonly now?: () => number
  /**
   * Whether concurrent requests share one look-up. Default true; must be false on Workers, where no request may await
   * another request's I/O.
   */
  readonly shareLookups?: boolean
}

/** A store with additional look-ups: of the last known results while the database fails, and of very recent ones. */
export interface CachedStorage extends Storage {
  /**
   * As `findCredential`, but while the database fails it gives the last known result, up to 24 h old. For verification
   * only. Rejects with StorageError when there is no known result.
   */
  findCredentialStale(id: string): MaybePromise<CredentialWithAccount | undefined>
  /** When the read of this record began, by the `now` option; undefined if this store did not return the record. */
  readAtOf(found: CredentialWithAccount): number | undefined
  /** As `findCredential`, but the result is at most 20 ms old, or that of a look-up in progress. */
  findCredentialLatest: Storage['findCredential']
  /** As `isAnyOriginListed`, with the last known result while the database fails: pages keep their CORS headers. */
  isAnyOriginListedStale(patterns: readonly string[]): MaybePromise<boolean>
  /** As `isPrototypeOriginListed`, with the last known result while the database fails. */
  isPrototypeOriginListedStale: Storage['isPrototypeOriginListed']
}

/**
 * Caches `findCredential`, `isAnyOriginListed` and `isPrototypeOriginListed` of `inner`, negative results included. A
 * write through this store drops the results that it affects immediately. The exception is `touchCredentials`: no check
 * depends on `lastUsedAt`, and each use would cause another look-up. After a credential has expired,
 * `isPrototypeOriginListed` may be true for another `ttlMs`.
 */
export function createCachedStorage(
  inner: Storage,
  { ttlMs = 800, max = 10_000, now = () => performance.now(), shareLookups = true }: CacheOptions = {},
): CachedStorage {
  const options = { ttlMs, max, now, shareLookups, maxStaleMs: MAX_STALE_MS }
  const credentials = createCachedLookup((id) => inner.findCredential(id), options)
  const origins = createCachedLookup((patterns) => inner.isAnyOriginListed(JSON.parse(patterns)), options)
  const prototypes = createCachedLookup((asked, at: number) => {
    const [patterns, isLocalhost] = JSON.parse(asked) as [string[], boolean]
    return inner.isPrototypeOriginListed(patterns, isLocalhost, at)
  }, options)

  /** Runs a write, then drops the results that it affects; also after an error, because it may have been committed. */
  async function write<T>(run: () => Promise<T>, drop: () => void): Promise<T> {
    try {
      return await run()
    } finally {
      drop()
    }
  }

  function dropAccount(id: string): void {
    credentials.forgetWhere((found) => found?.account.id === id)
    origins.clear()
    prototypes.clear()
  }

  function dropCredential(id: string): void {
    credentials.forget(id)
    prototypes.clear()
  }

  return {
    createAccount: (account, credential, audit) =>
      write(
        () => inner.createAccount(account, credential, audit),
        () => {
          dropCredential(credential.id)
          origins.clear()
        },
      ),
    updateAccount: (next, expectedUpdatedAt, audits, rules) =>
      write(
        () => inner.updateAccount(next, expectedUpdatedAt, audits, rules),
        () => dropAccount(next.id),
      ),
    deleteAccount: (id, revocation, audit) =>
      write(
        () => inner.deleteAccount(id, revocation, audit),
        () => dropAccount(id),
      ),
    createCredential: (credential, audit) =>
      write(
        () => inner.createCredential(credential, audit),
        () => dropCredential(credential.id),
      ),
    replaceSecret: (id, change, expectedSecretHash, audit) =>
      write(
        () => inner.replaceSecret(id, change, expectedSecretHash, audit),
        () => credentials.forget(id),
      ),
    revokeCredential: (id, at, revocation, audit) =>
      write(
        () => inner.revokeCredential(id, at, revocation, audit),
        () => dropCredential(id),
      ),
    addRevocation: (revocation, audit) => inner.addRevocation(revocation, audit),
    touchCredentials: (uses) => inner.touchCredentials(uses),
    addCustomerRevocation: (revocation, budget, audit) =>
      inner.addCustomerRevocation(revocation, budget, audit),
    raiseRevocation: (id, before, until) => inner.raiseRevocation(id, before, until),
    purge: (limits) => inner.purge(limits),
    readRuleSeq: () => inner.readRuleSeq(),
    listRuleChanges: (after, limit) => inner.listRuleChanges(after, limit),
    listRevocations: (after, limit, at) => inner.listRevocations(after, limit, at),
    useAssertion: (clientId, jti, expiresAt) => inner.useAssertion(clientId, jti, expiresAt),
    getAccount: (id) => inner.getAccount(id),
    listAccounts: (after, limit) => inner.listAccounts(after, limit),
    listCredentials: (accountId) => inner.listCredentials(accountId),
    findCredential: credentials.find,
    readAtOf: credentials.readAtOf,
    findCredentialStale: credentials.findStale,
    findCredentialLatest: credentials.findLatest,
    hasUsedCredential: () => inner.hasUsedCredential(),
    isAnyOriginListed: (patterns) => origins.find(JSON.stringify(patterns)),
    isAnyOriginListedStale: (patterns) => origins.findStale(JSON.stringify(patterns)),
    isPrototypeOriginListed: (patterns, isLocalhost, at) =>
      prototypes.find(JSON.stringify([patterns, isLocalhost]), at),
    isPrototypeOriginListedStale: (patterns, isLocalhost, at) =>
      prototypes.findStale(JSON.stringify([patterns, isLocalhost]), at),
    appendAudit: (entry) => inner.appendAudit(entry),
    appendAuditOnce: (entry) => inner.appendAuditOnce(entry),
    listAudit: (position, limit, order) => inner.listAudit(position, limit, order),
    raiseLongestLifetime: (seconds) => inner.raiseLongestLifetime(seconds),
    readLongestLifetime: () => inner.readLongestLifetime(),
    ping: () => inner.ping(),
    async close() {
      credentials.clear()
      origins.clear()
      prototypes.clear()
      await inner.close()
    },
  }
}
