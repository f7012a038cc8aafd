// The parts of a service that keeps everything in memory, on every runtime with Web Crypto.

import type { Context } from 'hono'
import { type Config, keyTerms } from './config/config.ts'
import { createMemoryCounters } from './counters/memory.ts'
import { createLogger } from './http/log.ts'
import { createMemoryKeyStore } from './signing/memory-keys.ts'
import { openSigningKeys } from './signing/open-keys.ts'
import { DEFAULT_PEPPER } from './signing/secret.ts'
import { webCryptoEngine } from './signing/webcrypto.ts'
import { createMemoryStorage } from './storage/memory.ts'
import { loadVerifier } from './verify/runtime/load-key.ts'
import type { AppDeps } from './wiring/deps.ts'
import { openParts } from './wiring/parts.ts'

/** Options of {@link openMemoryDeps}; all are optional. */
export interface MemoryDepsOptions {
  /** Gets each log line, JSON without a line end. Default: nothing is logged. */
  readonly write?: (line: string) => void
  /** Address of the socket's peer. Default: the member `ip` of the second argument of `app.fetch`. */
  readonly peerOf?: AppDeps['peerOf']
}

/**
 * What {@link createApp} needs, with records, signing keys and limits in memory: an issuer for the tests of an API, on any
 * runtime. Everything is lost with the process. Replace a member to watch it or to make it fail; `storage` cannot be replaced
 * alone, because others hold it. No background work runs: signing keys are not rotated, old records are not deleted. For a
 * service with a database use `openService` of `claimgate/server`.
 *
 * @example
 * const config = parseConfig({ CLAIMGATE_ISSUER: 'https://auth.example.com', DATABASE_URL: 'memory:' })
 * const app = createApp(await openMemoryDeps(config))
 * const keys = await (await app.request('/.well-known/jwks.json')).json()
 */
export async function openMemoryDeps(
  config: Config,
  { write, peerOf = ipOf }: MemoryDepsOptions = {},
): Promise<AppDeps> {
  const parts = await openParts({
    config,
    storage: createMemoryStorage(),
    openKeys: (lifetimeSeconds, isRevoked) =>
      openSigningKeys({
        store: createMemoryKeyStore(),
        engine: {
          loadSigner: webCryptoEngine.loadSigner,
          loadLongSigner: webCryptoEngine.loadLongSigner,
          loadVerifier,
        },
        terms: keyTerms(config, lifetimeSeconds),
        now: Date.now(),
        isRevoked,
      }),
    hashSecret: webCryptoEngine.createSecretHash(config.pepper ?? DEFAULT_PEPPER),
    counters: createMemoryCounters(),
    log: createLogger({
      level: write === undefined ? 'silent' : config.logLevel,
      write: write ?? (() => undefined),
      now: Date.now,
    }),
    peerOf,
    sharesWork: true,
    settleMs: 0,
    isStopping: () => false,
    // No timer, because a Worker has none outside of a request: times of last use are written with the next flush.
    defer: () => undefined,
  })
  return parts.createDeps(config)
}

function ipOf(context: Context): string | undefined {
  const env: { readonly ip?: string } | undefined = context.env
  return env?.ip
}
