// Assertions by which clients authenticate (RFC 7523 section 3): their form, and their claims once the signature is
// known to be right. Verifies no signature itself and remembers no `jti`.

import { isCanonicalBase64url } from '../lib/base64url.ts'
import type { JsonObject } from '../lib/json.ts'
import { decodeObject } from '../verify/format.ts'

/** An assertion whose form is right; nothing in it is trusted yet. */
export interface Assertion {
  readonly text: string
  readonly alg: string
  readonly kid: string | undefined
  readonly claims: JsonObject
}

/** Absent, or one of these; a token or a DPoP proof is no assertion (RFC 8725 section 3.11). */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'client-authentication+jwt'])

/** The decoded assertion, or undefined when it is no JWS of the one spelling that each has. */
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

/** Longest life of an assertion, seconds. */
const MAX_LIFE_SECONDS = 300
const MAX_JTI_LENGTH = 256

/** By what claims are judged. Times are epoch seconds, spans seconds. */
export interface AssertionRules {
  readonly clientId: string
  /** Any of these may be in `aud`. */
  readonly audiences: readonly string[]
  readonly clockTolerance: number
  readonly now: number
}

/** What must not come again, and until when (epoch seconds). */
export interface OneTime {
  readonly jti: string
  readonly exp: number
}

/** `jti` and `exp` of an assertion that is the client's, for us and of this time; else undefined. */
export function judgeAssertion(claims: JsonObject, rules: AssertionRules): OneTime | undefined {
  const { iss, sub, aud, exp, iat, nbf, jti } = claims
  const { clientId, audiences, now } = rules
  if (iss !== clientId || sub !== clientId) return undefined
  if (![aud].flat().some((one) => typeof one === 'string' && audiences.includes(one))) return undefined
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) return undefined
  const latest = now + rules.clockTolerance
  if (!isTime(exp) || exp <= now || exp > latest + MAX_LIFE_SECONDS) return undefined
  if (nbf !== undefined && !(isTime(nbf) && nbf <= latest)) return undefined
  if (iat !== undefined && !(isTime(iat) && iat <= latest && exp - iat <= MAX_LIFE_SECONDS)) return undefined
  return { jti, exp }
}

/** A JSON number may be too large to be finite. */
function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}
