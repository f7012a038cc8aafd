// Long-lived secrets: creates, finds, hashes and compares them. Their text form is in claims/records/account-token.ts. A secret
// has
// 256 random bits, so a keyed hash without salt and stretching is enough. It is shown once and never stored.

import { type ClientSecret, parseAccountToken } from '../claims/records/account-token.ts'
import { randomBase62 } from '../lib/random.ts'
import type { MaybePromise } from '../lib/result.ts'

export {
  type ClientSecret,
  crc32,
  formatAccountToken,
  parseAccountToken,
} from '../claims/records/account-token.ts'

/** Hashes a secret for storage: base64url HMAC-SHA-256 under the pepper (43 characters). */
export type HashSecret = (secret: string) => MaybePromise<string>

/** HMAC key when no pepper is configured. It is public, so it only makes our hashes differ from others. */
export const DEFAULT_PEPPER = 'claimgate credential hash'

/** 65 random bits; the database refuses duplicates. Short, because it is in every token twice. */
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
 * The first account token anywhere in these texts. For reporting whose secret was sent in a wrong place. URLs and JSON
 * escape none of its characters.
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

/** Compares two texts in a time that depends only on the length of `expected`. */
export function equalsInConstantTime(expected: string, given: string): boolean {
  let difference = expected.length ^ given.length
  for (let position = 0; position < expected.length; position += 1) {
    // Beyond the end charCodeAt returns NaN, which counts as 0. The lengths, compared above, differ then.
    difference |= expected.charCodeAt(position) ^ given.charCodeAt(position)
  }
  return difference === 0
}
