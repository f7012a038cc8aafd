// The two spellings of one credential: a pair of client id and client secret, and the account token, one string with
// a checksum. Knows nothing of how either is made, stored or compared.

import { toBase62 } from '../../lib/base62.ts'

/** The pair that names a credential and proves it. */
export interface ClientSecret {
  readonly clientId: string
  readonly clientSecret: string
}

const ACCOUNT_TOKEN = /^cgk_([0-9A-Za-z]{1,64})_([0-9A-Za-z]{1,128})_([0-9A-Za-z]{6})$/

/** The one-string spelling of a pair: `cgk_<id>_<secret>_<crc>`. */
export function formatAccountToken(pair: ClientSecret): string {
  const text = `cgk_${pair.clientId}_${pair.clientSecret}`
  return `${text}_${toBase62(crc32(text), 6)}`
}

/** The pair that an account token spells; undefined when its form or checksum is wrong (no look-up needed). */
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

/** CRC-32 (IEEE 802.3, reflected) of ASCII text, unsigned. */
export function crc32(text: string): number {
  let crc = 0xffffffff
  for (let position = 0; position < text.length; position += 1) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(position)) & 0xff] as number)
  }
  return (crc ^ 0xffffffff) >>> 0
}
