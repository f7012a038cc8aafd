// The credential of a customer's backend, in both spellings, and the URL it may be sent to. Whether it is right is the
// issuer's to say. A message names the option at fault, never its value.

import { formatAccountToken } from '../../claims/account-token.ts'
import { isSafeTransport, TRANSPORT_RULE } from '../../claims/plain-http.ts'
import type { ClientCredential } from './types.ts'

/** A credential in both spellings; the pair is missing where what was given as account token is none. */
export interface Credential {
  readonly accountToken: string
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

/** The URL without trailing slash; undefined when there is none. Throws TypeError. */
export function checkIssuer(value: unknown, allowInsecure: unknown = false): string | undefined {
  if (typeof allowInsecure !== 'boolean') throw new TypeError('allowInsecureIssuer: must be true or false')
  if (value === undefined || value === '') return undefined
  const url = typeof value === 'string' ? URL.parse(value) : null
  // The credential is sent there.
  if (url === null || !isSafeTransport(url, allowInsecure)) throw new TypeError(`issuer: ${TRANSPORT_RULE}`)
  if (url.username + url.password !== '' || /[?#]/.test(value as string)) {
    throw new TypeError('issuer: must be a URL without query, fragment, user name and password')
  }
  return url.href.replace(/\/+$/, '')
}

/** The credential; undefined when there is none, or half a pair. Throws TypeError. */
export function checkCredential(options: ClientCredential): Credential | undefined {
  const token = checkText('token', options.token)
  const clientId = checkText('clientId', options.clientId)
  const clientSecret = checkText('clientSecret', options.clientSecret)
  if (token !== undefined) {
    if (clientId !== undefined || clientSecret !== undefined) {
      throw new TypeError('token: stands alone; clientId and clientSecret are its other spelling')
    }
    // Whether it is right, its checksum too, is the issuer's to say.
    const [, id, secret] = /^cgk_([0-9A-Za-z]+)_([0-9A-Za-z]+)_/.exec(token) ?? []
    return { accountToken: token, clientId: id, clientSecret: secret }
  }
  if (clientId === undefined || clientSecret === undefined) return undefined
  return { accountToken: formatAccountToken({ clientId, clientSecret }), clientId, clientSecret }
}

/** Text that may stand in a header: fetch would repeat another one in its message. */
function checkText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value
  throw new TypeError(`${name}: must be text without blanks and line ends`)
}

/** The pair as HTTP Basic has it; both parts are form-encoded first (RFC 6749 section 2.3.1). */
export function spellBasic({ clientId = '', clientSecret = '' }: Credential): string {
  return btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)
}
