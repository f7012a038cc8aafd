// Making, changing and deleting accounts: from checked input to records, for the admin API and the command line alike.

import { type Account, type AuditEntry, type Credential, endForGood } from '../claims/account.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import type { Problem } from '../http/problem.ts'
import { randomBase62 } from '../signing/random.ts'
import {
  type ClientSecret,
  createAccountId,
  createClientSecret,
  formatAccountToken,
  type HashSecret,
} from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { type Actor, type AdminPorts, conflict, createAuditEntry } from './operation.ts'
import type { AccountInput, AccountPatch } from './parse.ts'

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
 * leaves no trace. `not_found`; `conflict` when others keep changing the account at the same moment.
 */
export async function updateAccount(
  { storage, onChange }: Pick<AdminPorts, 'storage' | 'onChange'>,
  id: string,
  patch: AccountPatch,
  actor: Actor,
  now: number,
): Promise<Result<Account, Problem>> {
  const deadline = performance.now() + RETRY_MS
  let pauseMs = FIRST_PAUSE_MS
  do {
    const account = await storage.getAccount(id)
    if (account === undefined) return fail(UNKNOWN_ACCOUNT)
    const audits = auditsOf(account, patch, actor, now)
    if (audits.length === 0) return ok(account)
    const next = { ...account, ...patch, updatedAt: Math.max(now, account.updatedAt + 1) }
    if (await storage.updateAccount(next, account.updatedAt, audits)) {
      await onChange()
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
  { storage, lifetimeSeconds, onChange }: Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'onChange'>,
  id: string,
  actor: Actor,
  now: number,
): Promise<Result<void, Problem>> {
  const rule = endForGood('sub', id, now, lifetimeSeconds * 1000)
  const revocation = { ...rule, id: randomBase62(16), createdAt: now }
  const audit = createAuditEntry(actor, 'account.delete', id, now)
  if (!(await storage.deleteAccount(id, revocation, audit))) return fail(UNKNOWN_ACCOUNT)
  await onChange()
  return ok(undefined)
}

/** One entry for a change of status, one for all other changes; none where nothing changes. Names, never values. */
function auditsOf(account: Account, patch: AccountPatch, actor: Actor, now: number): readonly AuditEntry[] {
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

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
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
