// Credentials in the Authorization header: Basic (RFC 7617) and Bearer (RFC 6750 section 2.1).

import { fail, ok, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** User and password of Basic credentials, as they were sent. */
export interface BasicPair {
  readonly user: string
  readonly password: string
}

const BASIC = /^Basic(?: +(.*))?$/i
const BEARER = /^Bearer +(.+)$/i

/** Longest base64 text that is decoded: an id of 64 and a secret of 128 characters, all percent-encoded, fit in it. */
const MAX_BASE64_LENGTH = 1024

/**
 * The pair of a request with Basic credentials; base64 padding is optional. Undefined without Basic credentials; fails
 * when they are malformed. Not done: the form-decoding of RFC 6749 section 2.3.1, because some endpoints require it and
 * most clients send the pair raw.
 */
export function readBasic(headers: Headers): Result<BasicPair, 'malformed'> | undefined {
  const match = BASIC.exec(headers.get('authorization') ?? '')
  if (match === null) return undefined
  const text = decodeBase64(match[1] ?? '')
  const colon = text?.indexOf(':') ?? -1
  return text === undefined || colon < 0
    ? fail('malformed')
    : ok({ user: text.slice(0, colon), password: text.slice(colon + 1) })
}

/** The text after `Bearer`, unchecked; undefined when the header is absent, empty, or has another scheme. */
export function readBearer(headers: Headers): string | undefined {
  return BEARER.exec(headers.get('authorization') ?? '')?.[1]
}

function decodeBase64(text: string): string | undefined {
  if (text.length > MAX_BASE64_LENGTH) return undefined
  try {
    return decodeUtf8(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
  } catch {
    // atob throws on text that is not base64.
    return undefined
  }
}
