// Making, changing and deleting accounts: from checked input to records, for the admin API and the command line alike.

import {
  type Account,
  type AuditEntry,
  type Credential,
  endForGood,
  endWhileSuspended,
  LATE_MINT_MS,
  type Revocation,
  suspensionId,
} from '../claims/account.ts'
import type { Problem } from '../http/problem.ts'
import { randomBase62 } from '../lib/random.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { sleep } from '../lib/timing.ts'
import {
  type ClientSecret,
  createAccountId,
  createClientSecret,
  formatAccountToken,
  type HashSecret,
} from '../signing/secret.ts'
import type { RuleChange, Storage } from '../storage/storage.ts'
import type { AccountInput, AccountPatch, AccountPatchInput } from './account-input.ts'
import { type Actor, type AdminPorts, conflict, createAuditEntry } from './operation.ts'
import { isNarrowed, settleChange, settleRevocation, settlingMoment } from './settle.ts'

/** A new account, and its first secret: the only time it is shown. */
export interface CreatedAccount {
  readonly account: Account
  readonly credential: ShownCredential
}

/** A secret in both its spellings. */
export interface ShownCredential extends ClientSecret {
  readonly id: string
  /** Account token. */
  readonly token: string
}

/** Creates accounts; `now` is epoch milliseconds. Resolves once the records are safe. */
export type CreateAccount = (input: AccountInput, actor: Actor, now: number) => Promise<CreatedAccount>

/** No account has this id. */
export const UNKNOWN_ACCOUNT: Problem = { code: 'not_found', detail: 'there is no account with this id' }

/** For how long a change starts anew because another one was faster. */
const RETRY_MS = 6000

/** Longest pause before its first new start; twice as long before each further one, up to the last. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 1600

/** Creation in this store. */
export function createCreateAccount(storage: Storage, hashSecret: HashSecret): CreateAccount {
  return async (input, actor, now) => {
    const account: Account = {
      id: createAccountId(),
      name: input.name,
      status: 'active',
      allowedOrigins: input.allowedOrigins,
      scopes: input.scopes,
      maxTtl: input.maxTtl,
      browserPrototype: input.browserPrototype,
      requireOrigin: input.requireOrigin,
      createdAt: now,
      updatedAt: now,
    }
    const pair = createClientSecret()
    const credential = firstCredential(account, pair.clientId, await hashSecret(pair.clientSecret))
    const detail = { name: account.name, credential: credential.id }
    const audit = createAuditEntry(actor, 'account.create', account.id, now, detail)
    await storage.createAccount(account, credential, audit)
    return { account, credential: showCredential(pair) }
  }
}

/** A secret as it is shown, once. */
export function showCredential(pair: ClientSecret): ShownCredential {
  return { id: pair.clientId, token: formatAccountToken(pair), ...pair }
}

/**
 * Changes the members that `patch` names, and gives the account as it is then. What is so already is no change and
 * leaves no trace. A change that narrows what the account may do is answered once no process issues by what was before.
 * `not_found`; `conflict` when others keep changing the account at the same moment.
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
    const ended = endTokens ? endIssued(id, now, settleMs, lifetimeMs) : undefined
    const audits = auditsOf(account, patch, actor, now)
    if (ended !== undefined) {
      const detail = { revocation: ended.id, kind: ended.kind }
      audits.push(createAuditEntry(actor, 'revocation.create', id, now, detail))
    }
    if (audits.length === 0) {
      // Perhaps a retry after a lost answer: the first change must have settled too.
      if (now - account.updatedAt < settleMs) await settleChange(ports)
      return ok(account)
    }
    const next = { ...account, ...patch, updatedAt: Math.max(now, account.updatedAt + 1) }
    const rules = changeRules(account, next, ended, lifetimeMs)
    if (await storage.updateAccount(next, account.updatedAt, audits, rules)) {
      if (ended !== undefined) await settleRevocation(ports, ended, now, startedAt)
      // Resumed accounts too: their tokens are accepted everywhere once this is answered.
      else if (isNarrowed(account, next) || rules.lift.length > 0) await settleChange(ports)
      else await ports.onChange()
      return ok(next)
    }
    // Those that lost together must not start together, and each start costs queries.
    await sleep(Math.random() * pauseMs)
    pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
  } while (performance.now() < deadline)
  return fail(conflict('others are changing this account at the same moment; look at it and try again'))
}

/** Deletes an account with its credentials and ends its tokens for good. `not_found`. */
export async function deleteAccount(
  ports: Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'onChange' | 'settleMs'>,
  id: string,
  actor: Actor,
  now: number,
): Promise<Result<void, Problem>> {
  const { storage, lifetimeSeconds } = ports
  const rule = endForGood('sub', id, now, lifetimeSeconds * 1000)
  const revocation = { ...rule, id: randomBase62(16), createdAt: now }
  const audit = createAuditEntry(actor, 'account.delete', id, now)
  if (!(await storage.deleteAccount(id, revocation, audit))) return fail(UNKNOWN_ACCOUNT)
  await settleChange(ports)
  return ok(undefined)
}

/** What a change of an account does to its revocations: suspending adds one, resuming lifts it. */
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

/** The revocation of every token that the account is given before the answer. */
function endIssued(accountId: string, now: number, settleMs: number, lifetimeMs: number): Revocation {
  const before = settlingMoment(now, settleMs)
  const until = before + lifetimeMs + LATE_MINT_MS
  return { id: randomBase62(16), kind: 'sub', value: accountId, account: null, before, until, createdAt: now }
}

/** One entry for a change of status, one for all other changes; none where nothing changes. Names, never values. */
function auditsOf(account: Account, patch: AccountPatch, actor: Actor, now: number): AuditEntry[] {
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

function firstCredential(account: Account, id: string, secretHash: string): Credential {
  return {
    id,
    accountId: account.id,
    name: 'default',
    scopes: null,
    browserPrototype: account.browserPrototype,
    allowLocalhost: true,
    secretHash,
    previousHash: null,
    previousExpiresAt: null,
    jwks: null,
    expiresAt: null,
    revokedAt: null,
    createdAt: account.createdAt,
    lastUsedAt: null,
  }
}
