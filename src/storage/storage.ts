// The storage port: the records that the service reads and writes, and what every adapter guarantees. Types only.
//
// Guarantees of every adapter, tested by the contract suites of test/storage:
// - A call that resolved has been committed: it survives a crash of the process.
// - A write and its audit entries are one transaction: all of them are stored, or none.
// - A write checks its condition in the same transaction. If the condition does not hold, the write resolves to false,
//   changes nothing and writes no audit entry. Of several concurrent writers only those that got true changed anything.
// - A record that was read is a snapshot: frozen, or a new object. It never changes later.
// - An adapter caches nothing. The decorator cached.ts does.
// - Any database error (locked, full, deleted, read-only, an id that already exists) rejects with StorageError. No call
//   throws synchronously.
// - Texts are stored unchanged, including U+0000, if they are well-formed Unicode (no lone surrogate).

import type { Account, AuditEntry, Credential, CredentialWithAccount } from '../claims/records/account.ts'
import type { NumberedRule, Revocation } from '../claims/records/revocation.ts'
import type { MaybePromise } from '../lib/result.ts'

/** The record after which a page of a listing starts. The API shows it as an opaque text. */
export interface Position {
  readonly at: number
  readonly id: string
}

/** The members of a credential that a rotation changes. */
export interface SecretChange {
  /** Base64url HMAC-SHA-256 of the new secret. */
  readonly secretHash: string
  /** Hash of the secret that is still accepted until `previousExpiresAt`; both null when there is none. */
  readonly previousHash: string | null
  readonly previousExpiresAt: number | null
}

/** Changes of revocations that are made in the same transaction as a change of an account. */
export interface RuleChange {
  /** Revocations to add. One with the same id is replaced. */
  readonly put: readonly Revocation[]
  /** Ids of revocations to lift. Unknown ids are ignored. */
  readonly lift: readonly string[]
}

/** Most unexpired revocations that customers may have made: one account, and all accounts together. */
export interface RevocationBudget {
  readonly ofAccount: number
  readonly ofAll: number
}

/**
 * Result of a customer's revocation. `added`: it is stored. The others store nothing. `repeated`: a revocation with its id
 * exists. `account_full`: the account has used its budget, and the first of its revocations expires at `until` (epoch
 * milliseconds). `all_full`: all accounts together have used theirs.
 */
export type BudgetedRevocation =
  | { readonly outcome: 'added' | 'repeated' | 'all_full' }
  | { readonly outcome: 'account_full'; readonly until: number }

/** A position in the order of rule changes: after this rule. */
export type RulePosition = Pick<NumberedRule, 'seq' | 'id'>

/** Which records may be deleted. Times are epoch milliseconds. */
export interface PurgeLimits {
  /** Revocations whose `until` is not after this. */
  readonly revocationsUntil: number
  /** Used assertions that expired by this time. */
  readonly assertionsUntil: number
  /** Audit entries older than this; null: delete none. */
  readonly auditBefore: number | null
}

/** The records of the service. Every method rejects with StorageError when the database fails or was closed. */
export interface Storage {
  /** Adds an account, its first credential and the audit entry, in one transaction. */
  createAccount(account: Account, credential: Credential, audit: AuditEntry): Promise<void>
  /**
   * Replaces an account, except its `id` and `createdAt`, if its `updatedAt` is still the expected one. False when another
   * write changed or deleted it before. `next.updatedAt` must be max(now, expected + 1), so that a concurrent writer
   * notices this change. `rules` are changed in the same transaction.
   */
  updateAccount(
    next: Account,
    expectedUpdatedAt: number,
    audits: readonly AuditEntry[],
    rules?: RuleChange,
  ): Promise<boolean>
  /**
   * Deletes an account with its credentials and origins, and stores the revocation that ends its tokens (kind `sub`,
   * made by `endForGood` in claims/records/revocation.ts). False when there is no such account.
   */
  deleteAccount(id: string, revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /** Adds a credential to an account, also to a suspended one. False when there is no such account. */
  createCredential(credential: Credential, audit: AuditEntry): Promise<boolean>
  /**
   * Replaces the secret of a credential, if it is not revoked and its `secretHash` is still the expected one; otherwise
   * false.
   */
  replaceSecret(
    id: string,
    change: SecretChange,
    expectedSecretHash: string,
    audit: AuditEntry,
  ): Promise<boolean>
  /**
   * Revokes a credential permanently at `at` (epoch milliseconds), and stores the revocation that ends its tokens (kind
   * `client_id`, made by `endForGood`). False when the credential is revoked already, or unknown.
   */
  revokeCredential(id: string, at: number, revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /** Adds a revocation. False, without an audit entry, when one with its id exists. */
  addRevocation(revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /**
   * Adds a revocation that a customer makes, if there are fewer than `budget.ofAccount` unexpired ones of its `account`
   * and fewer than `budget.ofAll` of all accounts. Both counts are checked in the transaction that adds it.
   */
  addCustomerRevocation(
    revocation: Revocation & { readonly account: string },
    budget: RevocationBudget,
    audit: AuditEntry,
  ): Promise<BudgetedRevocation>
  /**
   * Sets a later `before`, and the later of the stored and the given `until` (epoch milliseconds). Changes nothing when
   * the given `before` is not later than the stored one, or no revocation has this id.
   */
  raiseRevocation(id: string, before: number, until: number): Promise<void>
  /**
   * Records when credentials were last used (epoch milliseconds by id), in one transaction. `lastUsedAt` never decreases.
   * Unknown ids are ignored.
   */
  touchCredentials(uses: ReadonlyMap<string, number>): Promise<void>
  /**
   * Marks the assertion `jti` of a client as used until `expiresAt` (epoch milliseconds). True when this call marked it;
   * false when it was marked before, also if that mark has expired and was not purged. Of several callers with the same
   * `jti`, in any number of processes, exactly one gets true.
   */
  useAssertion(clientId: string, jti: string, expiresAt: number): Promise<boolean>
  /** Deletes old records: all of them in memory, up to 500 of each kind in a database. True when there may be more. */
  purge(limits: PurgeLimits): Promise<boolean>
  /**
   * The number of the last change of rules that was committed before this call. Only a change of rules increases it. One
   * cheap query.
   */
  readRuleSeq(): Promise<number>
  /**
   * Up to `limit` rules after a position, in the order of `seq`, then `id`: each rule that has changed since, once, as
   * it is now. A lifted rule has an `until` in the past. Changes become visible in the order of their numbers.
   */
  listRuleChanges(after: RulePosition, limit: number): Promise<readonly NumberedRule[]>
  /**
   * Up to `limit` revocations that are in force at `now` (epoch milliseconds) and come after a position: the newest first
   * (createdAt, then id). Reads every revocation of the database, so no request of a client may cause it.
   */
  listRevocations(after: Position | undefined, limit: number, now: number): Promise<readonly Revocation[]>
  /** The account with this id, or undefined. */
  getAccount(id: string): Promise<Account | undefined>
  /** Up to `limit` accounts after `after`, oldest first (createdAt, then id). */
  listAccounts(after: Position | undefined, limit: number): Promise<readonly Account[]>
  /** Credentials of an account, oldest first, revoked ones included. */
  listCredentials(accountId: string): Promise<readonly Credential[]>
  /**
   * A credential and its account, or undefined. Issuing a token looks up no other record. A cache may answer
   * synchronously.
   */
  findCredential(id: string): MaybePromise<CredentialWithAccount | undefined>
  /** Whether any existing credential, revoked or not, was ever used (`lastUsedAt`). */
  hasUsedCredential(): Promise<boolean>
  /**
   * Whether any account lists one of these patterns, compared with the stored texts. A cache may answer synchronously.
   */
  isAnyOriginListed(patterns: readonly string[]): MaybePromise<boolean>
  /**
   * Whether a page may use any credential. `patterns` are those that match the page's origin. True if a credential is in
   * force at `now` (epoch milliseconds), its account is active, both have `browserPrototype`, and the account lists one of
   * the patterns; with `isLocalhost` also if the credential allows localhost. A cache may answer synchronously.
   */
  isPrototypeOriginListed(
    patterns: readonly string[],
    isLocalhost: boolean,
    now: number,
  ): MaybePromise<boolean>
  /** Appends one audit entry. Rejects when one with its id exists. */
  appendAudit(entry: AuditEntry): Promise<void>
  /** Appends one audit entry. False, and nothing is written, when one with its id exists. */
  appendAuditOnce(entry: AuditEntry): Promise<boolean>
  /** Up to `limit` audit entries after a position, in the order of `at`, then `id`. Default: the newest first. */
  listAudit(
    position: Position | undefined,
    limit: number,
    order?: 'newest' | 'oldest',
  ): Promise<readonly AuditEntry[]>
  /**
   * Records that tokens may live for `seconds`, unless a longer lifetime is recorded. Returns the longest that any process
   * has recorded, because tokens that were issued before the limit was lowered are still valid.
   */
  raiseLongestLifetime(seconds: number): Promise<number>
  /** The longest token lifetime that any process has recorded, seconds; 0 when none has. Writes nothing. */
  readLongestLifetime(): Promise<number>
  /** Resolves when the database answers a read. Rejects with StorageError otherwise. */
  ping(): Promise<void>
  /** Closes the database. Later calls reject with StorageError; closing again does nothing. */
  close(): Promise<void>
}
