// Long-lived secrets: creating, finding and comparing them; claims/records/account-token.ts defines their text. A secret
// has 256 random bits, so a keyed hash without salt and stretching is enough. It is shown once and never stored.

import { type ClientSecret, parseAccountToken } from '../claims/records/account-token.ts'
import { randomBase62 } from '../lib/random.ts'
import type { MaybePromise } from '../lib/result.ts'

export {
  type ClientSecret,
  crc32,
  formatAccountToken,
  parseAccountToken,
} from '../claims/records/account-token.ts'

/** Hashes a secret for storage: HMAC-SHA-256 keyed with the pepper, in base64url (43 characters). */
export type HashSecret = (secret: string) => MaybePromise<string>

/** HMAC key when no pepper is configured. It is public, and only makes these hashes differ from those of other systems. */
export const DEFAULT_PEPPER = 'claimgate credential hash'

/** 65 random bits; the store refuses duplicates. Short, because every token contains two ids: account and credential. */
const ID_LENGTH = 11
const SECRET_LENGTH = 43

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

/**
 * The first account token with a valid checksum in these texts, for reporting which credential's secret was sent in the
 * wrong place. Finds it in a URL or JSON too, because neither escapes any of its characters. Not checked: whether the
 * credential exists.
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

/** Whether two texts are equal, in a time that depends only on the length of `expected`. */
export function equalsInConstantTime(expected: string, given: string): boolean {
  let difference = expected.length ^ given.length
  for (let position = 0; position < expected.length; position += 1) {
    // After the end of `given`, charCodeAt returns NaN, which counts as 0. Different lengths were found above.
    difference |= expected.charCodeAt(position) ^ given.charCodeAt(position)
  }
  return difference === 0
}
