// An issuer's revocations as a verifier has them, polled when requests arrive: no timer runs in the background. A list
// that cannot be fetched, is invalid, too old, or older than the last one never counts as empty: the last list stays in
// use until it is too old, and then `onStale` decides.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { isDoneWithin } from '../../lib/timing.ts'
import type { KeySource } from '../keys/source.ts'
import type { RevocationFeedOptions } from '../options.ts'
import type { TextFetcher } from '../runtime/fetch-text.ts'
import { haveSameRules, type RevocationList, readRevocations } from './list.ts'

/** What a feed needs beside its options. */
export interface FeedDeps {
  /** The `iss` of its lists. */
  readonly issuer: string
  /** Seconds of clock difference that are forgiven. */
  readonly clockTolerance: number
  /** The verifier's own: lists must be signed by one of them. */
  readonly keys: KeySource
  readonly fetcher: TextFetcher
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may wait for one another's fetch, and leave one behind: not on Workers. */
  readonly sharesWork: boolean
}

/** Whether a token that was signed under `kid` is ended; `unavailable` when that cannot be told. Never rejects. */
export type CheckRevocation = (claims: ClaimsSet, kid: string) => MaybePromise<boolean | 'unavailable'>

interface Known {
  readonly list: RevocationList
  readonly etag: string | undefined
  /** End of its text: the same end means the same signature. */
  readonly ending: string
  /** When the poll began that last found it right. Epoch milliseconds. */
  readonly renewedAt: number
}

const ACCEPT = 'application/jwt, application/jose, */*;q=0.5'
/** More than 100 000 entries. */
const MAX_BYTES = 32 * 1024 * 1024
/** Longest difference of `exp` and `iat` that is accepted. */
const MAX_LIFETIME_SECONDS = 3600
const ENDING_LENGTH = 40
/** How long requests wait for a poll while what is known still counts, and while it does not. */
const BRIEF_MS = 500
const PATIENT_MS = 5000
/** Time for reading a list: one of 100 000 entries takes about half of it. */
const READING_MS = 2000
/** A poll that may have had to fetch keys too. */
const LOST_AFTER_MS = 2 * PATIENT_MS + 1000

/** A check against the feed of these options, which have been judged. */
export function createRevocationFeed(feed: Required<RevocationFeedOptions>, deps: FeedDeps): CheckRevocation {
  const { keys, fetcher, now, sharesWork } = deps
  const refreshMs = feed.refreshSeconds * 1000
  const maxStaleMs = feed.maxStaleSeconds * 1000
  let known: Known | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  // Either way: a clock that was set back must not stretch any of the spans.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs

  /** The age of a list counts from its `iat`, not from its last poll. */
  const isYoung = ({ list }: Known): boolean =>
    isWithin(list.issuedAt * 1000, maxStaleMs) && list.expiresAt * 1000 > now()

  /**
   * The list as the issuer has it now, or undefined. The tag of a list that has ended, or would be stale after two more
   * polls, is not sent: an issuer may let an unchanged list grow old before it signs it again.
   */
  async function fetchKnown(timeoutMs: number): Promise<Known | undefined> {
    const renewedAt = now()
    const held = known && known.list.expiresAt * 1000 > renewedAt ? known : undefined
    const isAgeing = held !== undefined && !isWithin(held.list.issuedAt * 1000, maxStaleMs - 2 * refreshMs)
    const etag = isAgeing ? undefined : held?.etag
    const wish = { accept: ACCEPT, timeoutMs, maxBytes: MAX_BYTES, etag }
    const answer = await fetcher.fetchText(feed.url, wish)
    if (answer === undefined) return held && { ...held, renewedAt }
    const ending = answer.text.slice(-ENDING_LENGTH)
    // This list was read already. A forged text with this signature would only keep the held list in use, which ages.
    if (held?.ending === ending) return { ...held, etag: answer.etag, renewedAt }
    const list = await readRevocations(answer.text, deps.issuer, keys)
    return list && { list, etag: answer.etag, ending, renewedAt }
  }

  /** Whether a list is current and follows the last one: an older list would bring ended tokens back. */
  async function isNext(list: RevocationList, last: RevocationList | undefined): Promise<boolean> {
    if (list === last) return true
    const { seq, kid, issuedAt, expiresAt } = list
    const seconds = now() / 1000
    if (expiresAt <= seconds || issuedAt > seconds + deps.clockTolerance) return false
    if (expiresAt - issuedAt > MAX_LIFETIME_SECONDS) return false
    if (last === undefined) return true
    if (seq < last.seq || issuedAt < last.issuedAt || isKeyRevoked(last, kid)) return false
    // The issuer leaves out what has ended by its own clock.
    const endsBy = Math.max(seconds, issuedAt) + deps.clockTolerance
    return seq > last.seq || haveSameRules(list, last, endsBy)
  }

  /** Replaces the known list if `next` follows it. Checks again after a wait: on Workers two polls may end together. */
  async function take(next: Known): Promise<boolean> {
    for (;;) {
      const last = known
      if (!(await isNext(next.list, last?.list))) return false
      if (known !== last) continue
      known = next
      return true
    }
  }

  async function poll(waitMs: number): Promise<void> {
    try {
      // Where the poll ends with its request, it must end itself before: a poll cut off would look like one open.
      const next = await fetchKnown(sharesWork ? PATIENT_MS : waitMs)
      if (next === undefined || !(await take(next))) failedAt = now()
    } catch {
      failedAt = now()
    }
  }

  const flight = createSingleFlight({ work: poll, sharesWork, lostAfterMs: LOST_AFTER_MS, now })

  /** Polls when it is time. A promise when this request must wait for the outcome, which it does for so long only. */
  function renew(): Promise<unknown> | undefined {
    if (known !== undefined && isWithin(known.renewedAt, refreshMs)) return undefined
    const startedAt = flight.startedAt()
    if (startedAt === undefined && isWithin(failedAt, refreshMs)) return undefined
    const counts = known !== undefined && isYoung(known)
    // After a failed poll requests wait only briefly for the next one.
    const isKnownDown = sharesWork && isWithin(failedAt, maxStaleMs)
    const waitMs = counts || isKnownDown ? BRIEF_MS : PATIENT_MS
    // On Workers a poll ends with the request that began it, which therefore waits until a long list is read, too.
    const isOwn = startedAt === undefined && !sharesWork
    const elapsed = startedAt === undefined ? 0 : Math.abs(now() - startedAt)
    const left = isOwn ? waitMs + READING_MS : waitMs - elapsed
    return left > 0 ? isDoneWithin(left, flight.join(waitMs)) : undefined
  }

  function judge(claims: ClaimsSet, kid: string): boolean | 'unavailable' {
    const isStale = known === undefined || !isYoung(known)
    if (isStale && feed.onStale === 'refuse') return 'unavailable'
    return known?.list.rules.isListed(claims, kid, now() / 1000) ?? false
  }

  return (claims, kid) => {
    const renewing = renew()
    return renewing === undefined ? judge(claims, kid) : renewing.then(() => judge(claims, kid))
  }
}

/** Whether a list names the signing key, expired entries included. */
function isKeyRevoked({ rules }: RevocationList, kid: string): boolean {
  return rules.find({ kind: 'kid', value: kid, account: null }).length > 0
}
