// Follows an issuer's list of revocations. Requests start a poll when one is due; there is no background timer. When a
// fetch fails, or its answer is invalid, expired, or older than the last list, the last list stays in use. Such an answer
// never counts as an empty list. Once the last list is stale, the option `onStale` decides.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { isDoneWithin } from '../../lib/timing.ts'
import type { KeySource } from '../keys/source.ts'
import type { CheckedFeed } from '../options/check.ts'
import { isHtml, type TellFault, unreadable } from '../options/faults.ts'
import type { TextFetcher } from '../runtime/fetch-text.ts'
import { haveSameRules, type RevocationList, readRevocations } from './list.ts'

/** What {@link createRevocationFeed} needs in addition to the options of the API's developer. */
export interface FeedDeps {
  /** The `iss` that lists must have. */
  readonly issuer: string
  /** Allowed clock skew between issuer and verifier, seconds. */
  readonly clockTolerance: number
  /** The keys of the verifier. Lists must be signed by one of them. */
  readonly keys: KeySource
  readonly fetcher: TextFetcher
  /** Returns the current time in epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may share a poll, and a poll may outlive its request; false on Workers. */
  readonly sharesWork: boolean
  /** Told why a poll failed. */
  readonly tellFault?: TellFault
}

/**
 * Whether a token signed by the key `kid` is revoked; `unavailable` if the list is stale and `onStale` is `refuse`. Never
 * rejects.
 */
export type CheckRevocation = (claims: ClaimsSet, kid: string) => MaybePromise<boolean | 'unavailable'>

interface Known {
  readonly list: RevocationList
  readonly etag: string | undefined
  /** The last characters of the list's text, which are part of its signature. */
  readonly ending: string
  /** When the poll that last fetched or confirmed this list began. Epoch milliseconds. */
  readonly renewedAt: number
}

const ACCEPT = 'application/jwt, application/jose, */*;q=0.5'
const CHECK_URL =
  'check the option revocation.url: the issuer has its list at <issuer>/.well-known/revocations'
/** Advice for a default feed that cannot be read. */
const NO_FEED = 'if this issuer has no revocations, set the option revocation to false'
/** Room for 100 000 entries. */
const MAX_BYTES = 32 * 1024 * 1024
/** Longest lifetime (`exp - iat`) of a list. */
const MAX_LIFETIME_SECONDS = 3600
const ENDING_LENGTH = 40
/** How long a request waits for a poll while the last list is not stale, or after a failed poll. */
const BRIEF_MS = 500
/** How long a request waits for a poll while the last list is stale or there is none. */
const PATIENT_MS = 5000
/** How much longer a request on Workers waits until a fetched list is read; 100 000 entries take about half of it. */
const READING_MS = 2000
/** On Workers, a poll that takes longer counts as cancelled. A poll may have to fetch keys as well as the list. */
const LOST_AFTER_MS = 2 * PATIENT_MS + 1000

/** Creates the check for revocation by an issuer's list. `feed` contains checked options with all defaults. */
export function createRevocationFeed(feed: CheckedFeed, deps: FeedDeps): CheckRevocation {
  const { keys, fetcher, now, sharesWork } = deps
  const refreshMs = feed.refreshSeconds * 1000
  const maxStaleMs = feed.maxStaleSeconds * 1000
  let known: Known | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  // The absolute difference, so that a time in the future, from before the clock was set back, is not within the span.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs

  /**
   * Whether there is no list, or the last one has expired or is too old. Its age counts from its `iat`, not from the last
   * poll.
   */
  const isStale = (): boolean =>
    known === undefined ||
    known.list.expiresAt * 1000 <= now() ||
    !isWithin(known.list.issuedAt * 1000, maxStaleMs)

  /**
   * Fetches the list; undefined if the answer is not a valid list. Sends no entity tag if the list in memory has expired or
   * would be stale after two more polls. Otherwise the issuer could answer 304 until the list in memory is stale.
   */
  async function fetchKnown(timeoutMs: number): Promise<Known | undefined> {
    const renewedAt = now()
    const held = known && known.list.expiresAt * 1000 > renewedAt ? known : undefined
    const isAgeing = held !== undefined && !isWithin(held.list.issuedAt * 1000, maxStaleMs - 2 * refreshMs)
    const etag = isAgeing ? undefined : held?.etag
    const answer = await fetcher.fetchText(feed.url, { accept: ACCEPT, timeoutMs, maxBytes: MAX_BYTES, etag })
    if (answer === undefined) return held && { ...held, renewedAt }
    if (isHtml(answer.text)) throw new Error('the answer is HTML, not a list of revocations')
    const ending = answer.text.slice(-ENDING_LENGTH)
    // The same signature, so this list is in memory already. A forged text with the same ending could only keep the list in
    // memory in use until it is stale.
    if (held?.ending === ending) return { ...held, etag: answer.etag, renewedAt }
    const list = await readRevocations(answer.text, deps.issuer, keys)
    return list && { list, etag: answer.etag, ending, renewedAt }
  }

  /** Whether a list is current and not older than the last one. With an older list, revoked tokens could pass again. */
  async function isNext(list: RevocationList, last: RevocationList | undefined): Promise<boolean> {
    if (list === last) return true
    const { seq, kid, issuedAt, expiresAt } = list
    const seconds = now() / 1000
    if (expiresAt <= seconds || issuedAt > seconds + deps.clockTolerance) return false
    if (expiresAt - issuedAt > MAX_LIFETIME_SECONDS) return false
    if (last === undefined) return true
    if (seq < last.seq || issuedAt < last.issuedAt || isKeyRevoked(last, kid)) return false
    // The issuer leaves out rules that have expired by its own clock, so rules that expire by this time are not compared.
    const endsBy = Math.max(seconds, issuedAt) + deps.clockTolerance
    return seq > last.seq || haveSameRules(list, last, endsBy)
  }

  /**
   * Replaces the list in memory unless `next` is older; false if it is. On Workers, another poll may replace the list during
   * the check. Then the check is repeated with that list.
   */
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
      // On Workers a poll is cancelled when its request ends, and would then look as if it still ran. So its timeout is not
      // longer than the request waits.
      const next = await fetchKnown(sharesWork ? PATIENT_MS : waitMs)
      if (next === undefined)
        throw new Error("it is no list of revocations signed by one of the issuer's keys")
      if (!(await take(next)))
        throw new Error('it has expired, is from the future, or is older than the last one')
    } catch (error) {
      failedAt = now()
      deps.tellFault?.(unreadable('feed', feed.url, error, feed.isDefault ? NO_FEED : CHECK_URL))
    }
  }

  const flight = createSingleFlight({ work: poll, sharesWork, lostAfterMs: LOST_AFTER_MS, now })

  /** Starts a poll if one is due. If this request must wait, returns a promise that resolves after a limited time. */
  function renew(): Promise<unknown> | undefined {
    if (known !== undefined && isWithin(known.renewedAt, refreshMs)) return undefined
    const startedAt = flight.startedAt()
    if (startedAt === undefined && isWithin(failedAt, refreshMs)) return undefined
    // After a failed poll, requests wait only briefly for the next one.
    const isKnownDown = sharesWork && isWithin(failedAt, maxStaleMs)
    const waitMs = isStale() && !isKnownDown ? feed.longestWaitMs : BRIEF_MS
    // On Workers a poll ends with the request that started it, so that request also waits until a long list is read.
    const isOwn = startedAt === undefined && !sharesWork && !feed.isDefault
    const elapsed = startedAt === undefined ? 0 : Math.abs(now() - startedAt)
    const left = isOwn ? waitMs + READING_MS : waitMs - elapsed
    return left > 0 ? isDoneWithin(left, flight.join(waitMs)) : undefined
  }

  function checkToken(claims: ClaimsSet, kid: string): boolean | 'unavailable' {
    if (feed.onStale === 'refuse' && isStale()) return 'unavailable'
    return known?.list.rules.isListed(claims, kid, now() / 1000) ?? false
  }

  return (claims, kid) => {
    const renewing = renew()
    return renewing === undefined ? checkToken(claims, kid) : renewing.then(() => checkToken(claims, kid))
  }
}

/** Whether a list has an entry for this signing key, even one that has expired. */
function isKeyRevoked({ rules }: RevocationList, kid: string): boolean {
  return rules.find({ kind: 'kid', value: kid, account: null }).length > 0
}
