// What a verifier knows of an issuer's revocations, polled when requests ask: no timer runs behind their back.
// A list that cannot be had, or is not right, or not of today, is never taken for an empty one: what was known
// before goes on until it is too old, and then `onStale` decides.

import type { ClaimsSet } from '../claims/claims-set.ts'
import type { MaybePromise } from '../claims/result.ts'
import { isDoneWithin } from '../timing.ts'
import type { TextFetcher } from './fetch-text.ts'
import type { KeySource } from './key-source.ts'
import type { RevocationFeed } from './options.ts'
import { isListed, type RevocationList, readRevocations } from './revocation-list.ts'
import { createSingleFlight } from './single-flight.ts'

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
  /** When the poll began that last found it right. Epoch milliseconds. */
  readonly renewedAt: number
}

const ACCEPT = 'application/jwt, application/jose, */*;q=0.5'
/** Some fifty thousand entries. */
const MAX_BYTES = 4 * 1024 * 1024
/** How long requests wait for a poll while what is known still counts, and while it does not. */
const BRIEF_MS = 500
const PATIENT_MS = 5000
/** A poll that may have had to fetch keys too. */
const LOST_AFTER_MS = 2 * PATIENT_MS + 1000

/** A check against the feed of these options, which have been judged. */
export function createRevocationFeed(feed: RevocationFeed, deps: FeedDeps): CheckRevocation {
  const { keys, fetcher, now, sharesWork } = deps
  const refreshMs = (feed.refreshSeconds ?? 2) * 1000
  const maxStaleMs = (feed.maxStaleSeconds ?? 60) * 1000
  let known: Known | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  // Either way: a clock that was set back must not stretch any of the spans.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs

  /** The list as the issuer has it now, or undefined. A list that has ended is asked for anew, whatever its tag. */
  async function fetchKnown(timeoutMs: number): Promise<Known | undefined> {
    const renewedAt = now()
    const held = known && known.list.expiresAt * 1000 > renewedAt ? known : undefined
    const wish = { accept: ACCEPT, timeoutMs, maxBytes: MAX_BYTES, etag: held?.etag }
    const answer = await fetcher.fetchText(feed.url, wish)
    if (answer === undefined) return held && { ...held, renewedAt }
    const list = await readRevocations(answer.text, deps.issuer, keys)
    return list && { list, etag: answer.etag, renewedAt }
  }

  /** Whether a list is of today, and not an older one than what is known: that would bring ended tokens back. */
  function isCurrent({ issuedAt, expiresAt }: RevocationList): boolean {
    const seconds = now() / 1000
    if (expiresAt <= seconds || issuedAt > seconds + deps.clockTolerance) return false
    return known === undefined || issuedAt >= known.list.issuedAt - deps.clockTolerance
  }

  async function poll(waitMs: number): Promise<void> {
    try {
      // Where the poll ends with its request, it must end itself before: a poll cut off would look like one open.
      const next = await fetchKnown(sharesWork ? PATIENT_MS : waitMs)
      if (next !== undefined && isCurrent(next.list)) known = next
      else failedAt = now()
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
    const isYoung = known !== undefined && isWithin(known.renewedAt, maxStaleMs)
    // Who has just learnt that the issuer is down does not let every request wait to learn it again.
    const isKnownDown = sharesWork && isWithin(failedAt, maxStaleMs)
    const waitMs = isYoung || isKnownDown ? BRIEF_MS : PATIENT_MS
    const left = waitMs - (startedAt === undefined ? 0 : Math.abs(now() - startedAt))
    return left > 0 ? isDoneWithin(left, flight.join(waitMs)) : undefined
  }

  function judge(claims: ClaimsSet, kid: string): boolean | 'unavailable' {
    const isStale =
      known === undefined || !isWithin(known.renewedAt, maxStaleMs) || known.list.expiresAt * 1000 <= now()
    if (isStale && feed.onStale === 'refuse') return 'unavailable'
    return known !== undefined && isListed(known.list.byName, claims, kid, now() / 1000)
  }

  return (claims, kid) => {
    const renewing = renew()
    return renewing === undefined ? judge(claims, kid) : renewing.then(() => judge(claims, kid))
  }
}
