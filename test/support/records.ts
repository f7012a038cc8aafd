// Complete records for tests of storage, each with its own ids.

import type { Account, AuditEntry, Credential } from '../../src/claims/records/account.ts'
import type { Revocation, RevocationRule } from '../../src/claims/records/revocation.ts'
import type { Storage } from '../../src/storage/storage.ts'

let serial = 0

/** A text that differs from all earlier ones and sorts after them. */
export function nextId(prefix: string): string {
  serial++
  return `${prefix}${String(serial).padStart(8, '0')}`
}

export function makeAccount(changes: Partial<Account> = {}): Account {
  return {
    id: nextId('acct_'),
    name: 'Garden Shop',
    status: 'active',
    allowedOrigins: ['https://shop.example'],
    scopes: ['plants:read', 'plants:write'],
    maxTtl: null,
    browserPrototype: false,
    requireOrigin: false,
    createdAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_001,
    ...changes,
  }
}

export function makeCredential(accountId: string, changes: Partial<Credential> = {}): Credential {
  return {
    id: nextId('cred'),
    accountId,
    name: 'first',
    scopes: null,
    browserPrototype: false,
    allowLocalhost: false,
    secretHash: 'c2VjcmV0LWhhc2g',
    previousHash: null,
    previousExpiresAt: null,
    jwks: null,
    expiresAt: null,
    revokedAt: null,
    createdAt: 1_700_000_000_000,
    lastUsedAt: null,
    ...changes,
  }
}

export function makeRevocation(changes: Partial<Revocation> = {}): Revocation {
  return {
    id: nextId('rev_'),
    kind: 'jti',
    value: nextId('jti'),
    account: null,
    before: 1_700_000_000_000,
    until: 1_700_086_400_000,
    createdAt: 1_700_000_000_000,
    ...changes,
  }
}

export function makeAudit(changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: nextId('aud_'),
    at: 1_700_000_000_000,
    actor: 'admin',
    action: 'account.create',
    target: 'acct_x',
    detail: null,
    ...changes,
  }
}

/** The revocation that is stored when a credential ends at `at`. */
export function makeCredentialEnd(id: string, at = 1_700_000_000_000): Revocation {
  return makeRevocation({
    id: `credential_${id}`,
    kind: 'client_id',
    value: id,
    before: at + 300_000,
    until: at + 3_900_000,
    createdAt: at,
  })
}

/** The rules in force at `now`, in the order of their last change. */
export async function listRules(storage: Storage, now = 1_700_000_000_000): Promise<RevocationRule[]> {
  const rules = await storage.listRuleChanges({ seq: -1, id: '' }, 1_000_000)
  return rules.filter(({ until }) => until > now).map(({ id: _, seq: __, ...rule }) => rule)
}

/** Stores an account with a credential and an audit entry; resolves to all three. */
export async function addAccount(
  storage: Storage,
  changes: Partial<Account> = {},
): Promise<{ account: Account; credential: Credential; audit: AuditEntry }> {
  const account = makeAccount(changes)
  const credential = makeCredential(account.id)
  const audit = makeAudit({ target: account.id })
  await storage.createAccount(account, credential, audit)
  return { account, credential, audit }
}
