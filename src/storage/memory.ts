// The storage port in this process's memory: for `memory:`, demos and tests. Nothing outlives the process.
// Records are copied in and handed out frozen.

import {
  type Account,
  type AuditEntry,
  type Credential,
  LATE_MINT_MS,
  type NumberedRule,
  type Revocation,
} from '../claims/account.ts'
import { freezeDeep } from '../claims/freeze.ts'
import { StorageError } from './errors.ts'
import { mapMaybe } from './maybe.ts'
import type { Position, RulePosition, Storage } from './storage.ts'

type NumberedRevocation = Revocation & NumberedRule

/** An empty store. */
export function createMemoryStorage(): Storage {
  const accounts = new Map<string, Account>()
  const credentials = new Map<string, Credential>()
  const revocations = new Map<string, NumberedRevocation>()
  let ruleSeq = 1
  const audit = new Map<string, AuditEntry>()
  /** When marks of assertions expire, by client and `jti`. */
  const assertions = new Map<string, number>()
  let longestLifetime = 0
  let isClosed = false

  function requireOpen(): void {
    if (isClosed) throw new StorageError('the memory store is closed')
  }

  /** One change, whatever it holds. */
  function keepRules(changed: readonly Revocation[]): void {
    if (changed.length === 0) return
    ruleSeq += 1
    for (const rule of changed) keep(revocations, { ...rule, seq: ruleSeq })
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
    async updateAccount(next, expectedUpdatedAt, entries, { put, lift } = { put: [], lift: [] }) {
      requireOpen()
      const stored = accounts.get(next.id)
      if (stored?.updatedAt !== expectedUpdatedAt) return false
      requireFree(audit, entries)
      keep(accounts, { ...next, createdAt: stored.createdAt })
      for (const entry of entries) keep(audit, entry)
      const lifted = lift.flatMap((one) => revocations.get(one) ?? [])
      // Over by every clock that may judge it: others may be behind, and verifiers round up to whole seconds.
      const liftedUntil = next.updatedAt - LATE_MINT_MS
      const ended = lifted.filter(({ until }) => until > liftedUntil)
      keepRules([...put, ...ended.map((rule) => ({ ...rule, until: liftedUntil }))])
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
      keepRules([revocation])
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
      keepRules([revocation])
      keep(audit, entry)
      return true
    },
    async addRevocation(revocation, entry) {
      requireOpen()
      if (revocations.has(revocation.id)) return false
      requireFree(audit, [entry])
      keepRules([revocation])
      keep(audit, entry)
      return true
    },
    async addCustomerRevocation(revocation, budget, entry) {
      requireOpen()
      if (revocations.has(revocation.id)) return { outcome: 'repeated' }
      const live = [...revocations.values()].filter(({ until }) => until > revocation.createdAt)
      const own = live.filter(({ account }) => account === revocation.account)
      if (own.length >= budget.ofAccount) {
        return { outcome: 'account_full', until: Math.min(...own.map(({ until }) => until)) }
      }
      if (live.filter(({ account }) => account !== null).length >= budget.ofAll)
        return { outcome: 'all_full' }
      requireFree(audit, [entry])
      keepRules([revocation])
      keep(audit, entry)
      return { outcome: 'added' }
    },
    async raiseRevocation(id, before, until) {
      requireOpen()
      const rule = revocations.get(id)
      if (rule && rule.before < before) keepRules([{ ...rule, before, until: Math.max(rule.until, until) }])
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
      for (const { id, until } of [...revocations.values()]) {
        if (until <= revocationsUntil) revocations.delete(id)
      }
      for (const [key, expiresAt] of assertions) if (expiresAt <= assertionsUntil) assertions.delete(key)
      for (const { id, at } of [...audit.values()]) if (at < (auditBefore ?? 0)) audit.delete(id)
      return false
    },
    readRuleSeq: () => mapMaybe(requireOpen, () => ruleSeq),
    async listRuleChanges(after, limit) {
      requireOpen()
      return [...revocations.values()]
        .filter((rule) => compareNumbers(rule, after) > 0)
        .sort(compareNumbers)
        .slice(0, limit)
        .map(({ createdAt: _, ...rule }) => rule)
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
    async hasUsedCredential() {
      requireOpen()
      return [...credentials.values()].some(({ lastUsedAt }) => lastUsedAt !== null)
    },
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
          if (!credential.browserPrototype || !isInForce) return false
          if (account?.status !== 'active' || !account.browserPrototype) return false
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

function compareNumbers(a: RulePosition, b: RulePosition): number {
  return a.seq - b.seq || Number(a.id > b.id) - Number(a.id < b.id)
}

function positionOf({ createdAt, id }: Account | Credential): Position {
  return { at: createdAt, id }
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || Number(a.id > b.id) - Number(a.id < b.id)
}
