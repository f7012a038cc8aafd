// Accounts: input, creation, deletion, and the paths of the admin API. change-account.ts changes them.

import * as z from 'zod'
import type { Account, Credential } from '../claims/records/account.ts'
import { endForGood } from '../claims/records/revocation.ts'
import { invalidParameters, type ParameterFault, type Problem } from '../http/problem.ts'
import { randomBase62 } from '../lib/random.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { formatTime } from '../lib/time.ts'
import { createAccountId, createClientSecret, type HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { type Actor, createAuditEntry } from './audit.ts'
import { parseAccountPatch, updateAccount } from './change-account.ts'
import { type ShownCredential, showCredential, toWireCredential } from './credential.ts'
import { allowedOrigins, flag, lifetime, name, parseInput, scopes } from './input.ts'
import { type AdminPaths, answerJson, readInput } from './json-api.ts'
import { type AdminPorts, UNKNOWN_ACCOUNT } from './operation.ts'
import { ACCOUNT_ID, cutPage, parsePage } from './page.ts'
import { settleChange } from './settle.ts'

/** The members of a new account that the administrator chooses, in canonical form. */
export type AccountInput = Omit<Account, 'id' | 'status' | 'createdAt' | 'updatedAt'>

/** A new account and its first secret. The secret is shown this once. */
export interface CreatedAccount {
  readonly account: Account
  readonly credential: ShownCredential
}

/** Creates an account. `now` is epoch milliseconds. Resolves after the records are committed. */
export type CreateAccount = (input: AccountInput, actor: Actor, now: number) => Promise<CreatedAccount>

/** An account as JSON, its times in ISO 8601. */
export type WireAccount = Omit<Account, 'createdAt' | 'updatedAt'> & {
  readonly createdAt: string
  readonly updatedAt: string
}

/** Checks the JSON of a new account. `maxTtl`: the configured limit of token lifetimes, seconds. */
export function parseAccountInput(
  value: unknown,
  maxTtl: number,
): Result<AccountInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name,
    allowedOrigins,
    scopes: scopes.default([]),
    maxTtl: lifetime(maxTtl).default(null),
    browserPrototype: flag.default(false),
    requireOrigin: flag.default(false),
  })
  return parseInput(schema, value)
}

/** Returns a function that creates accounts in `storage`. */
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

/**
 * Deletes an account with its credentials and ends its tokens permanently. Resolves when no process issues tokens for
 * it any more. `now` is epoch milliseconds. Rejects with StorageError. `not_found`: the id is unknown.
 */
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

/** An account as the admin API and the command line show it. */
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
    createdAt: formatTime(account.createdAt),
    updatedAt: formatTime(account.updatedAt),
  }
}

/** The paths of accounts: create, list, show, change, delete. */
export function createAccountPaths(
  ports: AdminPorts & { readonly maxTtl: number; readonly flushUses: () => Promise<void> },
): AdminPaths {
  const { storage, hashSecret, maxTtl, flushUses } = ports
  const createAccount = createCreateAccount(storage, hashSecret)
  return {
    '/admin/accounts': {
      name: 'admin.accounts',
      methods: {
        async GET(context) {
          const asked = parsePage(context.request.url, ACCOUNT_ID)
          if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
          const { after, limit } = asked.value
          const records = await storage.listAccounts(after, limit + 1)
          const { page, nextCursor } = cutPage(records, limit, (account) => account.createdAt)
          return answerJson(context, 200, { accounts: page.map(toWireAccount), nextCursor })
        },
        async POST(context) {
          const input = await readInput(context.request, (value) => parseAccountInput(value, maxTtl))
          if (!input.ok) return context.refuse(input.reason)
          const { account, credential } = await createAccount(input.value, 'admin', context.now())
          return answerJson(context, 201, { account: toWireAccount(account), credential })
        },
      },
    },
    '/admin/accounts/:id': {
      name: 'admin.account',
      methods: {
        async GET(context) {
          await flushUses()
          const account = await storage.getAccount(context.params.id ?? '')
          if (account === undefined) return context.refuse(UNKNOWN_ACCOUNT)
          const credentials = await storage.listCredentials(account.id)
          return answerJson(context, 200, {
            account: toWireAccount(account),
            credentials: credentials.map((credential) =>
              toWireCredential(credential, account, context.now()),
            ),
          })
        },
        async PATCH(context) {
          const patch = await readInput(context.request, (value) => parseAccountPatch(value, maxTtl))
          if (!patch.ok) return context.refuse(patch.reason)
          const id = context.params.id ?? ''
          const updated = await updateAccount(ports, id, patch.value, 'admin', context.now())
          if (!updated.ok) return context.refuse(updated.reason)
          return answerJson(context, 200, { account: toWireAccount(updated.value) })
        },
        async DELETE(context) {
          const removed = await deleteAccount(ports, context.params.id ?? '', 'admin', context.now())
          return removed.ok ? context.answer(204, null, {}) : context.refuse(removed.reason)
        },
      },
    },
  }
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
