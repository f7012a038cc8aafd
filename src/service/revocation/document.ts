// GET /.well-known/revocations: what ends tokens, signed, for verifiers elsewhere (RFC 7515 compact,
// `typ: revocations+jwt`). Signed again only when it changes or has aged; until then a poll is a 304. Served from memory
// while the store is down, for a day; then refused, never empty. A long list is written and signed in slices, between
// which other requests are answered.

import type { NumberedRule } from '../../claims/revocation.ts'
import { type Handler, matchesTag } from '../../http/context.ts'
import { unavailable } from '../../http/problem.ts'
import type { KeyRing } from '../../signing/key-ring.ts'
import { formatEntry } from '../../verify/revocation/list.ts'
import type { RevocationRules, RuleSnapshot } from './rules.ts'
import { createArrayWriter, type SigningInput } from './write-long-array.ts'

/** What the document needs. */
export interface DocumentDeps {
  readonly issuer: string
  readonly rules: Pick<RevocationRules, 'read'>
  readonly keyRing: Pick<KeyRing, 'revocationSigner'>
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may wait for one signature together: not on Workers. */
  readonly sharesWork: boolean
}

/** What a document is made of; times are epoch seconds. */
interface Parts {
  readonly seq: number
  readonly kid: string
  readonly issuedAt: number
  readonly expiresAt: number
}

interface SignedDocument extends Parts {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
  /** When it was begun, and how long it took; `performance.now()`, milliseconds. */
  readonly begunAt: number
  readonly tookMs: number
}

/** Longest age of a list that is sent because its rules have not changed, seconds. */
const PERIOD_SECONDS = 1
/** The same for a list with more than {@link LONG_LIST} rules. */
const LONG_PERIOD_SECONDS = 5
const LONG_LIST = 500
/** Longest age of a list that a poll with its tag gets a 304 for, seconds. */
const UNCHANGED_SECONDS = 30
/** A verifier that cannot reach us takes its list for stale after this, seconds. */
const LIFETIME_SECONDS = 300
/** Older rules mean that the store could not be re-read. */
const CURRENT_MS = 5000
/**
 * A list that keeps changing is written again only after this many times the duration of its last writing, so that
 * writing takes at most a tenth of the process's time; but after {@link MAX_HOLD_MS} at the latest.
 */
const HOLD_FACTOR = 10
const MAX_HOLD_MS = 1000

const HEADERS = { 'cache-control': 'public, max-age=2' }

/** The handler; 503 when revocations could not be read for a day. */
export function createRevocationsHandler(deps: DocumentDeps): Handler {
  const { rules, keyRing, now, sharesWork } = deps
  const writeList = createListWriter(deps.issuer)
  let latest: SignedDocument | undefined
  let making: { readonly parts: Parts; readonly done: Promise<SignedDocument> } | undefined
  let issuedAt = Number.NEGATIVE_INFINITY

  /**
   * `iat` tells how new the rules are, not the signature: verifiers take no list that looks older than the one they
   * have, so a replica that is cut off from the store must not pass for the newest. Whole periods, because replicas
   * sign at different moments. Never earlier than before, unless the clock was set back.
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
    // The end of the signature identifies a version as well as a digest would.
    const etag = `"${signature.slice(-32)}"`
    const made = { ...parts, body, etag, begunAt, tookMs: performance.now() - begunAt }
    // A document that was begun later may have been ready sooner.
    if (latest === undefined || latest.seq <= made.seq) latest = made
    return made
  }

  /** `tag`: the `If-None-Match` of the request. */
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

/** The members of a list in addition to its entries; times are epoch seconds. */
export interface ListFacts {
  readonly seq: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** Rules that expired by this time are left out. */
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

/** Start (epoch seconds) of the period of this many seconds that contains `ms` (epoch milliseconds). */
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

/** Whether a list has the same rules and key as one of these parts would, and is young enough to be kept. */
function isUnchanged(document: Parts, { seq, kid, issuedAt, expiresAt }: Parts): boolean {
  const isYoung = (older: number, newer: number): boolean => Math.abs(newer - older) < UNCHANGED_SECONDS
  return (
    document.seq === seq &&
    document.kid === kid &&
    isYoung(document.issuedAt, issuedAt) &&
    isYoung(document.expiresAt, expiresAt)
  )
}

/** Whether it is too soon to write the list again although it has changed, because writing takes long. */
function isHeldBack({ kid, begunAt, tookMs }: SignedDocument, signingKid: string): boolean {
  const holdMs = Math.min(tookMs * HOLD_FACTOR, MAX_HOLD_MS)
  return kid === signingKid && performance.now() - begunAt < holdMs
}
