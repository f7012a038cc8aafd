// The store's revocation rules in this process's memory. Reads the number of the store's last change at most once a
// second, and then only the rules that changed. While the store fails, verification uses the last known rules, and no
// token is issued by rules older than a second.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { NumberedRule } from '../../claims/records/revocation.ts'
import type { Logger } from '../../http/log.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { isDoneWithin, sleep } from '../../lib/timing.ts'
import { StorageError } from '../../storage/errors.ts'
import type { RulePosition, Storage } from '../../storage/storage.ts'
import { createRuleIndex, type TokenSubject } from './rule-index.ts'

/** The rules at one moment. */
export interface RuleSnapshot {
  /** Number of the last change that is in `rules`. */
  readonly seq: number
  /** In the order of their numbers; the same array until a rule changes. May contain expired rules. */
  readonly rules: readonly NumberedRule[]
  /** Milliseconds since the read of the store began. */
  readonly ageMs: number
}

/** The rules that apply to a token about to be signed. */
export interface Standing {
  /** When the read of the store began; `performance.now()`, milliseconds. */
  readonly readAt: number
  /** Tokens of this subject with an earlier `iat` are revoked; epoch milliseconds, 0 if none are. */
  readonly endsBefore: number
}

/** The rules that this process knows, and how old they are. */
export interface RevocationRules {
  /** Whether a token signed under `kid` is revoked. Synchronous while the rules are fresh. Never rejects. */
  readonly isListed: (claims: ClaimsSet, kid: string) => MaybePromise<boolean>
  /** Whether a rule in memory revokes this signing key. */
  readonly isKeyRevoked: (kid: string) => boolean
  /**
   * The revocations of an account and credential, by rules that are less than a second old. Rejects with StorageError if
   * the store cannot be read: without current rules no token is issued.
   */
  readonly readStanding: (subject: TokenSubject) => MaybePromise<Standing>
  /**
   * Reads the store: rules that were committed before this call apply when it resolves, unless the store fails or takes
   * longer than 2 s. Never rejects.
   */
  readonly refresh: () => Promise<void>
  /** Age of the rules in milliseconds, counted from the beginning of their read; undefined before the first answer. */
  readonly ageMs: () => number | undefined
  /** The rules, read again if they are not fresh; undefined if none were ever read, or if they are a day old. */
  readonly read: () => Promise<RuleSnapshot | undefined>
}

/** Where the rules come from, and how reads are shared. */
export interface RulesDeps {
  readonly storage: Pick<Storage, 'readRuleSeq' | 'listRuleChanges'>
  readonly log: Logger
  /** Returns the current time in epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may share a read; false on Workers. */
  readonly sharesWork: boolean
}

const FRESH_MS = 1000
/** Largest age of rules for a new token. Leaves time to sign it within the second that sign-current.ts allows. */
const SIGNING_FRESH_MS = 900
/** How long a request waits for a read, counted from its beginning, if it may use older rules instead. */
const BRIEF_MS = 500
/** A read that takes longer counts as failed, but if it ends later its result is used. */
const LIMIT_MS = 2000
/** How long after a failed read no request starts another one. */
const REST_MS = 1000
/** How long after the last successful read `read` still gives its rules. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000
/** Rules per query, and per slice before the event loop runs other work: a few milliseconds. */
const PAGE = 1000
/** Time between two searches for expired rules. */
const DROP_EVERY_MS = 600_000
/** How long expired rules are kept: a clock that is wrong for a moment must not drop rules that still apply. */
const KEPT_MS = 24 * 60 * 60 * 1000
const START: RulePosition = { seq: -1, id: '' }

/** Creates rules that follow this store; none are read before the first call. */
export function createRevocationRules({ storage, log, now, sharesWork }: RulesDeps): RevocationRules {
  const index = createRuleIndex()
  /** All changes up to this position are in memory. */
  let position = START
  let list: readonly NumberedRule[] = []
  /** When the newest read that has succeeded began; `performance.now()`. */
  let askedAt: number | undefined
  let droppedAt = performance.now()
  let failedAt = Number.NEGATIVE_INFINITY
  let isFailing = false

  /**
   * Reads what changed since the last read. A snapshot never holds half a change: its list is replaced in one step. Reads
   * may overlap, because an older state of a rule never replaces a newer one.
   */
  async function load(): Promise<void> {
    const began = performance.now()
    const seq = await storage.readRuleSeq()
    const changes: NumberedRule[] = []
    let cursor = position
    // All pages, because many rules may have the same number.
    for (let page = seq > cursor.seq ? PAGE : 0; page === PAGE; ) {
      if (changes.length > 0) await sleep(0)
      const rules = await storage.listRuleChanges(cursor, PAGE)
      changes.push(...rules)
      page = rules.length
      cursor = rules.at(-1) ?? cursor
    }
    const replaces = await takeOver(changes)
    // Leaves out what an overlapping read has already added.
    const fresh = changes.filter(({ seq }) => seq > position.seq)
    if (fresh.length > 0)
      list = replaces ? exchangeRules(list, fresh.filter(index.isLatest)) : [...list, ...fresh]
    const reached = Math.max(seq, cursor.seq)
    // All rules with this number were read; later changes have higher numbers.
    if (reached > position.seq) position = { seq: reached, id: LAST_ID }
    if (began - droppedAt > DROP_EVERY_MS) {
      const time = now() - KEPT_MS
      list = list.filter(({ until }) => until > time)
      // If there are more, the next read continues.
      if (index.dropUntil(time, PAGE) < PAGE) droppedAt = began
    }
    askedAt = Math.max(askedAt ?? began, began)
  }

  /**
   * Adds rules to the index in slices. A change is never split between slices, except during the first read. Resolves to
   * whether the index had an older state of any of these rules.
   */
  async function takeOver(changes: readonly NumberedRule[]): Promise<boolean> {
    let replaces = false
    let together = 0
    for (const [at, rule] of changes.entries()) {
      const isBetween = askedAt === undefined || changes[at - 1]?.seq !== rule.seq
      if (together >= PAGE && isBetween) {
        await sleep(0)
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

  /** Starts a read if one is due. Returns a promise if this request must wait; it resolves after at most `waitMs`. */
  function renew(waitMs: number, freshMs = FRESH_MS): Promise<unknown> | undefined {
    if (isFresh(freshMs)) return undefined
    const time = performance.now()
    const startedAt = flight.startedAt()
    if (startedAt === undefined && time - failedAt < REST_MS) return undefined
    // On Workers a read is cancelled with the request that started it, so that request waits until the read is over.
    const isOwn = startedAt === undefined && !sharesWork
    const left = (isOwn || askedAt === undefined ? LIMIT_MS : waitMs) - (time - (startedAt ?? time))
    return left > 0 ? isDoneWithin(left, flight.join(LIMIT_MS)) : undefined
  }

  function standingOf(subject: TokenSubject): Standing {
    if (askedAt === undefined || !isFresh(FRESH_MS)) {
      throw new StorageError('recent revocations cannot be read, and no token is issued without them')
    }
    return { readAt: askedAt, endsBefore: index.endsBefore(subject, now()) }
  }

  return {
    isListed(claims, kid) {
      return after(renew(BRIEF_MS), () => index.isListed(claims, kid, now() / 1000))
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

/** The list with each rule once: its state in `fresh` if it is there, else its state in `list`. */
function exchangeRules(
  list: readonly NumberedRule[],
  fresh: readonly NumberedRule[],
): readonly NumberedRule[] {
  const ids = new Set(fresh.map(({ id }) => id))
  return [...list.filter(({ id }) => !ids.has(id)), ...fresh]
}

/** Sorts after every id, because ids are ASCII. */
const LAST_ID = '\uffff'
