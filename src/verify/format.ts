// The format of a token, checked before its signature (RFC 7515 section 5.2, RFC 8725 section 3). Only canonical
// base64url and JSON without repeated names are accepted: each part has one valid encoding, and no name has two
// values. Claims are not checked.

import { base64url } from 'jose'
import { isCanonicalBase64url } from '../lib/base64url.ts'
import { isJsonObject, type JsonObject, parseJson } from '../lib/json.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** Longest token that is decoded, in characters. */
export const MAX_TOKEN_LENGTH = 4096

/** A token with a valid format. Its signature is not verified yet, so do not trust its content. */
export interface DecodedToken {
  readonly alg: unknown
  /** Empty when the header has none. Then only a shared secret given as text or bytes can verify the token. */
  readonly kid: string
  readonly payload: JsonObject
}

/** Values of `typ` in the header of a token, in lower case (RFC 9068 section 2.1). */
export const tokenTypes: ReadonlySet<string> = new Set(['at+jwt', 'application/at+jwt'])

/**
 * Decodes a compact JWS whose header has type `at+jwt`; undefined when its format is wrong. A header with `crit` or `b64`
 * is rejected, because extensions change what is signed.
 */
export function decodeToken(token: string): DecodedToken | undefined {
  const dots = findDots(token)
  if (dots === undefined) return undefined
  const [first, second] = dots
  const header = decodeObject(token, 0, first)
  if (header === undefined || !isAcceptableHeader(header)) return undefined
  const payload = decodeObject(token, first + 1, second)
  return payload === undefined ? undefined : { alg: header.alg, kid: (header.kid ?? '') as string, payload }
}

/** Checks `typ`, `kid`, `crit` and `b64`. Ignores `jwk`, `jku`, `x5u` and `x5c`, because a token must not choose its key. */
function isAcceptableHeader(header: JsonObject): boolean {
  const { typ, kid } = header
  if (typeof typ !== 'string' || !tokenTypes.has(typ.toLowerCase())) return false
  return (kid === undefined || typeof kid === 'string') && !('crit' in header) && !('b64' in header)
}

/**
 * The positions of the two dots of a compact JWS. Undefined for more than 4096 characters, an empty part, or a signature
 * that is not canonical base64url.
 */
export function findDots(token: string): readonly [number, number] | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first <= 0 || second <= first + 1 || second === token.length - 1) return undefined
  // A third dot fails here too: it is not a base64url character.
  return isCanonicalBase64url(token, second + 1) ? [first, second] : undefined
}

/**
 * Decodes the JSON object in canonical base64url from `start` to `end`. Undefined when the encoding is not canonical, the
 * bytes are not UTF-8, the JSON is not an object, or an object in it repeats a name.
 */
export function decodeObject(token: string, start: number, end: number): JsonObject | undefined {
  if (!isCanonicalBase64url(token, start, end)) return undefined
  const text = decodeUtf8(base64url.decode(token.slice(start, end)))
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}
