// The service in this process, with its records in memory: the fastest runtime for tests.

import type { Hono } from 'hono'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { createApp } from '../../src/app.ts'
import { keyTerms, parseConfig } from '../../src/config/config.ts'
import { createMemoryCounters } from '../../src/counters/memory.ts'
import { createLogger } from '../../src/http/log.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { createRevocationRules } from '../../src/service/revocation/rules.ts'
import { createUseLog } from '../../src/service/use-log.ts'
import { openSigningKeys } from '../../src/signing/open-keys.ts'
import { DEFAULT_PEPPER } from '../../src/signing/secret.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import type { AppDeps } from '../../src/wiring/deps.ts'
import { createMemoryKeys } from './memory-keys.ts'
import { ADMIN_TOKEN } from './server.ts'
import { sendToFetch, type Target } from './wire.ts'

export interface MemoryService extends Target {
  readonly app: Hono
  readonly deps: AppDeps
  /** The log lines so far, from level debug. */
  readonly lines: readonly string[]
}

/**
 * Starts the service. `env` adds to its variables, `replace` replaces parts of its dependencies. By default the store of
 * signing keys is empty, so new keys are made.
 */
export async function startMemory(
  env: Readonly<Record<string, string>> = {},
  replace: Partial<AppDeps> = {},
  keyStore = createMemoryKeys().store,
): Promise<MemoryService> {
  const config = parseConfig({
    CLAIMGATE_ISSUER: 'http://127.0.0.1:8787',
    DATABASE_URL: 'memory:',
    CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
    ...env,
  })
  const storage = replace.storage ?? createCachedStorage(createMemoryStorage())
  const lifetimeSeconds = await storage.raiseLongestLifetime(config.maxTtl)
  const lines: string[] = []
  const log = createLogger({ level: 'debug', write: (line) => lines.push(line), now: Date.now })
  const counters = createMemoryCounters()
  const rules = createRevocationRules({
    storage,
    log,
    now: replace.now ?? Date.now,
    sharesWork: true,
  })
  const { keyLife, keyRing } = await openSigningKeys({
    store: keyStore,
    engine: { ...nodeCryptoEngine, loadVerifier },
    terms: keyTerms(config, lifetimeSeconds),
    now: Date.now(),
    isRevoked: rules.isKeyRevoked,
  })
  const deps: AppDeps = {
    config,
    storage,
    lifetimeSeconds,
    keyLife,
    counters,
    uses: createUseLog({ storage, log, defer: () => undefined }),
    rules,
    keyRing,
    hashSecret: nodeCryptoEngine.createSecretHash(config.pepper ?? DEFAULT_PEPPER),
    log,
    metrics: createMetrics(),
    now: Date.now,
    peerOf: (context) => context.req.header('cf-connecting-ip') ?? '127.0.0.1',
    sharesWork: true,
    settleMs: 0,
    isStopping: () => false,
    ...replace,
  }
  const app = createApp(deps)
  return {
    app,
    deps,
    lines,
    issuer: config.issuer,
    send: (request) => sendToFetch((asked) => app.fetch(asked), config.issuer, request),
    stop: () => deps.storage.close(),
  }
}
