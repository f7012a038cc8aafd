// Random identifiers and secrets in base62, which form encoding leaves unchanged (HTTP Basic credentials may have it).

import { BASE62_DIGITS, toBase62 } from './base62.ts'

export { toBase62 } from './base62.ts'

/** Bytes from this on are skipped, because they would make the first digits more likely. */
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
 * Base62 text of 16 characters, ten of them random, that sorts after every earlier result in this process, also within
 * one millisecond. For ids of entries that are listed in order.
 */
export function orderedBase62(): string {
  ordinal += 1
  return toBase62(ordinal, 6) + randomBase62(10)
}

/** Random bytes are read in large blocks, because each call to the system is slow. Used bytes are overwritten. */
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
