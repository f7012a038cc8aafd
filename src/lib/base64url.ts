// Canonical base64url (RFC 7515 section 2, RFC 4648 section 3.5): one spelling for each byte string.

const VALUES = new Int8Array(128).fill(-1)
for (const [value, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  VALUES[character.charCodeAt(0)] = value
}

/** Mask of the unused low bits of the last character, by length modulo 4; -1: no base64url text has such a length. */
const UNUSED_BITS = [0, -1, 0b1111, 0b11] as const

/**
 * Whether `text` from `start` to `end` (positions as in `slice`, not checked) is base64url without padding whose unused
 * bits are zero (RFC 4648 sections 3.5 and 5). True for empty text.
 */
export function isCanonicalBase64url(text: string, start = 0, end: number = text.length): boolean {
  const unused = UNUSED_BITS[((end - start) % 4) as 0 | 1 | 2 | 3]
  if (unused < 0) return false
  let last = 0
  for (let position = start; position < end; position += 1) {
    const code = text.charCodeAt(position)
    last = code < 128 ? (VALUES[code] as number) : -1
    if (last < 0) return false
  }
  return (last & unused) === 0
}

/**
 * Whether a value is a string that encodes 32 bytes in canonical base64url: 43 characters, no padding. SHA-256 digests
 * (such as RFC 7638 thumbprints), coordinates of keys and the master key have this form.
 */
export function isBase64urlOf32Bytes(text: unknown): text is string {
  return typeof text === 'string' && text.length === 43 && isCanonicalBase64url(text)
}
