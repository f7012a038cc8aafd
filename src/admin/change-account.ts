// Changes of an account, each with its audit entries and revocations in one transaction.

import * as z from 'zod'
import type { Account, AuditEntry } from '../claims/records/account.ts'
import {
  endWhileSuspended,
  REVOCATION_MARGIN_MS,
  type Revocation,
  suspensionId,
} from '../claims/records/revocation.ts'
import type { ParameterFault, Problem } from '../http/problem.ts'
import { randomBase62 } from '../lib/random.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { sleep } from '../lib/timing.ts'
import type { RuleChange } from '../storage/storage.ts'
import { type Actor, createAuditEntry } from './audit.ts'
import { allowedOrigins, flag, lifetime, name, parseInput, scopes } from './input.ts'
import { type AdminPorts, conflict, UNKNOWN_ACCOUNT } from './operation.ts'
import { settleChange, settleRevocation, settlingMoment } from './settle.ts'

/** The members of an account to change and their new values, in canonical form. */
export type AccountPatch = Partial<Omit<Account, 'id' | 'createdAt' | 'updatedAt'>>

/** A requested change. With `endTokens` it also ends every token that the account has been issued so far. */
export type AccountPatchInput = AccountPatch & { readonly endTokens?: boolean }

/** How long a change is retried when other changes of the same account are written first. */
const RETRY_MS = 10_000

/** The longest random pause before the first retry. It doubles for each further retry, up to the last value. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 1600

/** Checks the JSON of a change. `maxTtl`: the configured limit of token lifetimes, seconds. */
export function parseAccountPatch(
  value: unknown,
  maxTtl: number,
): Result<AccountPatchInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name: name.exactOptional(),
    allowedOrigins: allowedOrigins.exactOptional(),
    scopes: scopes.exactOptional(),
    maxTtl: lifetime(maxTtl).exactOptional(),
    browserPrototype: flag.exactOptional(),
    requireOrigin: flag.exactOptional(),
    status: z.enum(['active', 'suspended'], { error: 'must be "active" or "suspended"' }).exactOptional(),
    endTokens: flag.exactOptional(),
  })
  return parseInput(schema, value)
}

/**
 * Changes an account and resolves to it as it is then. Members that already have the requested value do not count as
 * changed and leave no audit entry. After a change that narrows what the account may do, resolves only when no process
 * issues tokens by the earlier state any more; after a resumption, only when every process accepts its tokens again.
 * `now` is epoch milliseconds. Rejects with StorageError.
 *
 * `not_found`: the id is unknown. `conflict`: every attempt in ten seconds lost against another change of the account.
 */
export async function updateAccount(
  ports: Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'onChange' | 'settleMs'>,
  id: string,
  { endTokens, ...patch }: AccountPatchInput,
  actor: Actor,
  now: number,
): Promise<Result<Account, Problem>> {
  const { storage, settleMs } = ports
  const startedAt = performance.now()
  const lifetimeMs = ports.lifetimeSeconds * 1000
  const deadline = performance.now() + RETRY_MS
  let pauseMs = FIRST_PAUSE_MS
  do {
    const account = await storage.getAccount(id)
    if (account === undefined) return fail(UNKNOWN_ACCOUNT)
    const ended = endTokens ? endIssuedTokens(id, now, settleMs, lifetimeMs) : undefined
    const audits = createEntries(account, patch, actor, now)
    if (ended !== undefined) {
      const detail = { revocation: ended.id, kind: ended.kind }
      audits.push(createAuditEntry(actor, 'revocation.create', id, now, detail))
    }
    if (audits.length === 0) {
      // This may be a retry after a lost answer. The first change must have settled before this one is answered.
      if (now - account.updatedAt < settleMs) await settleChange(ports)
      return ok(account)
    }
    const next = { ...account, ...patch, updatedAt: Math.max(now, account.updatedAt + 1) }
    const rules = changeRules(account, next, ended, lifetimeMs)
    if (await storage.updateAccount(next, account.updatedAt, audits, rules)) {
      if (ended !== undefined) await settleRevocation(ports, ended, now, startedAt)
      // A resumption waits too: every process must accept the account's tokens when it is answered.
      else if (isNarrowed(account, next) || rules.lift.length > 0) await settleChange(ports)
      else await ports.onChange()
      return ok(next)
    }
    // The pause is random, because changes that collided once would otherwise collide again, and each attempt costs
    // queries.
    await sleep(Math.random() * pauseMs)
    pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
  } while (performance.now() < deadline)
  return fail(conflict('this account is being changed by others; read it and try again'))
}

/** Whether an account may do less after a change than before. */
export function isNarrowed(before: Account, after: Account): boolean {
  const hasLost = (earlier: readonly string[], later: readonly string[]): boolean =>
    earlier.some((entry) => !later.includes(entry))
  return (
    (before.status === 'active' && after.status !== 'active') ||
    hasLost(before.allowedOrigins, after.allowedOrigins) ||
    hasLost(before.scopes, after.scopes) ||
    (after.maxTtl !== null && after.maxTtl < (before.maxTtl ?? Number.POSITIVE_INFINITY)) ||
    (before.browserPrototype && !after.browserPrototype) ||
    (!before.requireOrigin && after.requireOrigin)
  )
}

/**
 * The changes of revocations that go with a change of an account: suspending adds one, resuming lifts it, and `ended`
 * is added if it is given.
 */
function changeRules(
  before: Account,
  after: Account,
  ended: Revocation | undefined,
  lifetimeMs: number,
): RuleChange {
  const isSuspended = before.status === 'active' && after.status === 'suspended'
  const isResumed = before.status === 'suspended' && after.status === 'active'
  return {
    put: [
      ...(isSuspended ? [endWhileSuspended(after.id, after.updatedAt, lifetimeMs)] : []),
      ...(ended === undefined ? [] : [ended]),
    ],
    lift: isResumed ? [suspensionId(after.id)] : [],
  }
}

/** The revocation that ends every token issued for the account before the answer. */
function endIssuedTokens(accountId: string, now: number, settleMs: number, lifetimeMs: number): Revocation {
  const before = settlingMoment(now, settleMs)
  const until = before + lifetimeMs + REVOCATION_MARGIN_MS
  return { id: randomBase62(16), kind: 'sub', value: accountId, account: null, before, until, createdAt: now }
}

/**
 * One audit entry for a change of status, and one for all other changes together, which names the changed members but
 * not their values. Empty when nothing changes.
 */
function createEntries(account: Account, patch: AccountPatch, actor: Actor, now: number): AuditEntry[] {
  const names = (Object.keys(patch) as (keyof AccountPatch)[]).filter(
    (name) => JSON.stringify(patch[name]) !== JSON.stringify(account[name]),
  )
  const changed = names.filter((name) => name !== 'status')
  const entries: AuditEntry[] = []
  if (changed.length > 0) {
    entries.push(createAuditEntry(actor, 'account.update', account.id, now, { changed }))
  }
  if (names.includes('status')) {
    const action = patch.status === 'suspended' ? 'account.suspend' : 'account.resume'
    entries.push(createAuditEntry(actor, action, account.id, now))
  }
  return entries
}
