// A decorator of any store that remembers, for a moment, the look-ups that requests wait for.
// Issuing never rests on a stale record; verification may, while the database is down (findCredentialStale).

import type { CredentialWithAccount } from '../claims/account.ts'
import type { MaybePromise } from '../lib/result.ts'
import { createCachedLookup } from './lookup.ts'
import type { Storage } from './storage.ts'

/** How long the last known record may stand in for a database that is down. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000

/** Options of `createCachedStorage`. */
export interface CacheOptions {
  /**
   * How long a look-up is cached, milliseconds; 800. Changes by another process are seen after that. Less than the age
   * that a signature allows (issue/sign-current.ts): otherwise any change of a credential would refuse claims that were
   * authenticated with the cached record.
   */
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
  /** When the store was asked for this object, a result of `findCredential`; monotonic clock, milliseconds. */
  readAtOf(found: CredentialWithAccount): number | undefined
  /** As `findCredential`, from what was asked of the store within the last 20 ms. */
  findCredentialAnew: Storage['findCredential']
  /** As `isAnyOriginListed`, in the same way: who could read answers before an outage can during it. */
  isAnyOriginListedStale(patterns: readonly string[]): MaybePromise<boolean>
  /** As `isPrototypeOriginListed`, likewise. */
  isPrototypeOriginListedStale: Storage['isPrototypeOriginListed']
}

/**
 * Remembers `findCredential`, `isAnyOriginListed` and `isPrototypeOriginListed` of `inner`, absence included. A write
 * through it is seen at once, save `touchCredentials`: every use would else cost a look-up, and nobody is judged by
 * `lastUsedAt`. A credential that expires leaves `isPrototypeOriginListed` after `ttlMs`.
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

  /** Runs a write, then drops what it touches; also after a fault: it may have been committed and its answer lost. */
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
    useAssertion: (clientId, jti, expiresAt) => inner.useAssertion(clientId, jti, expiresAt),
    getAccount: (id) => inner.getAccount(id),
    listAccounts: (after, limit) => inner.listAccounts(after, limit),
    listCredentials: (accountId) => inner.listCredentials(accountId),
    findCredential: credentials.find,
    readAtOf: credentials.readAtOf,
    findCredentialStale: credentials.findStale,
    findCredentialAnew: credentials.findAnew,
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
