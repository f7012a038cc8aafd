// GET /.well-known/revocations: the signed list of revocations that remote verifiers poll (JWS compact, RFC 7515,
// `typ: revocations+jwt`). Signed again only when it changes or ages; a poll with the ETag of the last list gets 304 until
// then. While the store is down, the list is served from memory for a day, then the answer is 503, never an empty list. A
// long list is written and signed in slices, between which other requests are answered.

import type { NumberedRule } from '../../claims/records/revocation.ts'
import { type Handler, matchesTag } from '../../http/context.ts'
import { unavailable } from '../../http/problem.ts'
import type { KeyRing } from '../../signing/key-ring.ts'
import { formatEntry } from '../../verify/revocation/list.ts'
import type { RevocationRules, RuleSnapshot } from './rules.ts'
import { createArrayWriter, type SigningInput } from './write-long-array.ts'

/** The rules, the signing keys and the settings of the list. */
export interface DocumentDeps {
  readonly issuer: string
  readonly rules: Pick<RevocationRules, 'read'>
  readonly keyRing: Pick<KeyRing, 'revocationSigner'>
  /** Returns the current time in epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may share a signature; false on Workers. */
  readonly sharesWork: boolean
}

/** Facts that identify a version of the list; times are epoch seconds. */
interface Parts {
  readonly seq: number
  readonly kid: string
  readonly issuedAt: number
  readonly expiresAt: number
}

interface SignedDocument extends Parts {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
  /** When writing it began (`performance.now()`), and how long that took; milliseconds. */
  readonly begunAt: number
  readonly tookMs: number
}

/** A list with the same rules is signed again after this many seconds. */
const PERIOD_SECONDS = 1
/** {@link PERIOD_SECONDS} for a list with more than {@link LONG_LIST} rules. */
const LONG_PERIOD_SECONDS = 5
const LONG_LIST = 500
/** A poll with the ETag of an unchanged list gets 304 until that list is this many seconds old. */
const UNCHANGED_SECONDS = 30
/** Lifetime (`exp - iat`) of a list, seconds: a verifier that cannot reach the issuer uses it no longer. */
const LIFETIME_SECONDS = 300
/** Rules older than this mean that the store could not be read. */
const CURRENT_MS = 5000
/**
 * A list that keeps changing is written again after 10 times the duration of the last writing, so that writing takes at
 * most a tenth of the process's time, but after {@link MAX_HOLD_MS} at the latest.
 */
const HOLD_FACTOR = 10
const MAX_HOLD_MS = 1000

const HEADERS = { 'cache-control': 'public, max-age=2' }

/** Creates the handler. It answers 503 if rules were never read, or if they were last read a day ago or earlier. */
export function createRevocationsHandler(deps: DocumentDeps): Handler {
  const { rules, keyRing, now, sharesWork } = deps
  const writeList = createListWriter(deps.issuer)
  let latest: SignedDocument | undefined
  let making: { readonly parts: Parts; readonly done: Promise<SignedDocument> } | undefined
  let issuedAt = Number.NEGATIVE_INFINITY

  /**
   * `iat` is the time of the rules, not of the signature: verifiers refuse a list with a lower `iat` than their last one,
   * so a replica that cannot read the store must not seem to have the newest rules. Rounded down to whole periods, because
   * replicas sign at different moments. Never earlier than before, unless the clock was set back.
   */
  function dateRules(ageMs: number, period: number): number {
    const time = now()
    const date = beginOf(period, ageMs < CURRENT_MS ? time : time - ageMs)
    issuedAt = issuedAt * 1000 > time ? date : Math.max(issuedAt, date)
    return issuedAt
  }

  async function makeDocument({ rules: list, ...parts }: Parts & Pick<RuleSnapshot, 'rules'>) {
    const begunAt = performance.now()
    const { revocationsHeader, signRevocations } = keyRing.revocationSigner
    const { seq, issuedAt, expiresAt } = parts
    const facts = { seq, issuedAt, expiresAt, period: expiresAt - LIFETIME_SECONDS }
    const { input, finish } = await writeList(revocationsHeader, facts, list)
    const signature = await signRevocations(input)
    const body = finish(signature)
    // The end of the signature identifies a version like a digest does.
    const etag = `"${signature.slice(-32)}"`
    const made = { ...parts, body, etag, begunAt, tookMs: performance.now() - begunAt }
    // A newer document may have been finished earlier than this one.
    if (latest === undefined || latest.seq <= made.seq) latest = made
    return made
  }

  /** The document to answer with: the latest, one that is being written, or a new one. `tag` is `If-None-Match`. */
  function findDocument(
    { seq, rules: list, ageMs }: RuleSnapshot,
    tag: string | null,
  ): SignedDocument | Promise<SignedDocument> {
    const { kid } = keyRing.revocationSigner
    const period = list.length > LONG_LIST ? LONG_PERIOD_SECONDS : PERIOD_SECONDS
    const parts = {
      seq,
      kid,
      issuedAt: dateRules(ageMs, period),
      expiresAt: beginOf(period, now()) + LIFETIME_SECONDS,
    }
    if (latest !== undefined) {
      if (isMadeOf(latest, parts) || isHeldBack(latest, kid)) return latest
      if (matchesTag(tag, latest.etag) && isUnchanged(latest, parts)) return latest
    }
    if (making !== undefined && sharesWork && isMadeOf(making.parts, parts)) return making.done
    const done = makeDocument({ ...parts, rules: list })
    const current = { parts, done }
    making = current
    const end = (): void => {
      if (making === current) making = undefined
    }
    done.then(end, end)
    return done
  }

  return async (context) => {
    const read = await rules.read()
    if (read === undefined) return context.refuse(UNAVAILABLE)
    const tag = context.request.headers.get('if-none-match')
    const { body, etag } = await findDocument(read, tag)
    return matchesTag(tag, etag)
      ? context.answer(304, null, { ...HEADERS, etag })
      : context.answer(200, body, { ...HEADERS, etag, 'content-type': 'application/jwt' })
  }
}

/** Members of a list in addition to its entries, and the time that decides which entries are left out; epoch seconds. */
export interface ListFacts {
  readonly seq: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** Rules that expired by then are left out. */
  readonly period: number
}

/** Writes a list behind a protected header in base64url; `rules` are in the order of their numbers, then ids. */
export type WriteList = (
  header: string,
  facts: ListFacts,
  rules: readonly NumberedRule[],
) => Promise<SigningInput>

/** Creates a writer of an issuer's lists, which keeps the encoded entries of the last one. */
export function createListWriter(issuer: string): WriteList {
  const writeArray = createArrayWriter({ format: formatEntry, isBefore })
  return (header, { seq, issuedAt, expiresAt, period }, rules) =>
    writeArray(header, {
      members: { iss: issuer, iat: issuedAt, exp: expiresAt, seq },
      name: 'revoked',
      items: rules,
      isIncluded: ({ until }) => until > period * 1000,
    })
}

function isBefore(one: NumberedRule, other: NumberedRule): boolean {
  return one.seq < other.seq || (one.seq === other.seq && one.id < other.id)
}

const UNAVAILABLE = unavailable('revocations cannot be read at the moment')

/** Start (epoch seconds) of the period of `period` seconds that contains `ms` (epoch milliseconds). */
function beginOf(period: number, ms: number): number {
  return Math.floor(ms / (period * 1000)) * period
}

function isMadeOf(document: Parts, { seq, kid, issuedAt, expiresAt }: Parts): boolean {
  return (
    document.seq === seq &&
    document.kid === kid &&
    document.issuedAt === issuedAt &&
    document.expiresAt === expiresAt
  )
}

/** Whether a document has the rules and key of these parts and is less than {@link UNCHANGED_SECONDS} older. */
function isUnchanged(document: Parts, { seq, kid, issuedAt, expiresAt }: Parts): boolean {
  const isYoung = (older: number, newer: number): boolean => Math.abs(newer - older) < UNCHANGED_SECONDS
  return (
    document.seq === seq &&
    document.kid === kid &&
    isYoung(document.issuedAt, issuedAt) &&
    isYoung(document.expiresAt, expiresAt)
  )
}

/** Whether it is too early to write a changed list again, because writing the last one took long. */
function isHeldBack({ kid, begunAt, tookMs }: SignedDocument, signingKid: string): boolean {
  const holdMs = Math.min(tookMs * HOLD_FACTOR, MAX_HOLD_MS)
  return kid === signingKid && performance.now() - begunAt < holdMs
}
