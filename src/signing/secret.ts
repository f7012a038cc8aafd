// Long-lived secrets: making them, spelling them as account tokens, hashing and comparing them.
// A secret holds 256 bits, so a keyed hash is enough; it is shown once and never stored.

import type { MaybePromise } from '../claims/result.ts'
import { randomBase62, toBase62 } from './random.ts'

/** Hashes a secret for storage: base64url HMAC-SHA-256 under the pepper (43 characters). */
export type HashSecret = (secret: string) => MaybePromise<string>

/** HMAC key where no pepper is configured: it separates our hashes from others', no more. */
export const DEFAULT_PEPPER = 'claimgate credential hash'

/** 65 bits, and the database holds no two alike; each character stands twice in every token. */
const ID_LENGTH = 11
const SECRET_LENGTH = 43
const ACCOUNT_TOKEN = /^cgk_([0-9A-Za-z]{1,64})_([0-9A-Za-z]{1,128})_([0-9A-Za-z]{6})$/

/** The pair that names a credential and proves it. */
export interface ClientSecret {
  readonly clientId: string
  readonly clientSecret: string
}

/** A new credential id and secret. */
export function createClientSecret(): ClientSecret {
  return { clientId: randomBase62(ID_LENGTH), clientSecret: randomBase62(SECRET_LENGTH) }
}

/** A new secret for a credential that keeps its id. */
export function createSecret(): string {
  return randomBase62(SECRET_LENGTH)
}

/** A new account id: `acct_` and base62 characters. */
export function createAccountId(): string {
  return `acct_${randomBase62(ID_LENGTH)}`
}

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

/**
 * The first account token that stands anywhere in these texts, whatever is around it: for finding out whose secret
 * was put where none belongs. (Its characters are none that a URL or JSON would escape.)
 */
export function findAccountToken(texts: readonly (string | undefined)[]): ClientSecret | undefined {
  for (const text of texts) {
    for (const [candidate] of text?.matchAll(/cgk_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]{6}/g) ?? []) {
      const pair = parseAccountToken(candidate)
      if (pair !== undefined) return pair
    }
  }
  return undefined
}

/** Compares two texts in a time that depends on the length of `expected` alone. */
export function equalsInConstantTime(expected: string, given: string): boolean {
  let difference = expected.length ^ given.length
  for (let position = 0; position < expected.length; position += 1) {
    // Beyond the end charCodeAt gives NaN, which counts as 0: the length above already differs.
    difference |= expected.charCodeAt(position) ^ given.charCodeAt(position)
  }
  return difference === 0
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
