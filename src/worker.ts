// The service on Cloudflare Workers: bindings and variables -> config -> adapters -> createApp. Imported by nothing.
// One app for each isolate, made by its first request. No request ever waits for a promise of another one: workerd
// may end that other request's work, and its promises with it.

import { waitUntil } from 'cloudflare:workers'
import { SETTLE_MS } from './admin/settle.ts'
import { createApp } from './app.ts'
import { type Config, ConfigError, type ConfigProblem, keyTerms, parseConfig } from './config/config.ts'
import { createMemoryCounters } from './counters/memory.ts'
import { createLogger, type LogLevel } from './http/log.ts'
import { createMetrics } from './http/metrics.ts'
import { paths } from './http/paths.ts'
import { problemBody, problemStatus, unavailable } from './http/problem.ts'
import { RECORD_TTL_MS } from './issue/sign-current.ts'
import { randomBase62 } from './lib/random.ts'
import { createRevocationRules, type RevocationRules } from './service/revocation/rules.ts'
import { createUpkeep, DAY_MS, type Upkeep } from './service/upkeep.ts'
import { createUseLog } from './service/use-log.ts'
import type { KeyRing } from './signing/key-ring.ts'
import { describeLostKeys, openSigningKeys } from './signing/open-keys.ts'
import { DEFAULT_PEPPER } from './signing/secret.ts'
import { webCryptoEngine } from './signing/webcrypto.ts'
import { createCachedStorage } from './storage/cached.ts'
import { createD1Engine, type D1Database } from './storage/sql/d1.ts'
import { createSqlKeyStore } from './storage/sql/keys.ts'
import { migrateSchema } from './storage/sql/migrations.ts'
import { createSqlStorage } from './storage/sql/storage.ts'
import { loadVerifier } from './verify/runtime/load-key.ts'
import type { AppDeps } from './wiring/deps.ts'

/** What the runtime gives: variables and secrets are texts, bindings are objects. The same for a whole isolate. */
type WorkerEnv = Readonly<Record<string, unknown>>

type Fetch = (request: Request) => Response | Promise<Response>

interface Service {
  readonly fetch: Fetch
  /** What is to be done beside answering; there are no timers between requests, so they carry it. */
  readonly upkeep?: Upkeep
  readonly keyRing?: Pick<KeyRing, 'refresh' | 'ageMs'>
  readonly rules?: Pick<RevocationRules, 'refresh'>
}

/** The isolate's service, once a request has built it. A value, never a promise. */
let service: Service | undefined

/** When a request last carried upkeep, epoch milliseconds. */
let upkeptAt = 0

/** Between two rounds of upkeep, at the least. */
const UPKEEP_MS = 1000

export default {
  /** Answers a request; the first ones build the service, each for itself, and the first that is ready is kept. */
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
    if (request.method === 'POST') await followKeys(service)
    if (service.upkeep !== undefined && Math.abs(Date.now() - upkeptAt) >= UPKEEP_MS) {
      upkeptAt = Date.now()
      waitUntil(service.upkeep())
    }
    return service.fetch(request)
  },
}

/**
 * Before anything is signed: an isolate that has rested may hold a key that was ended meanwhile, and nothing works
 * between its requests. While the store cannot be read, the keys in memory go on.
 */
async function followKeys({ keyRing, rules }: Service): Promise<void> {
  if (keyRing === undefined || keyRing.ageMs() < UPKEEP_MS) return
  try {
    // Both: a key may be revoked that could not be ended in its store.
    await Promise.all([keyRing.refresh(), rules?.refresh()])
  } catch (error) {
    createLog('error').error('signing keys cannot be read', { error })
  }
}

/** The service of these settings; where they are no good, one that says so. Rejects when the database does. */
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

interface Settings {
  readonly config: Config
  readonly masterKey: Uint8Array
  readonly database: D1Database
}

/** Settings and bindings, checked. Throws ConfigError with every problem at once. */
function readSettings({ DB, ...env }: WorkerEnv): Settings {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    // wrangler.toml may spell a number without quotes; what is neither text nor number is a binding.
    if (!NODE_ONLY.includes(name) && ['string', 'number'].includes(typeof value)) texts[name] = String(value)
  }
  const problems: ConfigProblem[] = []
  if (!texts.CLAIMGATE_ISSUER) {
    problems.push({
      variable: 'CLAIMGATE_ISSUER',
      problem: 'is required on Workers',
      example: 'CLAIMGATE_ISSUER=https://auth.example.com',
    })
  }
  if (!texts.CLAIMGATE_MASTER_KEY) {
    problems.push({
      variable: 'CLAIMGATE_MASTER_KEY',
      problem: 'is required with D1, to encrypt the signing keys kept there: 32 bytes as base64url',
      example: 'openssl rand -base64 32 | tr +/ -_ | tr -d = | npx wrangler secret put CLAIMGATE_MASTER_KEY',
    })
  }
  if (!isDatabase(DB)) {
    problems.push({
      variable: 'DB',
      problem: 'is required: the binding of a D1 database',
      example: 'the [[d1_databases]] entry of wrangler.toml',
    })
  }
  const config = readConfig(texts, problems)
  if (config?.masterKey && isDatabase(DB) && problems.length === 0) {
    return { config, masterKey: config.masterKey, database: DB }
  }
  throw new ConfigError(problems)
}

/**
 * Settings that mean nothing here: the platform listens, the records are in D1, and the client's address is
 * `CF-Connecting-IP`, which Cloudflare sets itself, so that no proxy has to be trusted.
 */
const NODE_ONLY: readonly string[] = [
  'HOST',
  'PORT',
  'DATABASE_URL',
  'REDIS_URL',
  'CLAIMGATE_KEYS_DIR',
  'CLAIMGATE_WORKERS',
  'CLAIMGATE_TRUSTED_PROXIES',
]

/** The configuration; undefined, with what is wrong added to `problems`, when it cannot be read. */
function readConfig(texts: Readonly<Record<string, string>>, problems: ConfigProblem[]): Config | undefined {
  try {
    return parseConfig(texts)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}

function isDatabase(binding: unknown): binding is D1Database {
  return typeof binding === 'object' && binding !== null && 'prepare' in binding && 'batch' in binding
}

/** Opens the records, brings their tables up to date, loads the signing keys. Each step may be repeated. */
async function openService({ config, masterKey, database }: Settings): Promise<Service> {
  const engine = createD1Engine(database)
  await migrateSchema(engine)
  const storage = createCachedStorage(createSqlStorage(engine), {
    shareLookups: false,
    ttlMs: RECORD_TTL_MS,
  })
  const lifetimeSeconds = await storage.raiseLongestLifetime(config.maxTtl)
  const log = createLog(config.logLevel)
  const rules = createRevocationRules({
    storage,
    log,
    now: Date.now,
    sharesWork: false,
  })
  const counters = createMemoryCounters()
  // Before any key may sign.
  await rules.refresh()
  const { keyLife, keyRing, areNew } = await openSigningKeys({
    store: createSqlKeyStore(engine, masterKey),
    engine: { ...webCryptoEngine, loadVerifier },
    terms: keyTerms(config, lifetimeSeconds),
    now: Date.now(),
    isRevoked: rules.isKeyRevoked,
  })
  if (areNew && (await storage.hasUsedCredential())) log.warn(describeLostKeys('gone from the database'))
  const deps: AppDeps = {
    config,
    storage,
    lifetimeSeconds,
    keyRing,
    keyLife,
    counters,
    uses: createUseLog({ storage, log, defer }),
    rules,
    hashSecret: webCryptoEngine.createSecretHash(config.pepper ?? DEFAULT_PEPPER),
    log,
    metrics: createMetrics(),
    now: Date.now,
    peerOf: (context) => context.req.header('cf-connecting-ip'),
    sharesWork: false,
    settleMs: SETTLE_MS,
    isStopping: () => false,
  }
  return {
    fetch: createApp(deps).fetch,
    upkeep: createUpkeep({
      storage,
      keyRing,
      keyLife,
      rules,
      log,
      auditKeptMs: config.auditDays * DAY_MS,
      now: Date.now,
    }),
    keyRing,
    rules,
  }
}

/** Work after the answer lives on with the request that led to it. */
function defer(milliseconds: number, work: () => Promise<void>): void {
  waitUntil(new Promise((resolve) => setTimeout(resolve, milliseconds)).then(work))
}

function createLog(level: LogLevel): ReturnType<typeof createLogger> {
  // biome-ignore lint/suspicious/noConsole: the log of a Worker is its console.
  return createLogger({ level, write: (line) => console.log(line), now: Date.now })
}

/** 503 where there is no app to say it: without an issuer, the address that was asked is the best there is to point to. */
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
