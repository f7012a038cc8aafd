// The admin API: JSON in, JSON out, every change on record. Each path behind the guard, unknown ones too.

import { isJsonObject, parseJson } from '../claims/json.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { readBody } from '../http/body.ts'
import { type Handler, JSON_TYPE, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import { parseMediaType } from '../http/media-type.ts'
import { invalidParameters, NOT_FOUND, type Problem } from '../http/problem.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { createCreateAccount } from './accounts.ts'
import { createAdminGuard } from './authenticate.ts'
import { ACCOUNT_ID, AUDIT_ID, cutPage, parsePage } from './page.ts'
import { parseAccountInput } from './parse.ts'
import { toWireAccount, toWireAudit, toWireCredential } from './wire.ts'

/** What administration needs. */
export interface AdminDeps {
  readonly adminToken: string | null
  readonly maxTtl: number
  readonly storage: Storage
  readonly hashSecret: HashSecret
}

/** A hundred origins of the longest names fit. */
const MAX_ADMIN_BODY_BYTES = 65_536

/**
 * The routes of /admin by path pattern; the last one catches every other path below it. None without an admin
 * token: /admin is then a path like any other that is not there.
 */
export function createAdminRoutes(deps: AdminDeps): Readonly<Record<string, Route>> {
  if (deps.adminToken === null) return {}
  const guard = createAdminGuard(deps.adminToken)
  const { storage } = deps
  const createAccount = createCreateAccount(storage, deps.hashSecret)

  const postAccount: Handler = async (context) => {
    const body = await readJson(context.request)
    if (!body.ok) return context.refuse(body.reason)
    const input = parseAccountInput(body.value, deps.maxTtl)
    if (!input.ok) return context.refuse(invalidParameters(input.reason))
    const { account, credential } = await createAccount(input.value, 'admin', context.now)
    return json(context, 201, { account: toWireAccount(account), credential })
  }

  const getAccounts: Handler = async (context) => {
    const asked = parsePage(context.request.url, ACCOUNT_ID)
    if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
    const { after, limit } = asked.value
    const records = await storage.listAccounts(after, limit + 1)
    const { page, nextCursor } = cutPage(records, limit, (account) => account.createdAt)
    return json(context, 200, { accounts: page.map(toWireAccount), nextCursor })
  }

  const getAccount: Handler = async (context) => {
    const account = await storage.getAccount(context.params.id ?? '')
    if (account === undefined) return context.refuse(NOT_FOUND)
    const credentials = await storage.listCredentials(account.id)
    return json(context, 200, {
      account: toWireAccount(account),
      credentials: credentials.map((credential) => toWireCredential(credential, account, context.now)),
    })
  }

  const getAudit: Handler = async (context) => {
    const asked = parsePage(context.request.url, AUDIT_ID)
    if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
    const { after, limit } = asked.value
    const records = await storage.listAudit(after, limit + 1)
    const { page, nextCursor } = cutPage(records, limit, (entry) => entry.at)
    return json(context, 200, { entries: page.map(toWireAudit), nextCursor })
  }

  return {
    '/admin/accounts': {
      name: 'admin.accounts',
      headers: NO_STORE,
      guard,
      methods: { GET: getAccounts, POST: postAccount },
    },
    '/admin/accounts/:id': { name: 'admin.account', headers: NO_STORE, guard, methods: { GET: getAccount } },
    '/admin/audit': { name: 'admin.audit', headers: NO_STORE, guard, methods: { GET: getAudit } },
    '/admin/*': {
      name: 'admin',
      headers: NO_STORE,
      guard: (context) => guard(context) ?? context.refuse(NOT_FOUND),
      methods: {},
    },
  }
}

function json(context: RequestContext, status: number, body: unknown): Response {
  return context.answer(status, JSON.stringify(body), JSON_TYPE)
}

/** The JSON object of a request's body, or the refusal of whatever else it is. */
async function readJson(request: Request): Promise<Result<unknown, Problem>> {
  if (parseMediaType(request.headers.get('content-type')) !== 'json') {
    return fail({ code: 'unsupported_media_type', detail: 'send application/json in UTF-8' })
  }
  const bytes = await readBody(request, MAX_ADMIN_BODY_BYTES)
  if (bytes === undefined) {
    return fail({ code: 'payload_too_large', detail: `a body may have up to ${MAX_ADMIN_BODY_BYTES} bytes` })
  }
  try {
    const parsed = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    if (parsed.ok && isJsonObject(parsed.value)) return ok(parsed.value)
  } catch {
    // Invalid UTF-8: not JSON either.
  }
  return fail({
    code: 'invalid_request',
    detail: 'the body must be one well-formed JSON object, each name in it once',
  })
}
