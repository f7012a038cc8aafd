import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isBase64urlOf32Bytes, isCanonicalBase64url } from '../../src/lib/base64url.ts'

describe('canonical base64url', () => {
  test('accepts exactly the texts that are unchanged after decoding and encoding', () => {
    const alphabet = 'ABab09-_+/= \n.é'
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 12 }),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    )
    fc.assert(
      fc.property(text, (given) => {
        const again = Buffer.from(given, 'base64url').toString('base64url')
        expect(isCanonicalBase64url(given)).toBe(again === given)
      }),
      { numRuns: 2000 },
    )
  })

  test('checks only the given range of a text', () => {
    expect(isCanonicalBase64url('!!AA!', 2, 4)).toBe(true)
    expect(isCanonicalBase64url('!!AA!', 2, 5)).toBe(false)
  })

  test.each([
    ['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs', true],
    ['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt', false],
    ['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X', false],
    ['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs=', false],
    [43, false],
    [undefined, false],
  ])('%j encodes 32 bytes: %s', (value, expected) => {
    expect(isBase64urlOf32Bytes(value)).toBe(expected)
  })
})
