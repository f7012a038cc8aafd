// Numbers as base62 text: letters and digits, which form encoding leaves unchanged (HTTP Basic credentials may have
// it).

/** The digits in their order of value. */
export const BASE62_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A number from 0 to 62 ** length - 1 as base62 text, big-endian, left-padded with `0`. */
export function toBase62(value: number, length: number): string {
  let rest = value
  let text = ''
  for (let digit = 0; digit < length; digit += 1) {
    text = BASE62_DIGITS[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}
