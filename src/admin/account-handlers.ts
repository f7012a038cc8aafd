// /admin/accounts: making, listing, showing, changing and deleting accounts, and adding credentials to them.

import type { Handler } from '../http/context.ts'
import { invalidParameters } from '../http/problem.ts'
import { createCreateAccount, deleteAccount, UNKNOWN_ACCOUNT, updateAccount } from './account.ts'
import { parseAccountInput, parseAccountPatch } from './account-input.ts'
import { createCredential } from './credential.ts'
import { parseCredentialInput } from './credential-input.ts'
import { answerJson, readInput } from './exchange.ts'
import type { AdminPorts } from './operation.ts'
import { ACCOUNT_ID, cutPage, parsePage } from './page.ts'
import { toWireAccount, toWireCredential } from './wire.ts'

/** What these handlers need. */
export type AccountDeps = AdminPorts & {
  /** Writes down when credentials were last used, as far as that waits in memory. */
  readonly flushUses: () => Promise<void>
}

/** The handlers by what they do. */
export function createAccountHandlers(
  deps: AccountDeps,
): Readonly<Record<'create' | 'list' | 'show' | 'update' | 'remove' | 'addCredential', Handler>> {
  const { storage, maxTtl } = deps
  const createAccount = createCreateAccount(storage, deps.hashSecret)
  return {
    async create(context) {
      const input = await readInput(context.request, (value) => parseAccountInput(value, maxTtl))
      if (!input.ok) return context.refuse(input.reason)
      const { account, credential } = await createAccount(input.value, 'admin', context.now())
      return answerJson(context, 201, { account: toWireAccount(account), credential })
    },

    async list(context) {
      const asked = parsePage(context.request.url, ACCOUNT_ID)
      if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
      const { after, limit } = asked.value
      const records = await storage.listAccounts(after, limit + 1)
      const { page, nextCursor } = cutPage(records, limit, (account) => account.createdAt)
      return answerJson(context, 200, { accounts: page.map(toWireAccount), nextCursor })
    },

    async show(context) {
      await deps.flushUses()
      const account = await storage.getAccount(context.params.id ?? '')
      if (account === undefined) return context.refuse(UNKNOWN_ACCOUNT)
      const credentials = await storage.listCredentials(account.id)
      return answerJson(context, 200, {
        account: toWireAccount(account),
        credentials: credentials.map((credential) => toWireCredential(credential, account, context.now())),
      })
    },

    async update(context) {
      const patch = await readInput(context.request, (value) => parseAccountPatch(value, maxTtl))
      if (!patch.ok) return context.refuse(patch.reason)
      const updated = await updateAccount(deps, context.params.id ?? '', patch.value, 'admin', context.now())
      if (!updated.ok) return context.refuse(updated.reason)
      return answerJson(context, 200, { account: toWireAccount(updated.value) })
    },

    async remove(context) {
      const removed = await deleteAccount(deps, context.params.id ?? '', 'admin', context.now())
      return removed.ok ? context.answer(204, null, {}) : context.refuse(removed.reason)
    },

    async addCredential(context) {
      const input = await readInput(context.request, (value) => parseCredentialInput(value, context.now()))
      if (!input.ok) return context.refuse(input.reason)
      const created = await createCredential(
        deps,
        context.params.id ?? '',
        input.value,
        'admin',
        context.now(),
      )
      if (!created.ok) return context.refuse(created.reason)
      return answerJson(context, 201, { credential: created.value })
    },
  }
}
