// What createApp needs from the entry points.

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

/** The parts that the service is built from: everything that differs between platforms, deployments and tests. */
export interface AppDeps {
  readonly config: Config
  readonly storage: CachedStorage
  /** Longest lifetime of any token of the service, seconds: the result of `storage.raiseLongestLifetime(config.maxTtl)`. */
  readonly lifetimeSeconds: number
  readonly keyRing: KeyRing
  readonly keyLife: KeyLife
  /** Rate limits, and the ids of proofs that were used. */
  readonly counters: Counters
  /** The revocations in force, read from the store. */
  readonly rules: RevocationRules
  /** Collects when each credential was last used, and writes these times to the store about once a second. */
  readonly uses: UseLog
  readonly hashSecret: HashSecret
  readonly log: Logger
  readonly metrics: Metrics
  /** The current time, epoch milliseconds. */
  readonly now: () => number
  /** Address of the socket's peer, as text; undefined when the platform does not give it. */
  readonly peerOf: (context: Context) => string | undefined
  /** The request target as the client sent it; absent when the platform does not give it. */
  readonly targetOf?: (context: Context) => string | undefined
  /** Whether requests may await each other's promises. False on Workers. */
  readonly sharesWork: boolean
  /**
   * How long the answer to an administrative change that narrows access waits, so that no other process still issues tokens
   * by the earlier state: `SETTLE_MS`, or 0 when no other process uses the same records.
   */
  readonly settleMs: number
  /** Whether the process has received a signal to stop. */
  readonly isStopping: () => boolean
}
