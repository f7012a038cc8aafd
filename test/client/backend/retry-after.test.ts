// The Retry-After header of the issuer: seconds, or one of the three formats of an HTTP date.

import { expect, test } from 'vitest'
import { parseRetryAfter } from '../../../src/client/backend/retry-after.ts'

const NOW = Date.parse('1994-11-06T08:48:37.000Z')

test.each([
  ['0', 0],
  ['12', 12],
  ['999999999', 999_999_999],
  // The same moment in each format, as RFC 9110 section 5.6.7 writes it.
  ['Sun, 06 Nov 1994 08:49:37 GMT', 60],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 60],
  ['Sun Nov  6 08:49:37 1994', 60],
  ['Sun, 06 Nov 1994 08:48:37 GMT', 0],
  ['Sun, 06 Nov 1994 08:48:36 GMT', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('%j is %i seconds', (text, seconds) => {
  expect(parseRetryAfter(text, NOW)).toBe(seconds)
})

test('a part of a second counts as a whole one', () => {
  expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', NOW + 1)).toBe(60)
  expect(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', NOW + 1000)).toBe(59)
})

test('a year of two digits is at most 50 years ahead', () => {
  const now = Date.parse('2026-01-01T00:00:00.000Z')
  expect(parseRetryAfter('Thursday, 01-Jan-26 00:01:00 GMT', now)).toBe(60)
  expect(parseRetryAfter('Sunday, 01-Jan-45 00:00:00 GMT', now)).toBe(
    (Date.parse('2045-01-01T00:00:00Z') - now) / 1000,
  )
  expect(parseRetryAfter('Saturday, 01-Jan-77 00:00:00 GMT', now)).toBe(0)
})

test.each([
  null,
  '',
  '-1',
  '1.5',
  '1e3',
  '0x10',
  '5 seconds',
  '1000000000',
  'tomorrow',
  '1994-11-06T08:49:37Z',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 +0100',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Sun, 06 Xyz 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 25:99:99 GMT',
  'Sun, 06 Nov 1994 08:49:37 GMT, 12',
  'Sun, 06 Nov 9999 08:49:37 GMT',
])('%j names no time to wait', (text) => {
  expect(parseRetryAfter(text, NOW)).toBeUndefined()
})
