// GET /.well-known/revocations: what ends tokens, signed, for verifiers elsewhere (RFC 7515 compact,
// `typ: revocations+jwt`). Signed anew only when it changes or has aged, so that most polls are a 304. Served from
// memory while the store is down, for a day; then refused, never empty.

import type { RevocationRule } from '../claims/account.ts'
import type { Handler } from '../http/context.ts'
import { matchesTag } from '../http/etag.ts'
import { unavailable } from '../http/problem.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import { type ReadRules, type RevocationRules, toEntry } from './revocation-rules.ts'

/** What the document needs. */
export interface DocumentDeps {
  readonly issuer: string
  readonly rules: Pick<RevocationRules, 'read'>
  readonly keys: Pick<KeyRing, 'revocationSigner'>
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** What a document is made of; times are epoch seconds. */
interface Parts {
  readonly rules: readonly RevocationRule[]
  readonly kid: string
  readonly issuedAt: number
  readonly expiresAt: number
}

interface SignedDocument extends Parts {
  readonly body: string
  readonly etag: string
}

/** How long one signature serves, seconds. */
const PERIOD_SECONDS = 30
/** A verifier that cannot reach us takes its list for stale after this, seconds. */
const LIFETIME_SECONDS = 300
/** Rules that are older were not to be had anew. */
const CURRENT_MS = 5000

const HEADERS = { 'cache-control': 'public, max-age=2' }

/** The handler; 503 when revocations could not be read for a day. */
export function createRevocationsHandler({ issuer, rules, keys, now }: DocumentDeps): Handler {
  let latest: SignedDocument | undefined
  let issuedAt = Number.NEGATIVE_INFINITY

  /**
   * `iat` tells how new the rules are, not the signature: verifiers take no list that looks older than the one they
   * have, so a replica that is cut off from the store must not pass for the newest. Whole periods, because replicas
   * sign at different moments.
   */
  function dateRules(ageMs: number): number {
    const time = now()
    issuedAt = ageMs < CURRENT_MS ? periodOf(time) : Math.max(issuedAt, periodOf(time - ageMs))
    return issuedAt
  }

  async function makeDocument({ rules: list, ageMs }: ReadRules): Promise<SignedDocument> {
    // One object: the key that is named is the key that signs, also when keys are rotated meanwhile.
    const { kid, signRevocations } = keys.revocationSigner
    const parts: Parts = {
      rules: list,
      kid,
      issuedAt: dateRules(ageMs),
      expiresAt: periodOf(now()) + LIFETIME_SECONDS,
    }
    if (latest !== undefined && isMadeOf(latest, parts)) return latest
    const body = await signRevocations(formatPayload(issuer, parts, now()))
    // The signature's end tells versions apart as well as a digest would.
    latest = { ...parts, body, etag: `"${body.slice(-32)}"` }
    return latest
  }

  return async (context) => {
    const read = await rules.read()
    if (read === undefined) return context.refuse(UNAVAILABLE)
    const { body, etag } = await makeDocument(read)
    return matchesTag(context.request.headers.get('if-none-match'), etag)
      ? context.answer(304, null, { ...HEADERS, etag })
      : context.answer(200, body, { ...HEADERS, etag, 'content-type': 'application/jwt' })
  }
}

const UNAVAILABLE = unavailable('revocations cannot be read at the moment')

function periodOf(ms: number): number {
  return Math.floor(ms / (PERIOD_SECONDS * 1000)) * PERIOD_SECONDS
}

function isMadeOf(document: Parts, { rules, kid, issuedAt, expiresAt }: Parts): boolean {
  return (
    document.rules === rules &&
    document.kid === kid &&
    document.issuedAt === issuedAt &&
    document.expiresAt === expiresAt
  )
}

/** `now` is epoch milliseconds: rules from memory may have ended since they were read. */
function formatPayload(iss: string, { rules, issuedAt, expiresAt }: Parts, now: number): string {
  const revoked = rules
    .filter(({ until }) => until > now)
    .map((rule) => ({ [rule.kind]: rule.value, ...toEntry(rule) }))
  return JSON.stringify({ iss, iat: issuedAt, exp: expiresAt, revoked })
}
