// Random identifiers and secrets in base62, which raw and form-encoded HTTP Basic spell alike.

import { BASE62_DIGITS, toBase62 } from './base62.ts'

export { toBase62 } from './base62.ts'

/** Bytes above this would favour the first digits. */
const FAIR_LIMIT = 62 * 4

const pool = new Uint8Array(4096)
let used = pool.length

/** Random base62 text, 5.95 bits a character: 16 characters hold 95 bits, 43 hold 256. */
export function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    const byte = nextByte()
    if (byte < FAIR_LIMIT) text += BASE62_DIGITS[byte % 62]
  }
  return text
}

let ordinal = 0

/**
 * Base62 text of 16 characters that sorts after all that this process made before, ten of them random: ids of entries
 * whose order counts, within a millisecond too.
 */
export function orderedBase62(): string {
  ordinal += 1
  return toBase62(ordinal, 6) + randomBase62(10)
}

/** One call to the system for 4096 identifiers' bytes: it is the costly part. Used bytes are wiped. */
function nextByte(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  const byte = pool[used] as number
  pool[used] = 0
  used += 1
  return byte
}
