// Credentials in the Authorization header: Basic (RFC 7617) and Bearer (RFC 6750 section 2.1).

import { fail, ok, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** The two parts of a pair, as they stand. */
export interface BasicPair {
  readonly user: string
  readonly password: string
}

const BASIC = /^Basic(?: +(.*))?$/i

/** Longest base64 that is decoded: fits an id of 64 and a secret of 128 characters, all percent-encoded. */
const MAX_LENGTH = 1024

/** The pair, of any base64 with or without padding; undefined when the request has no Basic credentials, a reason when they are malformed. */
export function readBasic(headers: Headers): Result<BasicPair, 'malformed'> | undefined {
  const match = BASIC.exec(headers.get('authorization') ?? '')
  if (match === null) return undefined
  const text = decodeBase64(match[1] ?? '')
  const colon = text?.indexOf(':') ?? -1
  return text === undefined || colon < 0
    ? fail('malformed')
    : ok({ user: text.slice(0, colon), password: text.slice(colon + 1) })
}

function decodeBase64(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined
  try {
    return decodeUtf8(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
  } catch {
    // No base64.
    return undefined
  }
}

const BEARER = /^Bearer +(.+)$/i

/** What follows `Bearer`, as it stands; undefined when the header is absent, of another scheme, or empty. */
export function readBearer(headers: Headers): string | undefined {
  return BEARER.exec(headers.get('authorization') ?? '')?.[1]
}
