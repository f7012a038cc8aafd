// The storage port in this process's memory: for `memory:`, demos and tests. Nothing outlives the process.
// Records are copied in and handed out frozen.

import type { Account, AuditEntry, Credential } from '../claims/account.ts'
import { freezeDeep } from '../claims/freeze.ts'
import { StorageError } from './errors.ts'
import { mapMaybe } from './maybe.ts'
import type { Position, Storage } from './storage.ts'

/** An empty store. */
export function createMemoryStorage(): Storage {
  const accounts = new Map<string, Account>()
  const credentials = new Map<string, Credential>()
  const audit = new Map<string, AuditEntry>()
  let isClosed = false

  function requireOpen(): void {
    if (isClosed) throw new StorageError('the memory store is closed')
  }

  return {
    async createAccount(account, credential, entry) {
      requireOpen()
      const isTaken = accounts.has(account.id) || credentials.has(credential.id) || audit.has(entry.id)
      const isOrphan = credential.accountId !== account.id && !accounts.has(credential.accountId)
      if (isTaken || isOrphan)
        throw new StorageError('the memory store refused a record: its id is taken or its account is missing')
      accounts.set(account.id, copy(account))
      credentials.set(credential.id, copy(credential))
      audit.set(entry.id, copy(entry))
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
    async appendAudit(entry) {
      requireOpen()
      if (audit.has(entry.id))
        throw new StorageError('the memory store refused an audit entry: its id is taken')
      audit.set(entry.id, copy(entry))
    },
    async listAudit(before, limit) {
      requireOpen()
      return [...audit.values()]
        .filter((entry) => !before || comparePositions(entry, before) < 0)
        .sort((a, b) => comparePositions(b, a))
        .slice(0, limit)
    },
    async ping() {
      requireOpen()
    },
    async close() {
      isClosed = true
    },
  }
}

/** Through JSON, as every other adapter keeps the open-ended parts of a record. */
function copy<T>(record: T): T {
  return freezeDeep(JSON.parse(JSON.stringify(record)))
}

function positionOf({ createdAt, id }: Account | Credential): Position {
  return { at: createdAt, id }
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || Number(a.id > b.id) - Number(a.id < b.id)
}
