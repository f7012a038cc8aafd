// Converts records to rows and back. Every column is checked when it is read: a damaged row throws StorageError, instead
// of becoming a record with, for example, an unknown status.

import type { Account, AuditAction, AuditEntry, Credential } from '../../claims/records/account.ts'
import {
  type NumberedRule,
  type Revocation,
  type RevocationRule,
  revocationKinds,
} from '../../claims/records/revocation.ts'
import { StorageError } from '../errors.ts'
import type { SqlRow } from './engine.ts'
import type { AccountRow, AuditRow, CredentialRow, RevocationRow } from './schema.ts'

const STATUSES = ['active', 'suspended'] as const satisfies readonly Account['status'][]

const ACTIONS: Readonly<Record<AuditAction, true>> = {
  'account.create': true,
  'account.update': true,
  'account.delete': true,
  'account.suspend': true,
  'account.resume': true,
  'credential.create': true,
  'credential.rotate': true,
  'credential.revoke': true,
  'revocation.create': true,
  'key.rotate': true,
  secret_in_browser: true,
}

/** The row of an account. */
export function formatAccount(account: Account): AccountRow {
  return {
    id: account.id,
    name: account.name,
    status: account.status,
    allowed_origins: JSON.stringify(account.allowedOrigins),
    scopes: JSON.stringify(account.scopes),
    max_ttl: account.maxTtl,
    browser_prototype: Number(account.browserPrototype),
    require_origin: Number(account.requireOrigin),
    created_at: account.createdAt,
    updated_at: account.updatedAt,
  }
}

/** The account in a row. `prefix` comes before each column name. Throws StorageError when a column is damaged. */
export function parseAccount(row: SqlRow, prefix = ''): Account {
  return {
    id: readText(row, `${prefix}id`),
    name: readText(row, `${prefix}name`),
    status: readOneOf(row, `${prefix}status`, STATUSES),
    allowedOrigins: readTexts(row, `${prefix}allowed_origins`),
    scopes: readTexts(row, `${prefix}scopes`),
    maxTtl: orNull(row, `${prefix}max_ttl`, readInteger),
    browserPrototype: readBoolean(row, `${prefix}browser_prototype`),
    requireOrigin: readBoolean(row, `${prefix}require_origin`),
    createdAt: readInteger(row, `${prefix}created_at`),
    updatedAt: readInteger(row, `${prefix}updated_at`),
  }
}

/** The row of a credential. */
export function formatCredential(credential: Credential): CredentialRow {
  return {
    id: credential.id,
    account_id: credential.accountId,
    name: credential.name,
    scopes: credential.scopes && JSON.stringify(credential.scopes),
    browser_prototype: Number(credential.browserPrototype),
    allow_localhost: Number(credential.allowLocalhost),
    secret_hash: credential.secretHash,
    previous_hash: credential.previousHash,
    previous_expires_at: credential.previousExpiresAt,
    jwks: credential.jwks,
    expires_at: credential.expiresAt,
    revoked_at: credential.revokedAt,
    created_at: credential.createdAt,
    last_used_at: credential.lastUsedAt,
  }
}

/** The credential in a row. Throws StorageError when a column is damaged. */
export function parseCredential(row: SqlRow): Credential {
  return {
    id: readText(row, 'id'),
    accountId: readText(row, 'account_id'),
    name: readText(row, 'name'),
    scopes: orNull(row, 'scopes', readTexts),
    browserPrototype: readBoolean(row, 'browser_prototype'),
    allowLocalhost: readBoolean(row, 'allow_localhost'),
    secretHash: orNull(row, 'secret_hash', readText),
    previousHash: orNull(row, 'previous_hash', readText),
    previousExpiresAt: orNull(row, 'previous_expires_at', readInteger),
    jwks: orNull(row, 'jwks', readText),
    expiresAt: orNull(row, 'expires_at', readInteger),
    revokedAt: orNull(row, 'revoked_at', readInteger),
    createdAt: readInteger(row, 'created_at'),
    lastUsedAt: orNull(row, 'last_used_at', readInteger),
  }
}

/** The row of a revocation, without the number of the change that writes it. */
export function formatRevocation(revocation: Revocation): Omit<RevocationRow, 'seq'> {
  return {
    id: revocation.id,
    kind: revocation.kind,
    value: revocation.value,
    before: revocation.before,
    until: revocation.until,
    created_at: revocation.createdAt,
    account_id: revocation.account,
  }
}

/** The rule in a row. Throws StorageError when a column is damaged. */
export function parseRule(row: SqlRow): NumberedRule {
  return {
    id: readText(row, 'id'),
    seq: readInteger(row, 'seq'),
    ...parseTerms(row),
  }
}

function parseTerms(row: SqlRow): RevocationRule {
  return {
    kind: readOneOf(row, 'kind', revocationKinds),
    value: readText(row, 'value'),
    account: orNull(row, 'account_id', readText),
    before: readInteger(row, 'before'),
    until: readInteger(row, 'until'),
  }
}

/** The revocation in a row. Throws StorageError when a column is damaged. */
export function parseRevocation(row: SqlRow): Revocation {
  return {
    id: readText(row, 'id'),
    ...parseTerms(row),
    createdAt: readInteger(row, 'created_at'),
  }
}

/** The row of an audit entry. */
export function formatAudit(entry: AuditEntry): AuditRow {
  return {
    id: entry.id,
    at: entry.at,
    actor: entry.actor,
    action: entry.action,
    target: entry.target,
    detail: entry.detail && JSON.stringify(entry.detail),
  }
}

/** The audit entry in a row. Throws StorageError when a column is damaged. */
export function parseAudit(row: SqlRow): AuditEntry {
  return {
    id: readText(row, 'id'),
    at: readInteger(row, 'at'),
    actor: readText(row, 'actor'),
    action: readOneOf(row, 'action', Object.keys(ACTIONS) as AuditAction[]),
    target: readText(row, 'target'),
    detail: orNull(row, 'detail', readObject),
  }
}

/** The text in a column. Throws StorageError when it is not text. */
export function readText(row: SqlRow, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw damaged(column)
  return value
}

/** The whole number in a column. Throws StorageError when it is not a safe integer. */
export function readInteger(row: SqlRow, column: string): number {
  const value = row[column]
  if (!Number.isSafeInteger(value)) throw damaged(column)
  return value as number
}

/** The text in a column, which is one of `known`. Throws StorageError for any other value. */
export function readOneOf<T extends string>(row: SqlRow, column: string, known: readonly T[]): T {
  const found = known.find((text) => text === row[column])
  if (found === undefined) throw damaged(column)
  return found
}

/** Null when the column is null; otherwise the result of `read`. Throws StorageError when `read` does. */
export function orNull<T>(row: SqlRow, column: string, read: (row: SqlRow, column: string) => T): T | null {
  return row[column] === null ? null : read(row, column)
}

function readBoolean(row: SqlRow, column: string): boolean {
  const value = row[column]
  if (value !== 0 && value !== 1) throw damaged(column)
  return value === 1
}

function readTexts(row: SqlRow, column: string): readonly string[] {
  const value = readJson(row, column)
  if (!Array.isArray(value) || !value.every((member) => typeof member === 'string')) throw damaged(column)
  return value
}

function readObject(row: SqlRow, column: string): Readonly<Record<string, unknown>> {
  const value = readJson(row, column)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(column)
  return value as Record<string, unknown>
}

function readJson(row: SqlRow, column: string): unknown {
  const text = readText(row, column)
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error would quote the data.
    throw damaged(column)
  }
}

function damaged(column: string): StorageError {
  return new StorageError(
    `the database has a damaged record: column ${column} has an invalid value`,
    undefined,
    'damaged',
  )
}
