// Single use of valid proofs (RFC 9449 section 11.1), with a budget for each key, so that one key cannot fill the memory
// shared by all. Refuses a proof unless the store answers that it was never used.

import { type Reason, refuse } from '../../claims/enforce.ts'
import type { OneTimeBudget, OneTimeOutcome, OneTimeStore, OneTimeUse } from '../../counters/counters.ts'
import { createMemoryOneTime } from '../../counters/memory-one-time.ts'
import type { MaybePromise } from '../../lib/result.ts'
import type { ReplayStore } from '../options/options.ts'
import { PROOF_WINDOW_SECONDS } from './proof.ts'
import type { Proof } from './verify-proof.ts'

/** Records at `now` (epoch seconds) that a proof is used. Undefined if it was not used before. Never throws or rejects. */
export type UseProof = (proof: Proof, now: number) => MaybePromise<Reason | undefined>

/** Seconds that a proof is remembered after it has expired, because clocks of processes that share a store may differ. */
const REPLAY_SLACK_SECONDS = 30

/** Limits of a store of used proofs, in which each key is a tenant. */
export const proofBudget: OneTimeBudget = {
  perTenant: 12_000,
  inAll: 1_000_000,
  // `iat` may be a whole window in the future, and a fraction of a second is rounded up.
  longestSeconds: 2 * PROOF_WINDOW_SECONDS + REPLAY_SLACK_SECONDS + 1,
}

/** Records used proofs in a store whose limits are {@link proofBudget}. */
export function createUseProof(store: OneTimeStore): UseProof {
  return ({ jkt, id, iat }, now) => {
    try {
      const used = store.use(describeUse(jkt, id, iat, now))
      return used instanceof Promise ? used.then(toReason, () => UNAVAILABLE) : toReason(used)
    } catch {
      return UNAVAILABLE
    }
  }
}

/** Records used proofs in this process's memory. */
export function createMemoryUseProof(): UseProof {
  return createUseProof(createMemoryOneTime(proofBudget))
}

/**
 * Records used proofs in an API's own store, whose `seen` both reads and writes. The store decides which proofs were
 * used. This process counts the accepted proofs of each key, so that a key over its budget adds nothing to the store.
 */
export function createReplayUseProof(replay: ReplayStore, onThrown: (thrown: unknown) => void): UseProof {
  const accepted = createMemoryOneTime(proofBudget)
  return async ({ jkt, id, iat }, now) => {
    try {
      const waitSeconds = accepted.secondsUntilRoom(jkt, now)
      if (waitSeconds !== undefined) return tooMany(waitSeconds)
      const use = describeUse(jkt, id, iat, now)
      const wasUsed: unknown = await replay.seen(id, use.expiresAt)
      if (wasUsed !== false) return wasUsed === true ? USED : UNAVAILABLE
      // Checked again, because concurrent calls may have used the budget. The store decides everything else.
      const counted = accepted.use(use)
      return counted.kind === 'tenant_full' ? toReason(counted) : undefined
    } catch (thrown) {
      onThrown(thrown)
      return UNAVAILABLE
    }
  }
}

function describeUse(tenant: string, id: string, iat: number, now: number): OneTimeUse {
  return { tenant, id, expiresAt: Math.ceil(iat) + PROOF_WINDOW_SECONDS + REPLAY_SLACK_SECONDS, now }
}

function toReason(outcome: OneTimeOutcome): Reason | undefined {
  switch (outcome.kind) {
    case 'new':
      return undefined
    case 'used':
      return USED
    case 'tenant_full':
      return tooMany(outcome.retryAfterSeconds)
    default:
      return UNAVAILABLE
  }
}

function tooMany(retryAfterSeconds: number): Reason {
  const detail = `the key has used ${proofBudget.perTenant} proofs that are still valid; try again later`
  return { ...refuse('key', 'rate_limited', detail), retryAfterSeconds }
}

const USED = refuse('key', 'invalid_proof', 'the proof was used before')
const UNAVAILABLE = refuse(
  'key',
  'unavailable',
  'whether the proof was used before cannot be checked at the moment',
)
