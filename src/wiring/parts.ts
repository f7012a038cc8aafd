// Opens the parts of a service that are the same on every platform: records behind their cache, revocations, signing keys,
// upkeep. The caller has chosen the database, the store of the keys and the cryptography.

import type { Config } from '../config/config.ts'
import type { Counters } from '../counters/counters.ts'
import type { Logger } from '../http/log.ts'
import { createMetrics } from '../http/metrics.ts'
import { RECORD_TTL_MS } from '../issue/sign-current.ts'
import { createRevocationRules, type RevocationRules } from '../service/revocation/rules.ts'
import { createUpkeep, DAY_MS, type Upkeep } from '../service/upkeep.ts'
import { createUseLog, type UseLogDeps } from '../service/use-log.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { SigningKeys } from '../signing/open-keys.ts'
import type { HashSecret } from '../signing/secret.ts'
import { createCachedStorage } from '../storage/cached.ts'
import type { Storage } from '../storage/storage.ts'
import type { AppDeps } from './deps.ts'

/** What differs between Node, Workers and tests: the records, the keys, the cryptography, where addresses come from. */
export interface PartsOptions {
  readonly config: Config
  /** The records, without a cache. */
  readonly storage: Storage
  /** Opens the signing keys. `lifetimeSeconds`: see `keyTerms`. `isRevoked`: whether a revocation names the key. */
  readonly openKeys: (lifetimeSeconds: number, isRevoked: (kid: string) => boolean) => Promise<SigningKeys>
  readonly hashSecret: HashSecret
  readonly counters: Counters
  readonly log: Logger
  /** Number of log lines that were lost so far, where the platform can tell. */
  readonly linesLost?: () => number
  readonly peerOf: AppDeps['peerOf']
  readonly targetOf?: AppDeps['targetOf']
  /** Whether requests may await each other's promises. False on Workers. */
  readonly sharesWork: boolean
  readonly settleMs: number
  readonly isStopping: () => boolean
  /** Runs work after a time, even when the request that caused it has ended. */
  readonly defer: UseLogDeps['defer']
}

/** An opened service, before its app is created. */
export interface Parts {
  /** What `createApp` needs. `config` is that of the options, or the same with the port that the server got. */
  createDeps(config: Config): AppDeps
  readonly keyRing: KeyRing
  readonly rules: RevocationRules
  /** One round of background work; see upkeep.ts. */
  readonly upkeep: Upkeep
  /** Whether new signing keys were made although credentials have been used: the old keys are lost. */
  readonly areKeysLost: boolean
  /** Writes the uses of credentials that are still in memory, and releases the database. */
  close(): Promise<void>
}

/**
 * Opens the parts. Creates the first signing keys if there are none; runs no upkeep. Rejects with StorageError, and with
 * what `openKeys` rejects with; the caller then closes the storage.
 */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { config, log, sharesWork } = options
  const storage = createCachedStorage(options.storage, { shareLookups: sharesWork, ttlMs: RECORD_TTL_MS })
  const lifetimeSeconds = await storage.raiseLongestLifetime(config.maxTtl)
  const rules = createRevocationRules({ storage, log, now: Date.now, sharesWork })
  // Before the keys are opened, because a revoked key must not sign.
  await rules.refresh()
  const { keyLife, keyRing, areNew } = await options.openKeys(lifetimeSeconds, rules.isKeyRevoked)
  const uses = createUseLog({ storage, log, defer: options.defer })
  const metrics = createMetrics()
  if (options.linesLost !== undefined) metrics.watchLinesLost(options.linesLost)
  return {
    createDeps: (served) => ({
      config: served,
      storage,
      lifetimeSeconds,
      keyRing,
      keyLife,
      rules,
      counters: options.counters,
      uses,
      hashSecret: options.hashSecret,
      log,
      metrics,
      now: Date.now,
      peerOf: options.peerOf,
      ...(options.targetOf && { targetOf: options.targetOf }),
      sharesWork,
      settleMs: options.settleMs,
      isStopping: options.isStopping,
    }),
    keyRing,
    rules,
    upkeep: createUpkeep({
      storage,
      keyRing,
      keyLife,
      rules,
      log,
      auditKeptMs: config.auditDays * DAY_MS,
      now: Date.now,
    }),
    areKeysLost: areNew && (await storage.hasUsedCredential()),
    async close() {
      await uses.flush()
      await storage.close()
    },
  }
}
