// What the rule that refused a request expected, and what it got: for an operator who explains the refusal, never for the
// caller. No text here holds a token, a proof or an account token; of texts that the request chose, only the parts are
// repeated that have the form of an origin, an address, a name or a URL.

import { type ClaimsSet, parseClaimsSet } from '../../claims/claims-set.ts'
import type { Policy, Reason, Step } from '../../claims/enforce.ts'
import { formatAddress } from '../../claims/ip.ts'
import { type DecodedToken, decodeObject, decodeToken, MAX_TOKEN_LENGTH, tokenTypes } from '../format.ts'
import { originOf, type ReceivedRequest, type Verdict } from '../judge.ts'
import { type Comparison, describeSeconds, kindOf, nameOf } from './describe.ts'
import { compareProof } from './proof.ts'

/** The request that was judged, and the rules that it was judged by. */
export interface CompareContext {
  readonly received: ReceivedRequest
  readonly policy: Policy
  /** Origin of the API, as the judge was given it. */
  readonly apiOrigin: string | undefined
  /** The algorithm of a signing key of this service; undefined when it has no key with this id. */
  readonly findAlg: (kid: string) => string | undefined
  /** Why a token is revoked, in a few words without a value of the token. */
  readonly describeRevocation: (claims: ClaimsSet, kid: string) => Promise<string>
}

/** A refusal with the parts of the token that were readable. */
interface Refusal {
  readonly reason: Reason
  readonly verdict: Verdict
  /** The text that was presented as a token; undefined when there was none, or several. */
  readonly token: string | undefined
  /** Undefined when the format of the token is wrong. */
  readonly decoded: DecodedToken | undefined
}

type Compare = (refusal: Refusal, context: CompareContext) => Comparison | Promise<Comparison>

/**
 * Compares what the failed rule of a verdict expected with what it got. Undefined when no rule failed. Reads the token and
 * the proof again and verifies no signature; changes nothing. For judges in enforce mode: a verdict of report mode does not
 * say how the token was presented.
 */
export async function compareFailed(
  verdict: Verdict,
  context: CompareContext,
): Promise<Comparison | undefined> {
  if (verdict.outcome === 'allow') return undefined
  const { reason } = verdict
  const token = verdict.outcome === 'deny' ? verdict.presented?.token : undefined
  const decoded = token === undefined ? undefined : decodeToken(token)
  const { expected, actual } = await comparisons[reason.step]({ reason, verdict, token, decoded }, context)
  return { expected: shorten(expected), actual: actual === null ? null : shorten(actual) }
}

/** One comparison for each step of verification. */
const comparisons: Readonly<Record<Step, Compare>> = {
  extract({ reason }, { received }) {
    const expected = 'one browser token'
    if (reason.code === 'invalid_request') return { expected, actual: 'two or more credentials' }
    const isOther = received.request.headers.get('authorization') !== null
    return { expected, actual: isOther ? 'an Authorization header of another scheme' : null }
  },

  format({ token = '', decoded }, { findAlg }) {
    if (decoded === undefined) return compareFormat(token)
    const alg = findAlg(decoded.kid)
    const actual = `kid ${nameOf(decoded.kid)}, alg ${nameOf(decoded.alg)}`
    return alg === undefined
      ? { expected: 'the kid of a signing key of this service', actual }
      : { expected: `kid ${decoded.kid}, alg ${alg}`, actual }
  },

  signature({ reason, decoded }) {
    if (reason.code === 'unavailable') return { expected: "the issuer's signing keys", actual: null }
    return {
      expected: `a signature by the key ${nameOf(decoded?.kid)}`,
      actual: 'a signature by another key, or of another text',
    }
  },

  claims({ decoded }, { policy, received: { now } }) {
    const parsed = parseClaimsSet(decoded?.payload ?? {})
    if (!parsed.ok) return compareShape(parsed.reason, decoded?.payload[parsed.reason])
    const { claims, audience } = parsed.value
    if (claims.iss !== policy.issuer) return { expected: `iss ${policy.issuer}`, actual: `iss ${claims.iss}` }
    if (!audience.some((one) => policy.audience.includes(one)))
      return { expected: `aud ${policy.audience.join(' or ')}`, actual: `aud ${audience.join(', ')}` }
    return compareTimes(claims, policy.clockTolerance, now)
  },

  async revocation({ reason, verdict, decoded }, { describeRevocation }) {
    const expected = 'an active account and credential, and no revocation'
    if (reason.code === 'unavailable' || verdict.parsed === undefined) return { expected, actual: null }
    return { expected, actual: await describeRevocation(verdict.parsed.claims, decoded?.kid ?? '') }
  },

  origin({ reason, verdict }, { received: { request }, apiOrigin }) {
    const bound =
      reason.code === 'origin_not_allowed' ? 'an origin that CORS allows' : verdict.parsed?.claims.origin
    if (bound === undefined) return { expected: 'a token that is bound to an origin', actual: null }
    const origin = originOf(request, apiOrigin)
    return { expected: bound, actual: origin === null ? null : describeOrigin(origin) }
  },

  address({ verdict }, { received: { address } }) {
    const ranges = verdict.parsed?.ranges
    if (ranges === undefined) return { expected: 'a token that is bound to an address', actual: null }
    return {
      expected: ranges.map(({ text }) => text).join(', '),
      actual: address === undefined ? null : formatAddress(address),
    }
  },

  key({ reason, verdict, token = '' }, { received, apiOrigin }) {
    const jkt = verdict.parsed?.claims.cnf?.jkt
    const isProof = verdict.outcome === 'deny' && verdict.presented?.scheme === 'dpop'
    if (jkt === undefined) {
      return isProof
        ? { expected: 'the scheme Bearer', actual: 'the scheme DPoP' }
        : { expected: 'a token that is bound to a key', actual: null }
    }
    if (!isProof)
      return { expected: `the scheme DPoP with a proof by the key ${jkt}`, actual: 'the scheme Bearer' }
    return compareProof(reason, { received, jkt, accessToken: token, apiOrigin })
  },

  scope({ verdict }, { policy }) {
    const held = verdict.parsed?.scopes ?? []
    return { expected: policy.scopes.join(' '), actual: held.length === 0 ? null : held.join(' ') }
  },
}

/** What is wrong with a text that is not a token. Repeats nothing of it but the name of its type. */
function compareFormat(token: string): Comparison {
  if (token.length > MAX_TOKEN_LENGTH)
    return { expected: `at most ${MAX_TOKEN_LENGTH} characters`, actual: `${token.length} characters` }
  const [head = '', payload = '', ...others] = token.split('.')
  const count = others.length + (token.includes('.') ? 2 : 1)
  if (count !== 3)
    return {
      expected: 'three parts with dots between them',
      actual: `${count} ${count === 1 ? 'part' : 'parts'}`,
    }
  const header = decodeObject(head, 0, head.length)
  const expected = 'three parts in base64url, the first two of them JSON objects without repeated names'
  if (header === undefined) return { expected, actual: 'another first part' }
  if (typeof header.typ !== 'string' || !tokenTypes.has(header.typ.toLowerCase()))
    return { expected: 'typ at+jwt', actual: header.typ === undefined ? null : `typ ${nameOf(header.typ)}` }
  if ('crit' in header || 'b64' in header)
    return { expected: 'a header without crit and b64', actual: 'one of them' }
  if (header.kid !== undefined && typeof header.kid !== 'string')
    return { expected: 'a kid that is a text', actual: `a kid that is ${kindOf(header.kid)}` }
  const isPayloadWrong = decodeObject(payload, 0, payload.length) === undefined
  return { expected, actual: isPayloadWrong ? 'another second part' : 'another third part' }
}

/** The form that a claim must have, by its name; others must be a text. */
const SHAPES: Readonly<Record<string, string>> = {
  aud: 'a text or a list of texts',
  iat: 'a number',
  exp: 'a number greater than iat',
  nbf: 'a number',
  scope: 'scopes with spaces between them',
  origin: 'a canonical origin',
  ip: 'canonical addresses',
  cnf: 'an object with a jkt alone',
}

function compareShape(name: string, value: unknown): Comparison {
  return {
    expected: `${name}: ${SHAPES[name] ?? 'a text that is not empty'}`,
    actual: value === undefined ? null : `${name}: ${kindOf(value)}`,
  }
}

/** `now` is the time of the request, epoch seconds. */
function compareTimes({ exp, iat, nbf }: ClaimsSet, tolerance: number, now: number): Comparison {
  const actual = describeSeconds(now)
  const spare = `and ${tolerance} s`
  if (now >= exp + tolerance)
    return { expected: `before ${describeSeconds(exp + tolerance)} (exp ${spare})`, actual }
  const [name, first] = nbf !== undefined && nbf > iat ? ['nbf', nbf] : ['iat', iat]
  return {
    expected: `from ${describeSeconds(Number(first) - tolerance)} on (${name} less ${tolerance} s)`,
    actual,
  }
}

/** An `Origin` header without a path, query or user, which may hold a secret. */
function describeOrigin(header: string): string {
  if (/^([a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\]*\/?|null)$/i.test(header)) return header
  if (header.includes(',')) return 'several origins'
  const origin = /^https?:/i.test(header) ? URL.parse(header)?.origin : undefined
  return origin === undefined
    ? `a text of ${header.length} characters that is no origin`
    : `${origin} with more after it`
}

const MAX_LENGTH = 1000

function shorten(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`
}
