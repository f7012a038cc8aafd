// The storage port in this process's memory: for `memory:`, demos and tests. Nothing outlives the process.
// Records are copied in and handed out frozen.

import {
  type Account,
  type AuditEntry,
  type Credential,
  endForGood,
  endWhileSuspended,
  type Revocation,
  type RevocationRule,
} from '../claims/account.ts'
import { freezeDeep } from '../claims/freeze.ts'
import { StorageError } from './errors.ts'
import { mapMaybe } from './maybe.ts'
import type { Position, Storage } from './storage.ts'

/** An empty store. */
export function createMemoryStorage(): Storage {
  const accounts = new Map<string, Account>()
  const credentials = new Map<string, Credential>()
  const revocations = new Map<string, Revocation>()
  const audit = new Map<string, AuditEntry>()
  let longestLifetime = 0
  let isClosed = false

  function requireOpen(): void {
    if (isClosed) throw new StorageError('the memory store is closed')
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
    async updateAccount(next, expectedUpdatedAt, entries) {
      requireOpen()
      const stored = accounts.get(next.id)
      if (stored?.updatedAt !== expectedUpdatedAt) return false
      requireFree(audit, entries)
      keep(accounts, { ...next, createdAt: stored.createdAt })
      for (const entry of entries) keep(audit, entry)
      return true
    },
    async deleteAccount(id, revocation, entry) {
      requireOpen()
      if (!accounts.has(id)) return false
      requireFree(revocations, [revocation])
      requireFree(audit, [entry])
      accounts.delete(id)
      for (const credential of [...credentials.values()]) {
        if (credential.accountId === id) credentials.delete(credential.id)
      }
      keep(revocations, revocation)
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
    async revokeCredential(id, at, entry) {
      requireOpen()
      const stored = credentials.get(id)
      if (stored?.revokedAt !== null) return false
      requireFree(audit, [entry])
      keep(credentials, { ...stored, revokedAt: at })
      keep(audit, entry)
      return true
    },
    async addRevocation(revocation, entry) {
      requireOpen()
      if (revocations.has(revocation.id)) return false
      requireFree(audit, [entry])
      keep(revocations, revocation)
      keep(audit, entry)
      return true
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
    async purge(now) {
      requireOpen()
      for (const { id, until } of [...revocations.values()]) if (until <= now) revocations.delete(id)
    },
    async listRevocations(now, maxLifetimeMs) {
      requireOpen()
      const suspended = [...accounts.values()]
        .filter(({ status }) => status === 'suspended')
        .map(({ id }) => endWhileSuspended(id, now, maxLifetimeMs))
      const revoked = [...credentials.values()].flatMap(({ id, revokedAt }) =>
        revokedAt === null ? [] : [endForGood('client_id', id, revokedAt, maxLifetimeMs)],
      )
      return [...[...revocations.values()].map(toRule), ...suspended, ...revoked]
        .filter(({ until }) => until > now)
        .sort(compareRules)
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
    findCredential: (id) =>
      mapMaybe(requireOpen, () => {
        const credential = credentials.get(id)
        const account = credential && accounts.get(credential.accountId)
        return credential && account && { credential, account }
      }),
    isAnyOriginListed: (patterns) =>
      mapMaybe(requireOpen, () =>
        [...accounts.values()].some(({ allowedOrigins }) =>
          patterns.some((pattern) => allowedOrigins.includes(pattern)),
        ),
      ),
    isPrototypeOriginListed: (patterns, isLocalhost, now) =>
      mapMaybe(requireOpen, () =>
        [...credentials.values()].some((credential) => {
          const account = accounts.get(credential.accountId)
          const isInForce =
            credential.revokedAt === null && (credential.expiresAt === null || credential.expiresAt > now)
          if (!credential.browserPrototype || !isInForce || account?.status !== 'active') return false
          return (
            (isLocalhost && credential.allowLocalhost) ||
            patterns.some((pattern) => account.allowedOrigins.includes(pattern))
          )
        }),
      ),
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
    async listAudit(before, limit) {
      requireOpen()
      return [...audit.values()]
        .filter((entry) => !before || comparePositions(entry, before) < 0)
        .sort((a, b) => comparePositions(b, a))
        .slice(0, limit)
    },
    async raiseLongestLifetime(seconds) {
      requireOpen()
      longestLifetime = Math.max(longestLifetime, seconds)
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

/** Refuses a write, before anything of it is done, whose records bear an id that is taken. */
function requireFree(kept: ReadonlyMap<string, unknown>, records: readonly { readonly id: string }[]): void {
  const ids = new Set(records.map(({ id }) => id))
  if (ids.size < records.length || [...ids].some((id) => kept.has(id))) throw createRefusal()
}

function createRefusal(): StorageError {
  return new StorageError('the memory store refused a record: its id is taken or its account is missing')
}

function keep<T extends { readonly id: string }>(kept: Map<string, T>, record: T): void {
  kept.set(record.id, copy(record))
}

/** Through JSON, as every other adapter keeps the open-ended parts of a record. */
function copy<T>(record: T): T {
  return freezeDeep(JSON.parse(JSON.stringify(record)))
}

function toRule({ kind, value, before, until }: Revocation): RevocationRule {
  return { kind, value, before, until }
}

function compareRules(a: RevocationRule, b: RevocationRule): number {
  const [one, other] = [`${a.kind} ${a.value}`, `${b.kind} ${b.value}`]
  return Number(one > other) - Number(one < other) || a.before - b.before || a.until - b.until
}

function positionOf({ createdAt, id }: Account | Credential): Position {
  return { at: createdAt, id }
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || Number(a.id > b.id) - Number(a.id < b.id)
}
