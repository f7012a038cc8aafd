// The storage port in the memory of this process, for `memory:`, demos and tests. Records are lost when the process
// ends. Each record is copied and frozen when it is stored.

import type { Account, AuditEntry, Credential } from '../claims/records/account.ts'
import type { Revocation } from '../claims/records/revocation.ts'
import { freezeDeep } from '../lib/freeze.ts'
import { StorageError } from './errors.ts'
import { createMemoryRules } from './memory-rules.ts'
import type { Position, Storage } from './storage.ts'

/** Creates an empty store in memory. */
export function createMemoryStorage(): Storage {
  const accounts = new Map<string, Account>()
  const credentials = new Map<string, Credential>()
  const rules = createMemoryRules()
  const audit = new Map<string, AuditEntry>()
  /** When used assertions expire, by client and `jti`; epoch milliseconds. */
  const assertions = new Map<string, number>()
  let longestLifetime = 0
  let isClosed = false

  function requireOpen(): void {
    if (isClosed) throw new StorageError('the memory store is closed', undefined, 'closed')
  }

  return {
    async createAccount(account, credential, entry) {
      requireOpen()
      requireFree(accounts, [account])
      requireFree(credentials, [credential])
      requireFree(audit, [entry])
      if (credential.accountId !== account.id && !accounts.has(credential.accountId)) throw createRefusal()
      keep(accounts, account)
      keep(credentials, credential)
      keep(audit, entry)
    },
    async updateAccount(next, expectedUpdatedAt, entries, changes) {
      requireOpen()
      const stored = accounts.get(next.id)
      if (stored?.updatedAt !== expectedUpdatedAt) return false
      requireFree(audit, entries)
      keep(accounts, { ...next, createdAt: stored.createdAt })
      for (const entry of entries) keep(audit, entry)
      if (changes !== undefined) rules.change(changes, next.updatedAt)
      return true
    },
    async deleteAccount(id, revocation, entry) {
      requireOpen()
      if (!accounts.has(id)) return false
      requireFree(audit, [entry])
      accounts.delete(id)
      for (const credential of [...credentials.values()]) {
        if (credential.accountId === id) credentials.delete(credential.id)
      }
      rules.change({ put: [revocation], lift: [] }, 0)
      keep(audit, entry)
      return true
    },
    async createCredential(credential, entry) {
      requireOpen()
      if (!accounts.has(credential.accountId)) return false
      requireFree(credentials, [credential])
      requireFree(audit, [entry])
      keep(credentials, credential)
      keep(audit, entry)
      return true
    },
    async replaceSecret(id, { secretHash, previousHash, previousExpiresAt }, expectedSecretHash, entry) {
      requireOpen()
      const stored = credentials.get(id)
      if (stored?.secretHash !== expectedSecretHash || stored.revokedAt !== null) return false
      requireFree(audit, [entry])
      keep(credentials, { ...stored, secretHash, previousHash, previousExpiresAt })
      keep(audit, entry)
      return true
    },
    async revokeCredential(id, at, revocation, entry) {
      requireOpen()
      const stored = credentials.get(id)
      if (stored?.revokedAt !== null) return false
      requireFree(audit, [entry])
      keep(credentials, { ...stored, revokedAt: at })
      rules.change({ put: [revocation], lift: [] }, 0)
      keep(audit, entry)
      return true
    },
    async addRevocation(revocation, entry) {
      requireOpen()
      if (rules.has(revocation.id)) return false
      requireFree(audit, [entry])
      rules.change({ put: [revocation], lift: [] }, 0)
      keep(audit, entry)
      return true
    },
    async addCustomerRevocation(revocation, budget, entry) {
      requireOpen()
      const result = rules.checkBudget(revocation, budget)
      if (result.outcome !== 'added') return result
      requireFree(audit, [entry])
      rules.change({ put: [revocation], lift: [] }, 0)
      keep(audit, entry)
      return result
    },
    async raiseRevocation(id, before, until) {
      requireOpen()
      rules.raise(id, before, until)
    },
    async touchCredentials(uses) {
      requireOpen()
      for (const [id, at] of uses) {
        const stored = credentials.get(id)
        if (stored && (stored.lastUsedAt === null || stored.lastUsedAt < at)) {
          keep(credentials, { ...stored, lastUsedAt: at })
        }
      }
    },
    async useAssertion(clientId, jti, expiresAt) {
      requireOpen()
      const key = JSON.stringify([clientId, jti])
      if (assertions.has(key)) return false
      assertions.set(key, expiresAt)
      return true
    },
    async purge({ revocationsUntil, assertionsUntil, auditBefore }) {
      requireOpen()
      rules.purge(revocationsUntil)
      for (const [key, expiresAt] of assertions) if (expiresAt <= assertionsUntil) assertions.delete(key)
      for (const { id, at } of [...audit.values()]) if (at < (auditBefore ?? 0)) audit.delete(id)
      return false
    },
    async readRuleSeq() {
      requireOpen()
      return rules.seq()
    },
    async listRuleChanges(after, limit) {
      requireOpen()
      return rules.list(after, limit)
    },
    async listRevocations(after, limit, now) {
      requireOpen()
      return rules
        .listLive(now)
        .filter((one) => !after || comparePositions(positionOf(one), after) < 0)
        .toSorted((a, b) => comparePositions(positionOf(b), positionOf(a)))
        .slice(0, limit)
    },
    async getAccount(id) {
      requireOpen()
      return accounts.get(id)
    },
    async listAccounts(after, limit) {
      requireOpen()
      return [...accounts.values()]
        .filter((account) => !after || comparePositions(positionOf(account), after) > 0)
        .sort((a, b) => comparePositions(positionOf(a), positionOf(b)))
        .slice(0, limit)
    },
    async listCredentials(accountId) {
      requireOpen()
      return [...credentials.values()]
        .filter((credential) => credential.accountId === accountId)
        .sort((a, b) => comparePositions(positionOf(a), positionOf(b)))
    },
    async findCredential(id) {
      requireOpen()
      const credential = credentials.get(id)
      const account = credential && accounts.get(credential.accountId)
      return credential && account && { credential, account }
    },
    async hasUsedCredential() {
      requireOpen()
      return [...credentials.values()].some(({ lastUsedAt }) => lastUsedAt !== null)
    },
    async isAnyOriginListed(patterns) {
      requireOpen()
      return [...accounts.values()].some(({ allowedOrigins }) =>
        patterns.some((pattern) => allowedOrigins.includes(pattern)),
      )
    },
    async isPrototypeOriginListed(patterns, isLocalhost, now) {
      requireOpen()
      return [...credentials.values()].some((credential) => {
        const account = accounts.get(credential.accountId)
        const isInForce =
          credential.revokedAt === null && (credential.expiresAt === null || credential.expiresAt > now)
        if (!credential.browserPrototype || !isInForce) return false
        if (account?.status !== 'active' || !account.browserPrototype) return false
        return (
          (isLocalhost && credential.allowLocalhost) ||
          patterns.some((pattern) => account.allowedOrigins.includes(pattern))
        )
      })
    },
    async appendAudit(entry) {
      requireOpen()
      requireFree(audit, [entry])
      keep(audit, entry)
    },
    async appendAuditOnce(entry) {
      requireOpen()
      if (audit.has(entry.id)) return false
      keep(audit, entry)
      return true
    },
    async listAudit(position, limit, order = 'newest') {
      requireOpen()
      const sign = order === 'newest' ? -1 : 1
      return [...audit.values()]
        .filter((entry) => !position || sign * comparePositions(entry, position) > 0)
        .sort((a, b) => sign * comparePositions(a, b))
        .slice(0, limit)
    },
    async raiseLongestLifetime(seconds) {
      requireOpen()
      longestLifetime = Math.max(longestLifetime, seconds)
      return longestLifetime
    },
    async readLongestLifetime() {
      requireOpen()
      return longestLifetime
    },
    async ping() {
      requireOpen()
    },
    async close() {
      isClosed = true
    },
  }
}

/** Throws StorageError when an id exists or occurs twice. Called before a write changes anything. */
function requireFree(kept: ReadonlyMap<string, unknown>, records: readonly { readonly id: string }[]): void {
  const ids = new Set(records.map(({ id }) => id))
  if (ids.size < records.length || [...ids].some((id) => kept.has(id))) throw createRefusal()
}

function createRefusal(): StorageError {
  return new StorageError(
    'the memory store refused a record: its id is taken or its account is missing',
    undefined,
    'conflict',
  )
}

function keep<T extends { readonly id: string }>(kept: Map<string, T>, record: T): void {
  kept.set(record.id, copy(record))
}

/** A frozen copy. Made through JSON, because the other adapters store lists and objects as JSON. */
function copy<T>(record: T): T {
  return freezeDeep(JSON.parse(JSON.stringify(record)))
}

function positionOf({ createdAt, id }: Account | Credential | Revocation): Position {
  return { at: createdAt, id }
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || Number(a.id > b.id) - Number(a.id < b.id)
}
