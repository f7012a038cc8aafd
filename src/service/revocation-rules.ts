// What ends tokens before their time, as the store has it, in this process's memory. Follows the store by the number of
// its last change: one cheap look-up a second, and then only the rules that changed. While the store fails the last
// known rules decide for verification; nothing is issued on rules older than a second.

import type { NumberedRule } from '../claims/account.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import { after, type MaybePromise } from '../claims/result.ts'
import type { Logger } from '../http/log.ts'
import { StorageError } from '../storage/errors.ts'
import type { RulePosition, Storage } from '../storage/storage.ts'
import { isDoneWithin } from '../timing.ts'
import { pause } from '../verify/pieces.ts'
import { createSingleFlight } from '../verify/single-flight.ts'
import { createRuleIndex, type TokenSubject } from './rule-index.ts'

/** The rules at one moment. */
export interface RuleSnapshot {
  /** Number of the last change that is in `rules`. */
  readonly seq: number
  /** In the order of their numbers; the same list as long as nothing has changed. Some may have run out. */
  readonly rules: readonly NumberedRule[]
  /** Milliseconds since the store was asked. */
  readonly ageMs: number
}

/** What a token about to be signed has to respect. */
export interface Standing {
  /** When the store was asked for the rules behind this, by `performance.now()`. */
  readonly readAt: number
  /** Tokens of this subject with an earlier `iat` are ended; epoch milliseconds, 0: none are. */
  readonly endsBefore: number
}

/** The rules in force. */
export interface RevocationRules {
  /** Whether a token signed under `kid` is ended. Ready immediately while the rules are fresh. Never rejects. */
  readonly isListed: (claims: ClaimsSet, kid: string) => MaybePromise<boolean>
  /** Whether a signing key was revoked, as far as it is known in memory. */
  readonly isKeyRevoked: (kid: string) => boolean
  /**
   * How the account and the credential of a token stand, by rules asked for less than a second ago. Rejects with
   * StorageError when the store cannot be read: a process that does not know what was ended issues nothing.
   */
  readonly readStanding: (subject: TokenSubject) => MaybePromise<Standing>
  /**
   * Reads the store: what was committed before this call is in force when it resolves, unless the store fails or takes
   * longer than 2 s. Never rejects.
   */
  readonly refresh: () => Promise<void>
  /** Milliseconds since the store was asked for the rules in force; undefined before the first answer. */
  readonly ageMs: () => number | undefined
  /** The rules, re-read when they are not fresh; undefined when none were ever read, or the last read is a day old. */
  readonly read: () => Promise<RuleSnapshot | undefined>
}

/** What following the store needs. */
export interface RulesDeps {
  readonly storage: Pick<Storage, 'readRuleSeq' | 'listRuleChanges'>
  readonly log: Logger
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may wait for one read together: not on Workers. */
  readonly sharesWork: boolean
}

const FRESH_MS = 1000
/** Fresh enough to sign by: leaves time for the signature within the second in which other processes rely on it. */
const SIGNING_FRESH_MS = 900
/** How long requests wait for a read, counted from its beginning, while older rules may stand in. */
const BRIEF_MS = 500
/** A read that takes longer has failed; what it brings late is used all the same. */
const LIMIT_MS = 2000
/** Between two tries, once one has failed. */
const REST_MS = 1000
const MAX_STALE_MS = 24 * 60 * 60 * 1000
/** Rules that one query gives, and that are taken over or dropped before other work gets its turn: a few milliseconds. */
const PAGE = 1000
/** Between two searches for rules that have run out. */
const DROP_EVERY_MS = 600_000
/** How long they are kept after that: a clock that runs ahead for a moment must not take away what is still needed. */
const KEPT_MS = 24 * 60 * 60 * 1000
const START: RulePosition = { seq: -1, id: '' }

/** Rules that follow this store. */
export function createRevocationRules({ storage, log, now, sharesWork }: RulesDeps): RevocationRules {
  const index = createRuleIndex()
  /** Complete up to here. */
  let position = START
  let list: readonly NumberedRule[] = []
  let askedAt: number | undefined
  let droppedAt = performance.now()
  let failedAt = Number.NEGATIVE_INFINITY
  let isFailing = false

  /**
   * Reads what changed since the last read. A snapshot never holds half a change: its list is exchanged in one step.
   * Reads may overlap, since a newer state of a rule is never replaced by an older one.
   */
  async function load(): Promise<void> {
    const began = performance.now()
    const seq = await storage.readRuleSeq()
    const changes: NumberedRule[] = []
    let cursor = position
    // To the last page, whatever its number: many rules may have the same one.
    for (let page = seq > cursor.seq ? PAGE : 0; page === PAGE; ) {
      if (changes.length > 0) await pause()
      const rules = await storage.listRuleChanges(cursor, PAGE)
      changes.push(...rules)
      page = rules.length
      cursor = rules.at(-1) ?? cursor
    }
    const replaces = await takeOver(changes)
    // Another read may have come as far meanwhile.
    const fresh = changes.filter(({ seq }) => seq > position.seq)
    if (fresh.length > 0) list = [...(replaces ? withoutRules(list, fresh) : list), ...fresh]
    const reached = Math.max(seq, cursor.seq)
    // The last rule of a number is read, so nothing else can come with that number.
    if (reached > position.seq) position = { seq: reached, id: LAST_ID }
    if (began - droppedAt > DROP_EVERY_MS) {
      const time = now() - KEPT_MS
      list = list.filter(({ until }) => until > time)
      // Where there are more, the next reads drop them.
      if (index.dropUntil(time, PAGE) < PAGE) droppedAt = began
    }
    askedAt = Math.max(askedAt ?? began, began)
  }

  /**
   * Never leaves a change half done while others have their turn, except before anything is judged by the rules.
   * Whether a rule may have been there already, in another state.
   */
  async function takeOver(changes: readonly NumberedRule[]): Promise<boolean> {
    let replaces = false
    let together = 0
    for (const [at, rule] of changes.entries()) {
      const isBetween = askedAt === undefined || changes[at - 1]?.seq !== rule.seq
      if (together >= PAGE && isBetween) {
        await pause()
        together = 0
      }
      if (index.put(rule)) replaces = true
      together += 1
    }
    return replaces
  }

  async function readStore(): Promise<void> {
    try {
      if (!(await isDoneWithin(LIMIT_MS, load()))) throw new StorageError('the database does not answer')
      if (isFailing) log.info('revocations can be read again')
      isFailing = false
    } catch (error) {
      failedAt = performance.now()
      if (!isFailing && askedAt === undefined)
        log.error('revocations cannot be read; none are known', { error })
      else if (!isFailing)
        log.warn('revocations cannot be read; the last known ones stay in force', { error })
      isFailing = true
    }
  }

  const flight = createSingleFlight({
    work: readStore,
    sharesWork,
    lostAfterMs: LIMIT_MS,
    now: () => performance.now(),
  })

  const isFresh = (spanMs: number): boolean => askedAt !== undefined && performance.now() - askedAt < spanMs

  /** Reads when it is time. A promise where this request must wait for the outcome, which it does for so long only. */
  function renew(waitMs: number, freshMs = FRESH_MS): Promise<unknown> | undefined {
    if (isFresh(freshMs)) return undefined
    const time = performance.now()
    const startedAt = flight.startedAt()
    if (startedAt === undefined && time - failedAt < REST_MS) return undefined
    // On Workers a read ends with the request that began it, which therefore sees it through.
    const isOwn = startedAt === undefined && !sharesWork
    const left = (isOwn || askedAt === undefined ? LIMIT_MS : waitMs) - (time - (startedAt ?? time))
    return left > 0 ? isDoneWithin(left, flight.join(LIMIT_MS)) : undefined
  }

  function standingOf(subject: TokenSubject): Standing {
    if (askedAt === undefined || !isFresh(FRESH_MS)) {
      throw new StorageError('what was revoked lately is not known, and nothing is issued without that')
    }
    return { readAt: askedAt, endsBefore: index.endsBefore(subject, now()) }
  }

  return {
    isListed(claims, kid) {
      const judge = (): boolean => index.isListed(claims, kid, now() / 1000)
      return after(renew(BRIEF_MS), judge)
    },
    isKeyRevoked: (kid) => index.isKeyRevoked(kid, now()),
    readStanding: (subject) => after(renew(LIMIT_MS, SIGNING_FRESH_MS), () => standingOf(subject)),
    refresh: readStore,
    ageMs: () => (askedAt === undefined ? undefined : performance.now() - askedAt),
    async read() {
      await renew(LIMIT_MS)
      if (askedAt === undefined) return undefined
      const ageMs = performance.now() - askedAt
      return ageMs < MAX_STALE_MS ? { seq: position.seq, rules: list, ageMs } : undefined
    },
  }
}

function withoutRules(
  list: readonly NumberedRule[],
  others: readonly NumberedRule[],
): readonly NumberedRule[] {
  const ids = new Set(others.map(({ id }) => id))
  return list.filter(({ id }) => !ids.has(id))
}

/** After every id: ids are ASCII. */
const LAST_ID = '\uffff'
