// HTTP Basic credentials (RFC 7617). Reads the pair as it stands; whether its parts are form-encoded besides is the
// dialect's to know (RFC 6749 section 2.3.1 says so, most others send them raw).

import { fail, ok, type Result } from '../claims/result.ts'

/** The two parts of a pair, as they stand. */
export interface BasicPair {
  readonly user: string
  readonly password: string
}

const BASIC = /^Basic(?: +(.*))?$/i
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The pair, of any base64 with or without padding; undefined when the request has no Basic credentials, a reason when they are malformed. */
export function readBasic(headers: Headers): Result<BasicPair, 'malformed'> | undefined {
  const match = BASIC.exec(headers.get('authorization') ?? '')
  if (match === null) return undefined
  try {
    const text = utf8.decode(Uint8Array.from(atob(match[1] ?? ''), (character) => character.charCodeAt(0)))
    const colon = text.indexOf(':')
    return colon < 0 ? fail('malformed') : ok({ user: text.slice(0, colon), password: text.slice(colon + 1) })
  } catch {
    return fail('malformed')
  }
}
