// Long-lived secrets: making, finding, hashing and comparing them; how they are spelled is in claims/account-token.ts.
// A secret holds 256 bits, so a keyed hash is enough; it is shown once and never stored.

import { type ClientSecret, parseAccountToken } from '../claims/account-token.ts'
import { randomBase62 } from '../lib/random.ts'
import type { MaybePromise } from '../lib/result.ts'

export { type ClientSecret, crc32, formatAccountToken, parseAccountToken } from '../claims/account-token.ts'

/** Hashes a secret for storage: base64url HMAC-SHA-256 under the pepper (43 characters). */
export type HashSecret = (secret: string) => MaybePromise<string>

/** HMAC key where no pepper is configured: it separates our hashes from others', no more. */
export const DEFAULT_PEPPER = 'claimgate credential hash'

/** 65 bits, and the database holds no two alike; each character stands twice in every token. */
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
