// Assertions by which clients authenticate (RFC 7523 section 3): their format, and the check of their claims, which must wait
// until the signature is verified. Does not verify the signature (client-keys.ts does) and does not check that a `jti` is new
// (client.ts does).

import { isCanonicalBase64url } from '../lib/base64url.ts'
import type { JsonObject } from '../lib/json.ts'
import { decodeObject } from '../verify/format.ts'

/** A decoded assertion. Nothing in it is verified yet. */
export interface Assertion {
  readonly text: string
  readonly alg: string
  readonly kid: string | undefined
  readonly claims: JsonObject
}

/** Accepted `typ` values, so that an access token or a DPoP proof cannot serve as an assertion (RFC 8725 section 3.11). */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'client-authentication+jwt'])

/** Decodes a compact JWS; undefined when it is malformed or not canonical, has another `typ`, or uses `crit` or `b64`. */
export function decodeAssertion(text: string): Assertion | undefined {
  const [head = '', body = '', signature = '', ...more] = text.split('.')
  if (more.length > 0 || signature === '' || !isCanonicalBase64url(signature)) return undefined
  const header = decodeObject(head, 0, head.length)
  const claims = decodeObject(body, 0, body.length)
  if (header === undefined || claims === undefined || 'crit' in header || 'b64' in header) return undefined
  const { alg, kid, typ = 'JWT' } = header
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) return undefined
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase().replace(/^application\//, ''))) return undefined
  return { text, alg, kid, claims }
}

/** Longest lifetime of an assertion, seconds. */
const MAX_LIFETIME_SECONDS = 300
const MAX_JTI_LENGTH = 256

/** What the claims of an assertion must agree with. */
export interface AssertionRules {
  readonly clientId: string
  /** One of these must be in `aud`. */
  readonly audiences: readonly string[]
  /** Allowed clock skew, seconds. Does not extend `exp`. */
  readonly clockTolerance: number
  /** The current time, epoch seconds. */
  readonly now: number
}

/** The id of an assertion, which may be used once until `exp` (epoch seconds). */
export interface AssertionId {
  readonly jti: string
  readonly exp: number
}

/**
 * The id of an assertion whose issuer, subject, audience and times are right; else undefined, also when the `jti` does not
 * have 1 to 256 characters.
 */
export function checkAssertionClaims(claims: JsonObject, rules: AssertionRules): AssertionId | undefined {
  const { iss, sub, aud, exp, iat, nbf, jti } = claims
  const { clientId, audiences, now } = rules
  if (iss !== clientId || sub !== clientId) return undefined
  if (![aud].flat().some((one) => typeof one === 'string' && audiences.includes(one))) return undefined
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) return undefined
  const latest = now + rules.clockTolerance
  if (!isTime(exp) || exp <= now || exp > latest + MAX_LIFETIME_SECONDS) return undefined
  if (nbf !== undefined && !(isTime(nbf) && nbf <= latest)) return undefined
  if (iat !== undefined && !(isTime(iat) && iat <= latest && exp - iat <= MAX_LIFETIME_SECONDS))
    return undefined
  return { jti, exp }
}

/** Whether a value is a finite number: `1e400` in JSON is parsed as Infinity. */
function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}
