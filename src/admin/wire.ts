// Records as the admin API and the command line show them: ISO 8601 times, no hash, no key.

import type { Account, AuditEntry, Credential } from '../claims/account.ts'

/** An account as JSON. */
export type WireAccount = Omit<Account, 'createdAt' | 'updatedAt'> & {
  readonly createdAt: string
  readonly updatedAt: string
}

/** A credential as JSON. */
export interface WireCredential {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'expired' | 'revoked'
  readonly scopes: readonly string[]
  readonly browserPrototype: boolean
  readonly allowLocalhost: boolean
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly expiresAt: string | null
  readonly previousExpiresAt: string | null
}

/** An audit entry as JSON. */
export type WireAudit = Omit<AuditEntry, 'at'> & { readonly at: string }

/** An account as JSON. */
export function toWireAccount(account: Account): WireAccount {
  const { id, name, status, allowedOrigins, scopes, maxTtl, browserPrototype } = account
  return {
    id,
    name,
    status,
    allowedOrigins,
    scopes,
    maxTtl,
    browserPrototype,
    createdAt: toIso(account.createdAt),
    updatedAt: toIso(account.updatedAt),
  }
}

/** A credential as JSON at `now` (epoch milliseconds). */
export function toWireCredential(credential: Credential, account: Account, now: number): WireCredential {
  const { id, name, browserPrototype, allowLocalhost } = credential
  return {
    id,
    name,
    status: statusOf(credential, now),
    scopes: credential.scopes ?? account.scopes,
    browserPrototype,
    allowLocalhost,
    createdAt: toIso(credential.createdAt),
    lastUsedAt: toIsoOrNull(credential.lastUsedAt),
    expiresAt: toIsoOrNull(credential.expiresAt),
    previousExpiresAt: toIsoOrNull(credential.previousExpiresAt),
  }
}

/** An audit entry as JSON. */
export function toWireAudit({ id, at, actor, action, target, detail }: AuditEntry): WireAudit {
  return { id, at: toIso(at), actor, action, target, detail }
}

function statusOf(credential: Credential, now: number): WireCredential['status'] {
  if (credential.revokedAt !== null) return 'revoked'
  return credential.expiresAt !== null && credential.expiresAt <= now ? 'expired' : 'active'
}

function toIso(time: number): string {
  return new Date(time).toISOString()
}

function toIsoOrNull(time: number | null): string | null {
  return time === null ? null : toIso(time)
}
