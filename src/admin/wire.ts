// Records as the admin API and the command line show them: ISO 8601 times, no hash, no key.

import type { Account, AuditEntry, Credential } from '../claims/account.ts'
import type { KeyRecord } from '../signing/key-life.ts'
import type { ShownCredential } from './account.ts'
import type { RotatedCredential } from './credential.ts'
import type { CreatedRevocation } from './revocation.ts'

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

/** A credential's new secret as JSON. */
export type WireRotation = ShownCredential & { readonly previousExpiresAt: string }

/** A revocation as JSON, under the one name of what it ends. */
export type WireRevocation = Readonly<Partial<Record<'jti' | 'clientId' | 'sub' | 'kid', string>>> & {
  readonly id: string
  readonly issuedBefore: string
  readonly createdAt: string
  readonly expiresAt: string
}

/** A signing key as JSON: its life, no key material. */
export type WireKey = Pick<KeyRecord, 'kid' | 'alg' | 'state'> & {
  readonly createdAt: string
  readonly currentSince: string | null
  readonly expiresAt: string | null
}

/** An account as JSON. */
export function toWireAccount(account: Account): WireAccount {
  const { id, name, status, allowedOrigins, scopes, maxTtl, browserPrototype, requireOrigin } = account
  return {
    id,
    name,
    status,
    allowedOrigins,
    scopes,
    maxTtl,
    browserPrototype,
    requireOrigin,
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

/** A credential's new secret as JSON. */
export function toWireRotation({ previousExpiresAt, ...shown }: RotatedCredential): WireRotation {
  return { ...shown, previousExpiresAt: toIso(previousExpiresAt) }
}

/** A revocation as JSON. */
export function toWireRevocation({ revocation, issuedBefore }: CreatedRevocation): WireRevocation {
  const { id, kind, value, createdAt, until } = revocation
  return {
    id,
    [kind === 'client_id' ? 'clientId' : kind]: value,
    issuedBefore: toIso(issuedBefore),
    createdAt: toIso(createdAt),
    expiresAt: toIso(until),
  }
}

/** A signing key as JSON. */
export function toWireKey({ kid, alg, state, createdAt, currentSince, expiresAt }: KeyRecord): WireKey {
  return {
    kid,
    alg,
    state,
    createdAt: toIso(createdAt),
    currentSince: toIsoOrNull(currentSince),
    expiresAt: toIsoOrNull(expiresAt),
  }
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
