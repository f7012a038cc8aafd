// Checks the credential of a client and the URL that it is sent to. A message names the option, never its value. Not
// checked: whether the issuer accepts the credential.

import { isSafeTransport, TRANSPORT_RULE } from '../../claims/input/plain-http.ts'
import { formatAccountToken } from '../../claims/records/account-token.ts'
import { checkFlag } from '../../lib/options.ts'
import type { ClientCredential } from './types.ts'

/** A credential in both forms. Client id and secret are undefined when they cannot be read from a malformed account token. */
export interface Credential {
  readonly accountToken: string
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

/**
 * The issuer's URL without a slash at its end; undefined when `value` is undefined or empty. Throws a TypeError for any other
 * value that is not an allowed URL.
 */
export function checkIssuer(value: unknown, allowInsecure: unknown): string | undefined {
  const isInsecureAllowed = checkFlag('allowInsecureIssuer', allowInsecure, false)
  if (value === undefined || value === '') return undefined
  const url = typeof value === 'string' ? URL.parse(value) : null
  if (url === null || !isSafeTransport(url, isInsecureAllowed))
    throw new TypeError(`issuer: ${TRANSPORT_RULE}`)
  if (url.username + url.password !== '' || /[?#]/.test(value as string)) {
    throw new TypeError('issuer: must be a URL without query, fragment, user name and password')
  }
  return url.href.replace(/\/+$/, '')
}

/**
 * The credential; undefined when neither an account token nor a complete pair is given. Throws a TypeError when a value cannot
 * be a part of a credential, or when an account token is combined with a client id or secret.
 */
export function checkCredential(options: ClientCredential): Credential | undefined {
  const token = checkText('token', options.token)
  const clientId = checkText('clientId', options.clientId)
  const clientSecret = checkText('clientSecret', options.clientSecret)
  if (token !== undefined) {
    if (clientId !== undefined || clientSecret !== undefined) {
      throw new TypeError('token: contains clientId and clientSecret, so it cannot be combined with them')
    }
    // A malformed token is sent as it is, because the issuer's refusal says what is wrong with it.
    const [, id, secret] = /^cgk_([0-9A-Za-z]+)_([0-9A-Za-z]+)_/.exec(token) ?? []
    return { accountToken: token, clientId: id, clientSecret: secret }
  }
  if (clientId === undefined || clientSecret === undefined) return undefined
  return { accountToken: formatAccountToken({ clientId, clientSecret }), clientId, clientSecret }
}

/** Requires printable ASCII without spaces: other text is not valid in a header, and the error of `fetch` would repeat it. */
function checkText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value
  throw new TypeError(`${name}: must be printable ASCII text without spaces and line ends`)
}

/** The pair for HTTP Basic, both parts percent-encoded first (RFC 6749 section 2.3.1). */
export function encodeBasic({ clientId = '', clientSecret = '' }: Credential): string {
  return btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)
}
