// Random identifiers and secrets in base62. The comment of base62.ts says why these characters.

import { BASE62_DIGITS, toBase62 } from './base62.ts'

/** Bytes from 248 up are skipped: 256 is not a multiple of 62, so they would make the first digits more likely. */
const FAIR_LIMIT = 62 * 4

const pool = new Uint8Array(4096)
let used = pool.length

/**
 * Random base62 text of `length` characters from the system's random generator. A character has 5.95 bits: 16 characters
 * have 95 bits, 43 have 256. Empty for a length of 0 or less.
 */
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
 * Base62 text of 16 characters that sorts after every earlier result in this process: six count the calls, ten are random
 * (59 bits). For ids of entries that are listed in order and may have the same time.
 */
export function orderedBase62(): string {
  ordinal += 1
  return toBase62(ordinal, 6) + randomBase62(10)
}

/** The next random byte. Bytes are read 4096 at a time, because each call to the system is slow; used ones are cleared. */
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
