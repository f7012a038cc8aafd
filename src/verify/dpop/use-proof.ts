// Single use of valid proofs (RFC 9449 section 11.1), with a budget for each key, so that one key cannot fill the
// memory of all. Refuses unless the store clearly says that the proof was never used.

import { type Reason, refuse } from '../../claims/enforce.ts'
import type { OneTimeBudget, OneTimeOutcome, OneTimeStore, OneTimeUse } from '../../counters/counters.ts'
import { createMemoryOneTime } from '../../counters/memory-one-time.ts'
import type { MaybePromise } from '../../lib/result.ts'
import type { ReplayStore } from '../options.ts'
import type { Proof } from './judge.ts'
import { PROOF_WINDOW_SECONDS } from './proof.ts'

/** Uses a proof up at `now`, epoch seconds: undefined when it passes. Never throws or rejects. */
export type UseProof = (proof: Proof, now: number) => MaybePromise<Reason | undefined>

/** Seconds for which a proof is remembered after it has expired: clocks of processes that share a store may differ. */
const REPLAY_SLACK_SECONDS = 30

/** Budget of used proofs; each key is a tenant. */
export const proofBudget: OneTimeBudget = {
  perTenant: 12_000,
  inAll: 1_000_000,
  // The `iat` of a proof may be a window ahead; a fraction of a second is rounded up.
  longestSeconds: 2 * PROOF_WINDOW_SECONDS + REPLAY_SLACK_SECONDS + 1,
}

/** Uses proofs up in a store of {@link proofBudget}, in which each key is a tenant. */
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

/** Uses proofs up in this process's memory. */
export function createMemoryUseProof(): UseProof {
  return createUseProof(createMemoryOneTime(proofBudget))
}

/**
 * Uses proofs up in an API's own store. The store decides which proofs were used. This process counts the accepted
 * proofs of each key, so that a key over its budget adds nothing to the store.
 */
export function createReplayUseProof(replay: ReplayStore): UseProof {
  const accepted = createMemoryOneTime(proofBudget)
  return async ({ jkt, id, iat }, now) => {
    try {
      const waitSeconds = accepted.secondsUntilRoom(jkt, now)
      if (waitSeconds !== undefined) return tooMany(waitSeconds)
      const use = describeUse(jkt, id, iat, now)
      const isSeen: unknown = await replay.seen(id, use.expiresAt)
      if (isSeen !== false) return isSeen === true ? USED : UNAVAILABLE
      // Checked again, because concurrent calls may have used the budget. Other outcomes are the store's to decide.
      const counted = accepted.use(use)
      return counted.kind === 'tenant_full' ? toReason(counted) : undefined
    } catch {
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
  'whether the proof was used before cannot be told at the moment',
)
