// The storage port: what the service asks of a database, and what every adapter promises. No code at run time.
//
// Promises of every adapter, held by test/storage/contract.ts:
// - A call that resolved has been committed: it survives a crash of the process.
// - A write and its audit entry are one transaction: both are there or neither is.
// - What was read is a snapshot: frozen or fresh, never shared mutable state.
// - Nothing is cached inside an adapter; a decorator may (cached.ts).
// - Any fault of the database (locked, full, gone, read-only, an id that is taken) rejects with a StorageError; no call
//   throws at once.
// - Texts are kept to the character, U+0000 included, as long as they are well-formed Unicode (no lone surrogate).

import type { Account, AuditEntry, Credential, CredentialWithAccount } from '../claims/account.ts'
import type { MaybePromise } from '../claims/result.ts'

/** Where a page starts: after this record, in the listing's order. Opaque to callers of the API. */
export interface Position {
  readonly at: number
  readonly id: string
}

/** What the service needs of a database. */
export interface Storage {
  /** Adds an account, its first credential and the audit entry, in one transaction. */
  createAccount(account: Account, credential: Credential, audit: AuditEntry): Promise<void>
  /** The account, or undefined. */
  getAccount(id: string): Promise<Account | undefined>
  /** Up to `limit` accounts after `after`, oldest first (createdAt, then id). */
  listAccounts(after: Position | undefined, limit: number): Promise<readonly Account[]>
  /** Credentials of an account, oldest first, revoked ones included. */
  listCredentials(accountId: string): Promise<readonly Credential[]>
  /** A credential and its account, or undefined. The only look-up on the issuing path; may be ready at once. */
  findCredential(id: string): MaybePromise<CredentialWithAccount | undefined>
  /** Whether any account that exists lists one of these patterns (the exact stored texts). */
  isAnyOriginListed(patterns: readonly string[]): MaybePromise<boolean>
  /** Appends one audit entry. */
  appendAudit(entry: AuditEntry): Promise<void>
  /** Up to `limit` audit entries before `before`, newest first (at, then id). */
  listAudit(before: Position | undefined, limit: number): Promise<readonly AuditEntry[]>
  /** Resolves when the database answers a read. Rejects with StorageError otherwise. */
  ping(): Promise<void>
  /** Releases the database. Further calls reject with StorageError; closing again does nothing. */
  close(): Promise<void>
}
