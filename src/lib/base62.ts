// Base62: numbers as text of digits and letters. Form encoding, which HTTP Basic credentials of OAuth clients have
// (RFC 6749 section 2.3.1), leaves these characters unchanged.

/** The 62 digits, in order of value: `0` to `9`, `A` to `Z`, `a` to `z`. */
export const BASE62_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * An integer from 0 to 62 ** length - 1 as base62 text of `length` characters, most significant digit first, left-padded
 * with `0`. Not checked: a larger number loses its leading digits.
 */
export function toBase62(value: number, length: number): string {
  let rest = value
  let text = ''
  for (let digit = 0; digit < length; digit += 1) {
    text = BASE62_DIGITS[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}
