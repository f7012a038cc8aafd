// What ends tokens before their time, as the store has it, in this process's memory: never older than a second while
// the store answers, and judged by the same code as a remote verifier's list. While the store fails the last list
// decides: signatures and lifetimes still bound every token, and an outage must not end every session.

import type { RevocationRule } from '../claims/account.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import { after, type MaybePromise } from '../claims/result.ts'
import type { Logger } from '../http/log.ts'
import { StorageError } from '../storage/errors.ts'
import type { Storage } from '../storage/storage.ts'
import { isDoneWithin } from '../timing.ts'
import {
  addRevocation,
  createRevocationIndex,
  isListed,
  type RevocationEntry,
  type RevocationIndex,
} from '../verify/revocation-list.ts'
import { createSingleFlight } from '../verify/single-flight.ts'

/** The rules as they were read. */
export interface ReadRules {
  /** The same object as long as the rules are the same. */
  readonly rules: readonly RevocationRule[]
  /** Milliseconds since they were asked for. */
  readonly ageMs: number
}

/** The rules in force. */
export interface RevocationRules {
  /** Whether a token signed under `kid` is ended. At once while the list is young. Never rejects. */
  readonly isListed: (claims: ClaimsSet, kid: string) => MaybePromise<boolean>
  /**
   * Reads the store: what was written before this call is in force when it resolves, unless the store fails or takes
   * longer than 2 s. Never rejects.
   */
  readonly refresh: () => Promise<void>
  /** Milliseconds since the rules in force were asked for; undefined when none were ever had. */
  readonly ageMs: () => number | undefined
  /** The rules, read anew when they are not young; undefined when none were ever had, or those had are a day old. */
  readonly read: () => Promise<ReadRules | undefined>
}

/** What following the store needs. */
export interface RulesDeps {
  readonly storage: Pick<Storage, 'listRevocations'>
  readonly log: Logger
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Longest life of a token. */
  readonly lifetimeMs: number
  /** Whether requests may wait for one read together: not on Workers. */
  readonly sharesWork: boolean
}

interface Known {
  readonly rules: readonly RevocationRule[]
  readonly index: RevocationIndex
  /** When its read began, by the monotonic clock: a clock that was set back must not make it young again. */
  readonly askedAt: number
  /** Beginning and end of its read among those of all reads. */
  readonly began: number
  readonly ended: number
}

const FRESH_MS = 1000
/** How long requests wait for a read, counted from its beginning, while an older list may stand in. */
const BRIEF_MS = 500
/** A read that takes longer has failed; what it brings late is taken all the same. */
const LIMIT_MS = 2000
/** Between two tries, once one has failed. */
const REST_MS = 1000
const MAX_STALE_MS = 24 * 60 * 60 * 1000

/** Rules that follow this store. */
export function createRevocationRules({
  storage,
  log,
  now,
  lifetimeMs,
  sharesWork,
}: RulesDeps): RevocationRules {
  let known: Known | undefined
  let failedAt = Number.NEGATIVE_INFINITY
  let isFailing = false
  // Counts beginnings and ends of reads.
  let moment = 0

  async function load(): Promise<void> {
    moment += 1
    const asked = moment
    for (;;) {
      moment += 1
      const began = moment
      const askedAt = performance.now()
      const rules = await storage.listRevocations(now(), lifetimeMs)
      // Another read has begun after this one was asked for: what it has seen is new enough.
      if (known !== undefined && known.began > asked) return
      if (known === undefined || known.ended < began) {
        moment += 1
        known = { ...indexRules(rules, known), askedAt, began, ended: moment }
        return
      }
      // Read while another was reading: nobody can say which of the two is newer.
    }
  }

  async function readStore(): Promise<void> {
    try {
      if (!(await isDoneWithin(LIMIT_MS, load()))) throw new StorageError('the database does not answer')
      if (isFailing) log.info('revocations can be read again')
      isFailing = false
    } catch (error) {
      failedAt = performance.now()
      if (!isFailing && known === undefined)
        log.error('revocations cannot be read; none are known', { error })
      else if (!isFailing) log.warn('revocations cannot be read; the last known ones go on', { error })
      isFailing = true
    }
  }

  const flight = createSingleFlight({
    work: readStore,
    sharesWork,
    lostAfterMs: LIMIT_MS,
    now: () => performance.now(),
  })

  /** Reads when it is time. A promise where this request must wait for the outcome, which it does for so long only. */
  function renew(waitMs: number): Promise<unknown> | undefined {
    const time = performance.now()
    if (known !== undefined && time - known.askedAt < FRESH_MS) return undefined
    const startedAt = flight.startedAt()
    if (startedAt === undefined && time - failedAt < REST_MS) return undefined
    // On Workers a read ends with the request that began it, which therefore sees it through.
    const isOwn = startedAt === undefined && !sharesWork
    const left = (isOwn || known === undefined ? LIMIT_MS : waitMs) - (time - (startedAt ?? time))
    return left > 0 ? isDoneWithin(left, flight.join(LIMIT_MS)) : undefined
  }

  return {
    isListed(claims, kid) {
      const judge = (): boolean => known !== undefined && isListed(known.index, claims, kid, now() / 1000)
      return after(renew(BRIEF_MS), judge)
    },
    refresh: readStore,
    ageMs: () => known && performance.now() - known.askedAt,
    async read() {
      await renew(LIMIT_MS)
      if (known === undefined) return undefined
      const ageMs = performance.now() - known.askedAt
      return ageMs < MAX_STALE_MS ? { rules: known.rules, ageMs } : undefined
    },
  }
}

/** Times as JWTs have them (RFC 7519 section 2), rounded up: mint times are whole seconds. */
export function toEntry({ before, until }: RevocationRule): RevocationEntry {
  return { before: Math.ceil(before / 1000), until: Math.ceil(until / 1000) }
}

/** The rules and their index; the last ones where nothing has changed. */
function indexRules(
  rules: readonly RevocationRule[],
  last: Known | undefined,
): Pick<Known, 'rules' | 'index'> {
  if (last !== undefined && isSame(last.rules, rules)) return last
  const index = createRevocationIndex()
  for (const rule of rules) addRevocation(index, rule.kind, rule.value, toEntry(rule))
  return { rules, index }
}

/** Whether two lists, each in the order of its rules, say the same. */
function isSame(one: readonly RevocationRule[], other: readonly RevocationRule[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ kind, value, before, until }, position) => {
      const rule = other[position]
      return rule?.value === value && rule.kind === kind && rule.before === before && rule.until === until
    })
  )
}
