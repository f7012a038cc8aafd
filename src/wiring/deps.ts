// What the service runs on.

import type { Context } from 'hono'
import type { Config } from '../config/config.ts'
import type { Counters } from '../counters/counters.ts'
import type { Logger } from '../http/log.ts'
import type { Metrics } from '../http/metrics.ts'
import type { RevocationRules } from '../service/revocation/rules.ts'
import type { UseLog } from '../service/use-log.ts'
import type { KeyLife } from '../signing/key-life.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { CachedStorage } from '../storage/cached.ts'

/** What the service runs on: everything that differs between machines, platforms and tests. */
export interface AppDeps {
  readonly config: Config
  readonly storage: CachedStorage
  /** Longest lifetime that any token was ever given, seconds: what `storage.raiseLongestLifetime` gave for `maxTtl`. */
  readonly lifetimeSeconds: number
  readonly keyRing: KeyRing
  readonly keyLife: KeyLife
  /** Counts of requests, and the proofs that were used. */
  readonly counters: Counters
  /** The revocations in force, read from the store. */
  readonly rules: RevocationRules
  /** Collects when credentials were last used, and writes it from time to time. */
  readonly uses: UseLog
  readonly hashSecret: HashSecret
  readonly log: Logger
  readonly metrics: Metrics
  /** The current time, in epoch milliseconds. */
  readonly now: () => number
  /** Address of the socket's peer, as text; undefined where the platform does not tell. */
  readonly peerOf: (context: Context) => string | undefined
  /** The request target as it was sent; absent where the platform does not tell. */
  readonly targetOf?: (context: Context) => string | undefined
  /** Whether several requests may wait for one promise. False on Workers. */
  readonly sharesWork: boolean
  /** See `AdminPorts`: `SETTLE_MS`, or 0 where no other process uses the same records. */
  readonly settleMs: number
  /** True once the process was asked to stop. */
  readonly isStopping: () => boolean
}
