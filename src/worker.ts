// The package export "claimgate/worker": the service on Cloudflare Workers. Bindings and variables -> config -> adapters ->
// createApp. No other file imports it.
// The first request of an isolate builds the app. A request never awaits a promise of another request: when workerd cancels
// a request, its promises never settle.

import { waitUntil } from 'cloudflare:workers'
import {
  openKeys,
  openRecords,
  openSecretHash,
  readSettings,
  type WorkerEnv,
  type WorkerSettings,
} from './adapters/worker/open.ts'
import { SETTLE_MS } from './admin/settle.ts'
import { createApp } from './app.ts'
import { ConfigError } from './config/config.ts'
import { createMemoryCounters } from './counters/memory.ts'
import { createLogger, type LogLevel } from './http/log.ts'
import { paths } from './http/paths.ts'
import { problemBody, problemStatus, unavailable } from './http/problem.ts'
import { randomBase62 } from './lib/random.ts'
import type { RevocationRules } from './service/revocation/rules.ts'
import type { Upkeep } from './service/upkeep.ts'
import type { KeyRing } from './signing/key-ring.ts'
import { describeLostKeys } from './signing/open-keys.ts'
import { openParts } from './wiring/parts.ts'

export type { WorkerEnv }

type Fetch = (request: Request) => Response | Promise<Response>

/** What one isolate runs. With wrong settings it has only `fetch`. */
interface Service {
  readonly fetch: Fetch
  /** A round of background work. Requests start it with `waitUntil`, because a Worker has no timers between requests. */
  readonly upkeep?: Upkeep
  readonly keyRing?: Pick<KeyRing, 'refresh' | 'ageMs'>
  readonly rules?: Pick<RevocationRules, 'refresh'>
}

/** The isolate's service; undefined until a request has built it. Not a promise, because others must not await it. */
let service: Service | undefined

/** When a request last started upkeep, epoch milliseconds. */
let upkeepStartedAt = 0

/** Shortest time between two rounds of upkeep, and the age from which a request reads the keys again. */
const UPKEEP_MS = 1000

export default {
  /**
   * Answers a request. Requests that arrive before the service is built each build one; the first that is ready is
   * kept.
   */
  async fetch(request: Request, env: WorkerEnv): Promise<Response> {
    if (service === undefined) {
      try {
        const built = await buildService(env)
        service ??= built
      } catch (error) {
        createLog('error').error('the service cannot start', { error })
        return refuse(request, 'the service cannot reach its records; try again shortly')
      }
    }
    if (request.method === 'POST') await refreshKeys(service)
    if (service.upkeep !== undefined && Math.abs(Date.now() - upkeepStartedAt) >= UPKEEP_MS) {
      upkeepStartedAt = Date.now()
      waitUntil(service.upkeep())
    }
    return service.fetch(request)
  },
}

/**
 * Reads keys and revocations again, if they are older than a second. Called before a request that may sign: nothing runs in
 * an idle isolate, so its key may have expired or been revoked. If the store cannot be read, the keys in memory stay in use.
 */
async function refreshKeys({ keyRing, rules }: Service): Promise<void> {
  if (keyRing === undefined || keyRing.ageMs() < UPKEEP_MS) return
  try {
    // The revocations too, because a revoked key may not be marked as expired in the store yet.
    await Promise.all([keyRing.refresh(), rules?.refresh()])
  } catch (error) {
    createLog('error').error('signing keys cannot be read', { error })
  }
}

/** The service; with wrong settings, a service that answers every request with 503. Rejects when the database fails. */
async function buildService(env: WorkerEnv): Promise<Service> {
  try {
    return await openService(readSettings(env))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const log = createLog('error')
    for (const reason of error.message.split('\n')) log.error('the configuration cannot be used', { reason })
    const detail = 'this deployment is not configured; its log says which settings are missing or wrong'
    return { fetch: (request) => refuse(request, detail) }
  }
}

/** Opens the records and the signing keys, and creates the app. May run at the same time in several requests. */
async function openService(settings: WorkerSettings): Promise<Service> {
  const { config } = settings
  const log = createLog(config.logLevel)
  const { storage, keyStore } = await openRecords(settings)
  const parts = await openParts({
    config,
    storage,
    openKeys: (lifetimeSeconds, isRevoked) => openKeys(keyStore, config, lifetimeSeconds, isRevoked),
    hashSecret: openSecretHash(config),
    counters: createMemoryCounters(),
    log,
    peerOf: (context) => context.req.header('cf-connecting-ip'),
    sharesWork: false,
    settleMs: SETTLE_MS,
    isStopping: () => false,
    defer,
  })
  if (parts.areKeysLost) log.warn(describeLostKeys('gone from the database'))
  return {
    fetch: createApp(parts.createDeps(config)).fetch,
    upkeep: parts.upkeep,
    keyRing: parts.keyRing,
    rules: parts.rules,
  }
}

/** Runs `work` after a time. `waitUntil` keeps the current request alive until then, so that the work is not cancelled. */
function defer(milliseconds: number, work: () => Promise<void>): void {
  waitUntil(new Promise((resolve) => setTimeout(resolve, milliseconds)).then(work))
}

function createLog(level: LogLevel): ReturnType<typeof createLogger> {
  // biome-ignore lint/suspicious/noConsole: the log of a Worker is its console.
  return createLogger({ level, write: (line) => console.log(line), now: Date.now })
}

/**
 * The 503 while there is no app. The issuer may be unknown then, so the URL of the docs is built from the origin of the
 * request.
 */
function refuse(request: Request, detail: string): Response {
  const problem = unavailable(detail)
  const requestId = randomBase62(16)
  return new Response(problemBody(problem, new URL(paths.docs, request.url).href, requestId), {
    status: problemStatus(problem),
    headers: {
      ...problem.headers,
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
    },
  })
}
