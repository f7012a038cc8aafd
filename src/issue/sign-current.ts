// The last check before a token is issued: its signature is based on a record and revocation rules that are at most 1 s
// old. Other processes on the same database rely on that: they answer "rotated" or "revoked" after that second, and from
// then on no process issues a token from older data.

import type { CredentialWithAccount } from '../claims/records/account.ts'
import { type Problem, unavailable } from '../http/problem.ts'
import { fail, type MaybePromise, type Result } from '../lib/result.ts'
import { sleep } from '../lib/timing.ts'
import type { CachedStorage } from '../storage/cached.ts'

/** Where records, revocation rules and the time come from. */
export interface SignCurrentDeps {
  readonly storage: Pick<CachedStorage, 'readAtOf' | 'findCredentialLatest'>
  /**
   * The moment before which issued tokens are revoked (epoch milliseconds), and when the rules were read
   * (`performance.now()`), less than 1 s ago. Rejects when they cannot be read.
   */
  readonly readStanding: (subject: {
    readonly accountId: string
    readonly credentialId: string
  }) => MaybePromise<{ readonly readAt: number; readonly endsBefore: number }>
  readonly refreshRules: () => Promise<void>
  /** The current time, epoch milliseconds. */
  readonly now: () => number
}

/**
 * Signs with `sign`, which gets the time (epoch milliseconds), may refuse, and is called again when the signature took too
 * long. If a revocation would end the token, because its moment still lies ahead, waits for that moment up to 2.5 s. The
 * reason is that of `sign`, or a 503: the moment lies further ahead (the clock was set back), too many requests wait, the
 * record has just changed, or the attempts are used up. Rejects when rules or record cannot be read.
 */
export type SignCurrent = <T>(
  found: CredentialWithAccount,
  sign: (now: number) => MaybePromise<Result<T, Problem>>,
) => Promise<Result<T, Problem>>

/** Greatest age of the record and the rules when the signature is ready, milliseconds. */
const MAX_BASIS_AGE_MS = 1000

/**
 * How long the service caches records, milliseconds. Half of {@link MAX_BASIS_AGE_MS}, so that a request that starts with
 * a cached record is signed in time.
 */
export const RECORD_TTL_MS = 500

/** A record older than this is read again before signing, for example after a wait. Milliseconds. */
const SIGNING_AGE_MS = 900
/** Most attempts for one token. A second read of the rules, a wait, and a signature that took too long use up one each. */
const MAX_TRIES = 5
/** Longest wait for the moment of a revocation, milliseconds. */
const MAX_WAIT_MS = 2500
/** Most requests that wait at the same time. */
const MAX_WAITING = 1000
/** Each wait is longer by this, because a timer may fire a little early. Milliseconds. */
const TIMER_GRAIN_MS = 5
/** Longest `Retry-After` of a refusal. */
const MAX_RETRY_SECONDS = 60

export function createSignCurrent(deps: SignCurrentDeps): SignCurrent {
  const { storage, now } = deps
  let waiting = 0

  async function waitFor(milliseconds: number): Promise<void> {
    waiting += 1
    try {
      await sleep(milliseconds + TIMER_GRAIN_MS)
    } finally {
      waiting -= 1
    }
  }

  return async (found, sign) => {
    const subject = { accountId: found.account.id, credentialId: found.credential.id }
    let record = found
    let isRefreshed = false
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const asking = deps.readStanding(subject)
      const standing = asking instanceof Promise ? await asking : asking
      const waitMs = standing.endsBefore - now()
      if (waitMs > 0) {
        // The rule may have been lifted since the rules were read.
        if (!isRefreshed) await deps.refreshRules()
        else if (waitMs > MAX_WAIT_MS || waiting >= MAX_WAITING) return fail(endedUntil(waitMs))
        else await waitFor(waitMs)
        isRefreshed = true
        continue
      }
      if (ageOf(record) > SIGNING_AGE_MS) {
        const asked = storage.findCredentialLatest(subject.credentialId)
        const latest = asked instanceof Promise ? await asked : asked
        if (latest === undefined || !isSameRecord(found, latest)) return fail(CHANGED)
        record = latest
      }
      const signing = sign(now())
      const issued = signing instanceof Promise ? await signing : signing
      if (!issued.ok) return issued
      if (performance.now() - standing.readAt <= MAX_BASIS_AGE_MS && ageOf(record) <= MAX_BASIS_AGE_MS) {
        return issued
      }
    }
    return fail(BUSY)
  }

  function ageOf(record: CredentialWithAccount): number {
    return performance.now() - (storage.readAtOf(record) ?? Number.NEGATIVE_INFINITY)
  }
}

const CHANGED = unavailable('the credential was changed at this moment; try again', 1)
const BUSY = unavailable('the service is too busy to sign a token now; try again', 1)

function endedUntil(waitMs: number): Problem {
  const seconds = Math.min(MAX_RETRY_SECONDS, Math.ceil(waitMs / 1000))
  return unavailable('a revocation in force would end this token; try again later', seconds)
}

/** Whether two reads of a record agree in everything that authentication and policy use. Ignores `lastUsedAt`. */
function isSameRecord(one: CredentialWithAccount, other: CredentialWithAccount): boolean {
  return one === other || textOf(one) === textOf(other)
}

function textOf({ account, credential }: CredentialWithAccount): string {
  return JSON.stringify([account, { ...credential, lastUsedAt: null }])
}
