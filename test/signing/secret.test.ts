import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toBase62 } from '../../src/lib/base62.ts'
import { randomBase62 } from '../../src/lib/random.ts'
import {
  crc32,
  createClientSecret,
  equalsInConstantTime,
  formatAccountToken,
  parseAccountToken,
} from '../../src/signing/secret.ts'

describe('account tokens', () => {
  test('are parsed into the parts they were formatted from', () => {
    const pair = createClientSecret()
    const token = formatAccountToken(pair)
    expect(token).toMatch(/^cgk_[0-9A-Za-z]+_[0-9A-Za-z]{43,}_[0-9A-Za-z]{6}$/)
    expect(parseAccountToken(token)).toEqual(pair)
  })

  test('a fixed example: the checksum is CRC-32 in base62, with digits, then capitals, then small letters', () => {
    const text = 'cgk_abc_def'
    let value = zlibCrc32(text)
    let digits = ''
    for (let count = 0; count < 6; count += 1) {
      digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[value % 62] + digits
      value = Math.floor(value / 62)
    }
    expect(formatAccountToken({ clientId: 'abc', clientSecret: 'def' })).toBe(`${text}_${digits}`)
  })

  test('the checksum detects every typo of one character', () => {
    const token = formatAccountToken(createClientSecret())
    for (let position = 0; position < token.length; position += 1) {
      const other = token[position] === 'x' ? 'y' : 'x'
      expect(parseAccountToken(token.slice(0, position) + other + token.slice(position + 1))).toBeUndefined()
    }
  })

  test.each(['', 'cgk_', 'cgk_a_b', 'cgk_a_b_000000', ' cgk_a_b_000000', 'CGK_a_b_000000', 'cgk__b_000000'])(
    '%j is not an account token',
    (text) => expect(parseAccountToken(text)).toBeUndefined(),
  )
})

test('crc32 agrees with zlib', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (text) => crc32(text) === zlibCrc32(text)))
})

test('base62 is big-endian and padded with zeros', () => {
  expect([0, 61, 62, 4_294_967_295].map((value) => toBase62(value, 6))).toEqual([
    '000000',
    '00000z',
    '000010',
    '4gfFC3',
  ])
})

test('random base62 has the length asked for, uses every digit about equally, and does not repeat', () => {
  const counts = new Map<string, number>()
  for (const digit of randomBase62(62_000)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
  expect(counts.size).toBe(62)
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(250)
  expect(new Set(Array.from({ length: 1000 }, () => randomBase62(16))).size).toBe(1000)
})

test('the constant-time comparison is true only for equal texts', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(equalsInConstantTime(a, b)).toBe(a === b)
      expect(equalsInConstantTime(a, a)).toBe(true)
      expect(equalsInConstantTime(a, `${a}\0`)).toBe(false)
    }),
  )
})
