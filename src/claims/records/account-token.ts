// The two forms of one credential: a pair of client id and client secret, and the account token, one string with a
// checksum. signing/secret.ts creates and compares secrets.

import { toBase62 } from '../../lib/base62.ts'

/** Client id and client secret (RFC 6749 section 2.3.1). */
export interface ClientSecret {
  readonly clientId: string
  readonly clientSecret: string
}

const ACCOUNT_TOKEN = /^cgk_([0-9A-Za-z]{1,64})_([0-9A-Za-z]{1,128})_([0-9A-Za-z]{6})$/

/**
 * The account token of a pair: `cgk_<id>_<secret>_<crc>`, with the CRC-32 of the text before it in six base62 digits. Not
 * checked: that both parts are base62; `parseAccountToken` refuses others.
 */
export function formatAccountToken(pair: ClientSecret): string {
  const text = `cgk_${pair.clientId}_${pair.clientSecret}`
  return `${text}_${toBase62(crc32(text), 6)}`
}

/** The pair in an account token; undefined when form or checksum is wrong. Not checked: whether the credential exists. */
export function parseAccountToken(token: string): ClientSecret | undefined {
  const match = ACCOUNT_TOKEN.exec(token)
  if (match === null) return undefined
  const [, clientId = '', clientSecret = '', checksum] = match
  const expected = toBase62(crc32(`cgk_${clientId}_${clientSecret}`), 6)
  return checksum === expected ? { clientId, clientSecret } : undefined
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** CRC-32 (IEEE 802.3, reflected) of ASCII text, unsigned. Other characters give a value without meaning. */
export function crc32(text: string): number {
  let crc = 0xffffffff
  for (let position = 0; position < text.length; position += 1) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(position)) & 0xff] as number)
  }
  return (crc ^ 0xffffffff) >>> 0
}

/**
 * Whether a text looks like an account token, of this service or of one with another prefix. One that begins with `cgk_` may
 * be cut off. The checksum is not checked.
 */
export function isAccountTokenShaped(text: string): boolean {
  return text.startsWith('cgk_') || ANY_ACCOUNT_TOKEN.test(text)
}

const ANY_ACCOUNT_TOKEN = /^[a-z][a-z0-9]{1,19}_[0-9A-Za-z]{1,64}_[0-9A-Za-z]{1,128}_[0-9A-Za-z]{6}$/
