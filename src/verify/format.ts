// Step 2: the form of a token, before any cryptography (RFC 7515 section 5.2, RFC 8725 section 3).
// One spelling for each token, no member that names a key or asks for an extension. Judges no claim.

import { base64url } from 'jose'
import { isCanonicalBase64url } from '../lib/base64url.ts'
import { isJsonObject, type JsonObject, parseJson } from '../lib/json.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 4096

/** A token whose form is right; nothing in it is trusted yet. */
export interface DecodedToken {
  readonly alg: unknown
  /** Empty when the header names none: no key is called so, and a secret given as text or bytes needs no name. */
  readonly kid: string
  readonly payload: JsonObject
}

const TYPES: ReadonlySet<string> = new Set(['at+jwt', 'application/at+jwt'])

/** The decoded token, or undefined when its form is wrong. */
export function decodeToken(token: string): DecodedToken | undefined {
  const dots = findDots(token)
  if (dots === undefined) return undefined
  const [first, second] = dots
  const header = decodeObject(token, 0, first)
  if (header === undefined || !isAcceptableHeader(header)) return undefined
  const payload = decodeObject(token, first + 1, second)
  return payload === undefined ? undefined : { alg: header.alg, kid: (header.kid ?? '') as string, payload }
}

/** `jwk`, `jku`, `x5u` and `x5c` may stand there: they are never looked at. */
function isAcceptableHeader(header: JsonObject): boolean {
  const { typ, kid } = header
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase())) return false
  return (kid === undefined || typeof kid === 'string') && !('crit' in header) && !('b64' in header)
}

/** The two dots of a compact JWS of at most 4096 characters; undefined when it is none, or its signature is not canonical. */
export function findDots(token: string): readonly [number, number] | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first <= 0 || second <= first + 1 || second === token.length - 1) return undefined
  // A third dot is no base64url character, so it fails here.
  return isCanonicalBase64url(token, second + 1) ? [first, second] : undefined
}

/** The JSON object, each name in it once, that canonical base64url stands for; undefined when it is none. */
export function decodeObject(token: string, start: number, end: number): JsonObject | undefined {
  if (!isCanonicalBase64url(token, start, end)) return undefined
  const text = decodeUtf8(base64url.decode(token.slice(start, end)))
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}
