// The admin API: JSON in, JSON out, every change on record. Each path behind the guard, unknown ones too.

import { type Handler, type Methods, NO_STORE, type Route } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { invalidParameters, NOT_FOUND } from '../http/problem.ts'
import { after } from '../lib/result.ts'
import type { Storage } from '../storage/storage.ts'
import { type AccountDeps, createAccountHandlers } from './account-handlers.ts'
import type { AdminGuard } from './authenticate.ts'
import { answerJson } from './exchange.ts'
import { createExplainHandler, type Explain } from './explain.ts'
import { AUDIT_ID, cutPage, parsePage } from './page.ts'
import { createSecretHandlers } from './secret-handlers.ts'
import { createStatsHandler } from './stats.ts'
import { toWireAudit } from './wire.ts'

/** What administration needs. */
export type AdminDeps = AccountDeps & {
  /** Null: no admin token is configured. */
  readonly guard: AdminGuard | null
  readonly explain: Explain
  readonly metrics: Pick<Metrics, 'readTotals'>
}

/**
 * The routes of /admin by path pattern; the last one catches every other path below it. None without an admin
 * token: /admin is then a path like any other that is not there.
 */
export function createAdminRoutes(deps: AdminDeps): Readonly<Record<string, Route>> {
  const { guard } = deps
  if (guard === null) return {}
  const accounts = createAccountHandlers(deps)
  const secrets = createSecretHandlers(deps)
  const route = (name: string, methods: Methods): Route => ({
    name,
    headers: NO_STORE,
    isLiteral: true,
    guard,
    methods,
  })
  return {
    '/admin/accounts': route('admin.accounts', { GET: accounts.list, POST: accounts.create }),
    '/admin/accounts/:id': route('admin.account', {
      GET: accounts.show,
      PATCH: accounts.update,
      DELETE: accounts.remove,
    }),
    '/admin/accounts/:id/credentials': route('admin.credentials', { POST: accounts.addCredential }),
    '/admin/credentials/:id': route('admin.credential', { DELETE: secrets.revoke }),
    '/admin/credentials/:id/rotate': route('admin.rotate', { POST: secrets.rotate }),
    '/admin/revocations': route('admin.revocations', { POST: secrets.addRevocation }),
    '/admin/keys': route('admin.keys', { GET: secrets.listKeys }),
    '/admin/keys/rotate': route('admin.keys.rotate', { POST: secrets.rotateKeys }),
    '/admin/audit': route('admin.audit', { GET: createAuditHandler(deps.storage) }),
    '/admin/stats': route('admin.stats', { GET: createStatsHandler(deps.metrics) }),
    '/admin/explain': route('admin.explain', { POST: createExplainHandler(deps.explain) }),
    '/admin/*': {
      ...route('admin', {}),
      guard: (context) => after(guard(context), (refusal) => refusal ?? context.refuse(NOT_FOUND)),
    },
  }
}

function createAuditHandler(storage: Storage): Handler {
  return async (context) => {
    const asked = parsePage(context.request.url, AUDIT_ID)
    if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
    const { after: cursor, limit } = asked.value
    const records = await storage.listAudit(cursor, limit + 1)
    const { page, nextCursor } = cutPage(records, limit, (entry) => entry.at)
    return answerJson(context, 200, { entries: page.map(toWireAudit), nextCursor })
  }
}
