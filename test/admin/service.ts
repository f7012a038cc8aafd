// The admin API alone, behind the router and the frame of the real service. Tests set its clock and can inspect
// everything that a request may have changed.

import { Hono } from 'hono'
import { expect } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import {
  type AdminApiPorts,
  createAdminGuard,
  createAdminRoutes,
  WRONG_TOKEN_QUOTA,
} from '../../src/admin/routes.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createMemoryLimits } from '../../src/counters/memory-limits.ts'
import { createRateLimiter } from '../../src/http/limits.ts'
import { createLogger } from '../../src/http/log.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { createServe } from '../../src/http/serve.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import { type Json, sendToFetch, type WireAnswer, type WireRequest } from '../support/wire.ts'
import { createKeys } from './keys.ts'

export const NOW = Date.UTC(2026, 0, 1, 12, 0, 0, 250)
export const MAX_TTL = 86_400
/** Longest lifetime of any token ever issued, seconds. The configured limit was higher once. */
export const LIFETIME = 7 * MAX_TTL

export interface AdminService {
  readonly storage: Storage
  readonly keyLife: AdminApiPorts['keyLife']
  readonly hashSecret: AdminApiPorts['hashSecret']
  /** Times at which credentials were last used, by id, that `flushUses` has still to write to the storage. */
  readonly uses: Map<string, number>
  /** Calls of the ports in order: `change` for onChange, `flush` for flushUses, `end <kid>` for an ended key. */
  readonly told: string[]
  /** Stops the clock at `now`. */
  setNow(now: number): void
  /** Makes the next onChange take this long. */
  tellSlowly(milliseconds: number): void
  /** Lets the clock follow the machine's clock. */
  startClock(): void
  /** Sends a request with the admin token. A body that is not text is sent as JSON. */
  ask(method: string, path: string, body?: unknown, more?: Partial<WireRequest>): Promise<WireAnswer>
  /** Like `ask`, but expects this status and resolves to the body. */
  demand(status: number, method: string, path: string, body?: unknown): Promise<Json>
  /** Creates an account; resolves to it and its secret. */
  createAccount(members?: object): Promise<Json>
  /** The audit log, oldest first, without the creation of accounts. */
  readAudit(): Promise<readonly Json[]>
}

/** Starts the admin API on `inner`. `settleMs` as in `AdminPorts`. `end` replaces the function that ends signing keys. */
export async function startAdmin(
  inner: Storage = createMemoryStorage(),
  settleMs = 0,
  end?: AdminApiPorts['keyLife']['end'],
): Promise<AdminService> {
  let now = () => NOW
  let tellMs = 0
  const told: string[] = []
  const uses = new Map<string, number>()
  const storage = createCachedStorage(inner)
  const keyLife = createKeys(LIFETIME * 1000)
  await keyLife.open(NOW)
  const hashSecret = nodeCryptoEngine.createSecretHash('pepper of the tests, thirty-two or more')
  const config = parseConfig({ CLAIMGATE_ISSUER: 'http://127.0.0.1:8787', DATABASE_URL: 'memory:' })
  const lines: string[] = []
  const serve = createServe({
    ...config,
    docs: 'http://127.0.0.1:8787/docs',
    now: () => now(),
    log: createLogger({ level: 'debug', write: (line) => lines.push(line), now: Date.now }),
    metrics: createMetrics(),
    logsRequests: false,
  })
  const guard = createAdminGuard({
    adminToken: ADMIN_TOKEN,
    limiter: createRateLimiter(createMemoryLimits(), WRONG_TOKEN_QUOTA),
    countRefused: () => undefined,
    log: { warn: () => undefined },
  })
  const routes = createAdminRoutes({
    guard,
    maxTtl: MAX_TTL,
    lifetimeSeconds: LIFETIME,
    storage,
    hashSecret,
    keyLife: {
      ...keyLife,
      end(kid, at) {
        told.push(`end ${kid}`)
        return (end ?? keyLife.end)(kid, at)
      },
    },
    metrics: createMetrics(),
    explain: () => Promise.reject(new Error('nothing is explained here')),
    settleMs,
    onChange: async () => {
      told.push('change')
      if (tellMs > 0) await new Promise((resolve) => setTimeout(resolve, tellMs))
      // Only the first call is slow.
      tellMs = 0
    },
    async flushUses() {
      await storage.touchCredentials(uses)
      told.push('flush')
    },
  })
  const app = new Hono()
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, (context) => serve(route, context.req.raw, '127.0.0.1', context.req.param()))
  }

  const ask: AdminService['ask'] = async (method, path, body, more = {}) => {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const answer = await sendToFetch((asked) => app.fetch(asked), 'http://127.0.0.1:8787', {
      method,
      path,
      ...(text !== undefined && { body: text }),
      ...more,
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(text !== undefined && { 'content-type': 'application/json' }),
        ...more.headers,
      },
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    // No request may cause an unexpected error, whatever the test sends.
    expect(answer.status, lines.at(-1)).not.toBe(500)
    return answer
  }
  const demand: AdminService['demand'] = async (status, method, path, body) => {
    const answer = await ask(method, path, body)
    expect(answer.status, answer.text).toBe(status)
    if (status === 204) expect(answer.text).toBe('')
    return status === 204 ? undefined : answer.json()
  }
  return {
    storage,
    keyLife,
    hashSecret,
    told,
    uses,
    setNow: (time) => {
      now = () => time
    },
    tellSlowly: (milliseconds) => {
      tellMs = milliseconds
    },
    startClock: () => {
      now = Date.now
    },
    ask,
    demand,
    createAccount: (members = {}) =>
      demand(201, 'POST', '/admin/accounts', {
        name: 'Shop',
        allowedOrigins: ['https://shop.example'],
        scopes: ['read', 'write'],
        ...members,
      }),
    async readAudit() {
      const entries = (await demand(200, 'GET', '/admin/audit?limit=200')).entries
      return entries.filter((entry: Json) => entry.action !== 'account.create').reverse()
    },
  }
}
