// The storage port: what the service asks of a database, and what every adapter promises. No code at run time.
//
// Promises of every adapter, held by test/storage/contract.ts:
// - A call that resolved has been committed: it survives a crash of the process.
// - A write and its audit entries are one transaction: all are there or none is.
// - A write with a condition judges it in that transaction. Where it does not hold, the write answers false, changes
//   nothing and leaves no audit entry; of several writers at once only those that answered true have done anything.
// - What was read is a snapshot: frozen or fresh, never shared mutable state.
// - Nothing is cached inside an adapter; a decorator may (cached.ts).
// - Any fault of the database (locked, full, gone, read-only, an id that is taken) rejects with a StorageError; no call
//   throws at once.
// - Texts are kept to the character, U+0000 included, as long as they are well-formed Unicode (no lone surrogate).

import type { Account, AuditEntry, Credential, CredentialWithAccount } from '../claims/account.ts'
import type { NumberedRule, Revocation } from '../claims/revocation.ts'
import type { MaybePromise } from '../lib/result.ts'

/** Where a page starts: after this record, in the listing's order. Opaque to callers of the API. */
export interface Position {
  readonly at: number
  readonly id: string
}

/** What a rotation writes into a credential. */
export interface SecretChange {
  /** Base64url HMAC-SHA-256 of the new secret. */
  readonly secretHash: string
  /** Hash of the secret that stays in force until `previousExpiresAt`; both null when none does. */
  readonly previousHash: string | null
  readonly previousExpiresAt: number | null
}

/** Changes of revocations in the same transaction as a change of an account. */
export interface RuleChange {
  /** Added, or replacing the one with the same id. */
  readonly put: readonly Revocation[]
  /** Ids of revocations that no longer hold; unknown ones are ignored. */
  readonly lift: readonly string[]
}

/** Most unexpired revocations that customers may have on record: of one account, of all accounts. */
export interface RevocationBudget {
  readonly ofAccount: number
  readonly ofAll: number
}

/** Outcome of a customer's revocation. `account_full`: the first of the account's revocations expires at `until`. */
export type BudgetedRevocation =
  | { readonly outcome: 'added' | 'repeated' | 'all_full' }
  | { readonly outcome: 'account_full'; readonly until: number }

/** A place in the order of rule changes: after this rule. */
export type RulePosition = Pick<NumberedRule, 'seq' | 'id'>

/** Ages of records that may be deleted. Times are epoch milliseconds. */
export interface PurgeLimits {
  /** Revocations whose `until` is not after this. */
  readonly revocationsUntil: number
  /** Used assertions that expired by this time. */
  readonly assertionsUntil: number
  /** Audit entries older than this; null: none. */
  readonly auditBefore: number | null
}

/** What the service needs of a database. */
export interface Storage {
  /** Adds an account, its first credential and the audit entry, in one transaction. */
  createAccount(account: Account, credential: Credential, audit: AuditEntry): Promise<void>
  /**
   * Replaces all of an account but its `id` and `createdAt`, as long as its `updatedAt` is still the expected one:
   * false when another was faster, or when the account is gone. `next.updatedAt` must be greater than the expected one,
   * max(now, previous + 1), or a slower writer would not notice. `rules` change in the same transaction.
   */
  updateAccount(
    next: Account,
    expectedUpdatedAt: number,
    audits: readonly AuditEntry[],
    rules?: RuleChange,
  ): Promise<boolean>
  /**
   * Deletes an account with its credentials and origins, and adds the revocation that outlives them (kind `sub`,
   * see `endForGood`). False when there is no such account.
   */
  deleteAccount(id: string, revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /** Adds a credential to an account, suspended ones included; false when the account is not there. */
  createCredential(credential: Credential, audit: AuditEntry): Promise<boolean>
  /**
   * Gives a credential another secret, as long as it is not revoked and its `secretHash` is still the expected one;
   * else false.
   */
  replaceSecret(
    id: string,
    change: SecretChange,
    expectedSecretHash: string,
    audit: AuditEntry,
  ): Promise<boolean>
  /**
   * Revokes a credential at `at` (epoch milliseconds) permanently, and adds the revocation that ends its tokens (kind
   * `client_id`, see `endForGood`); false when it is revoked already, or unknown.
   */
  revokeCredential(id: string, at: number, revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /** Adds a revocation; false, and no audit entry, when one with its id is there already. */
  addRevocation(revocation: Revocation, audit: AuditEntry): Promise<boolean>
  /**
   * Adds a revocation in the name of its `account`, as long as fewer than `budget.ofAccount` unexpired ones of that
   * account, and fewer than `budget.ofAll` of all accounts, are on record. Judged in the same transaction.
   */
  addCustomerRevocation(
    revocation: Revocation & { readonly account: string },
    budget: RevocationBudget,
    audit: AuditEntry,
  ): Promise<BudgetedRevocation>
  /** Moves `before` and `until` of a revocation to later times; earlier ones change nothing. */
  raiseRevocation(id: string, before: number, until: number): Promise<void>
  /**
   * Notes when credentials were last used, epoch milliseconds by id, in one transaction. `lastUsedAt` only ever grows;
   * unknown ids are passed over.
   */
  touchCredentials(uses: ReadonlyMap<string, number>): Promise<void>
  /**
   * Marks an assertion of a client as used until `expiresAt` (epoch milliseconds): true when this call did, false when
   * one with this `jti` is marked already, also one that has expired and was not purged. Of several callers with one
   * `jti`, on any number of processes, exactly one gets true.
   */
  useAssertion(clientId: string, jti: string, expiresAt: number): Promise<boolean>
  /** Deletes up to a few hundred records of each kind that no longer matter; true when there may be more. */
  purge(limits: PurgeLimits): Promise<boolean>
  /**
   * The number of the last change of rules. Grows only with such changes, and includes all that were committed before
   * this call. One cheap look-up; may be synchronous.
   */
  readRuleSeq(): Promise<number>
  /**
   * Up to `limit` rules after a position, in the order of `seq`, then `id`: each rule that changed since, once, as it is
   * now. A lifted rule is listed with an `until` that has passed. Changes become visible in the order of their numbers.
   */
  listRuleChanges(after: RulePosition, limit: number): Promise<readonly NumberedRule[]>
  /** The account, or undefined. */
  getAccount(id: string): Promise<Account | undefined>
  /** Up to `limit` accounts after `after`, oldest first (createdAt, then id). */
  listAccounts(after: Position | undefined, limit: number): Promise<readonly Account[]>
  /** Credentials of an account, oldest first, revoked ones included. */
  listCredentials(accountId: string): Promise<readonly Credential[]>
  /** A credential and its account, or undefined. The only look-up on the issuing path; may be ready at once. */
  findCredential(id: string): MaybePromise<CredentialWithAccount | undefined>
  /** Whether some credential that exists, revoked ones included, was ever used (`lastUsedAt`). */
  hasUsedCredential(): Promise<boolean>
  /** Whether any account that exists lists one of these patterns (the exact stored texts). */
  isAnyOriginListed(patterns: readonly string[]): MaybePromise<boolean>
  /**
   * Whether some credential for pages that is in force at `now` belongs to an active account for pages
   * (`browserPrototype` of both) which lists one of these patterns (the exact stored texts), or, with `isLocalhost`,
   * allows localhost itself.
   */
  isPrototypeOriginListed(
    patterns: readonly string[],
    isLocalhost: boolean,
    now: number,
  ): MaybePromise<boolean>
  /** Appends one audit entry. */
  appendAudit(entry: AuditEntry): Promise<void>
  /** Appends one audit entry; false, and nothing is done, when one with its id is there already. */
  appendAuditOnce(entry: AuditEntry): Promise<boolean>
  /** Up to `limit` audit entries after a position in the order of `at`, then `id`; newest first by default. */
  listAudit(
    position: Position | undefined,
    limit: number,
    order?: 'newest' | 'oldest',
  ): Promise<readonly AuditEntry[]>
  /**
   * Records that tokens may live for `seconds`, and returns the longest lifetime that any process has recorded: tokens
   * issued before the limit was lowered are still valid. A shorter lifetime changes nothing.
   */
  raiseLongestLifetime(seconds: number): Promise<number>
  /** The longest token lifetime that any process has recorded, seconds; 0 when none has. Writes nothing. */
  readLongestLifetime(): Promise<number>
  /** Resolves when the database answers a read. Rejects with StorageError otherwise. */
  ping(): Promise<void>
  /** Releases the database. Further calls reject with StorageError; closing again does nothing. */
  close(): Promise<void>
}
