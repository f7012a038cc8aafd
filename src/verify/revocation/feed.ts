// Follows an issuer's list of revocations. Requests start a poll when one is due; there is no background timer. A list
// that cannot be fetched, is invalid, too old, or older than the last one never counts as empty: the last list stays in
// use, and once that is too old, `onStale` decides.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { isDoneWithin } from '../../lib/timing.ts'
import type { KeySource } from '../keys/source.ts'
import type { RevocationFeedOptions } from '../options/options.ts'
import type { TextFetcher } from '../runtime/fetch-text.ts'
import { haveSameRules, type RevocationList, readRevocations } from './list.ts'

/** What {@link createRevocationFeed} needs in addition to the user's options. */
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
}

/** Whether a token signed under `kid` is revoked; `unavailable` if the list is stale and `onStale` is `refuse`. Never rejects. */
export type CheckRevocation = (claims: ClaimsSet, kid: string) => MaybePromise<boolean | 'unavailable'>

interface Known {
  readonly list: RevocationList
  readonly etag: string | undefined
  /** The last characters of its text, which are part of the signature. */
  readonly ending: string
  /** When the last poll began that confirmed this list. Epoch milliseconds. */
  readonly renewedAt: number
}

const ACCEPT = 'application/jwt, application/jose, */*;q=0.5'
/** Room for 100 000 entries. */
const MAX_BYTES = 32 * 1024 * 1024
/** Longest lifetime (`exp - iat`) of a list. */
const MAX_LIFETIME_SECONDS = 3600
const ENDING_LENGTH = 40
/** How long requests wait for a poll while the last list is not stale, and while it is stale or missing. */
const BRIEF_MS = 500
const PATIENT_MS = 5000
/** Time to read a list; 100 000 entries take about half of it. */
const READING_MS = 2000
/** Longest duration of a poll, which may have to fetch keys too. */
const LOST_AFTER_MS = 2 * PATIENT_MS + 1000

/** Creates the check of step 5 (revocation) against an issuer's list; `feed` are checked options with all defaults. */
export function createRevocationFeed(feed: Required<RevocationFeedOptions>, deps: FeedDeps): CheckRevocation {
  const { keys, fetcher, now, sharesWork } = deps
  const refreshMs = feed.refreshSeconds * 1000
  const maxStaleMs = feed.maxStaleSeconds * 1000
  let known: Known | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  // Absolute: a clock that was set back must not lengthen the time spans.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs

  /** The age of a list counts from its `iat`, not from the last poll. */
  const isYoung = ({ list }: Known): boolean =>
    isWithin(list.issuedAt * 1000, maxStaleMs) && list.expiresAt * 1000 > now()

  /**
   * Fetches the list; undefined if the answer is not a valid list. Sends no ETag if the list in memory has expired or
   * would be stale after two more polls: for an unchanged list the issuer may answer 304 for longer than that.
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
    // The same signature: the list is in memory. A forged text that ends like it could only keep that list in use until it is stale.
    if (held?.ending === ending) return { ...held, etag: answer.etag, renewedAt }
    const list = await readRevocations(answer.text, deps.issuer, keys)
    return list && { list, etag: answer.etag, ending, renewedAt }
  }

  /** Whether a list is current and not older than the last one. An older list would bring revoked tokens back. */
  async function isNext(list: RevocationList, last: RevocationList | undefined): Promise<boolean> {
    if (list === last) return true
    const { seq, kid, issuedAt, expiresAt } = list
    const seconds = now() / 1000
    if (expiresAt <= seconds || issuedAt > seconds + deps.clockTolerance) return false
    if (expiresAt - issuedAt > MAX_LIFETIME_SECONDS) return false
    if (last === undefined) return true
    if (seq < last.seq || issuedAt < last.issuedAt || isKeyRevoked(last, kid)) return false
    // The issuer leaves out rules that have expired by its own clock.
    const endsBy = Math.max(seconds, issuedAt) + deps.clockTolerance
    return seq > last.seq || haveSameRules(list, last, endsBy)
  }

  /** Replaces the list in memory if `next` is not older. On Workers two polls may end together, so it checks again. */
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
      // On Workers a poll is cancelled with its request, and would look as if it still ran. So it ends before the request.
      const next = await fetchKnown(sharesWork ? PATIENT_MS : waitMs)
      if (next === undefined || !(await take(next))) failedAt = now()
    } catch {
      failedAt = now()
    }
  }

  const flight = createSingleFlight({ work: poll, sharesWork, lostAfterMs: LOST_AFTER_MS, now })

  /** Starts a poll if one is due. Returns a promise if this request must wait; it resolves after a limited time. */
  function renew(): Promise<unknown> | undefined {
    if (known !== undefined && isWithin(known.renewedAt, refreshMs)) return undefined
    const startedAt = flight.startedAt()
    if (startedAt === undefined && isWithin(failedAt, refreshMs)) return undefined
    const counts = known !== undefined && isYoung(known)
    // After a failed poll, requests wait only briefly for the next one.
    const isKnownDown = sharesWork && isWithin(failedAt, maxStaleMs)
    const waitMs = counts || isKnownDown ? BRIEF_MS : PATIENT_MS
    // On Workers a poll ends with the request that started it, so that request also waits until a long list is read.
    const isOwn = startedAt === undefined && !sharesWork
    const elapsed = startedAt === undefined ? 0 : Math.abs(now() - startedAt)
    const left = isOwn ? waitMs + READING_MS : waitMs - elapsed
    return left > 0 ? isDoneWithin(left, flight.join(waitMs)) : undefined
  }

  function checkToken(claims: ClaimsSet, kid: string): boolean | 'unavailable' {
    const isStale = known === undefined || !isYoung(known)
    if (isStale && feed.onStale === 'refuse') return 'unavailable'
    return known?.list.rules.isListed(claims, kid, now() / 1000) ?? false
  }

  return (claims, kid) => {
    const renewing = renew()
    return renewing === undefined ? checkToken(claims, kid) : renewing.then(() => checkToken(claims, kid))
  }
}

/** Whether a list names the signing key, expired entries included. */
function isKeyRevoked({ rules }: RevocationList, kid: string): boolean {
  return rules.find({ kind: 'kid', value: kid, account: null }).length > 0
}
