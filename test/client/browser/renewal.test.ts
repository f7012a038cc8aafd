// The rules of renewal.ts as tables: every lifetime that can be requested, every kind of failure.

import { describe, expect, test } from 'vitest'
import {
  isRefusal,
  judgeAge,
  parseRetryAfter,
  planRenewal,
  planRetry,
} from '../../../src/client/browser/renewal.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 1440 * MINUTE

describe('planRenewal', () => {
  test.each([
    // life, earliest, latest
    [10 * SECOND, 7500, 8500],
    [12 * SECOND, 9000, 10_200],
    [30 * MINUTE, 22.5 * MINUTE, 25.5 * MINUTE],
    [DAY, 0.75 * DAY, 0.85 * DAY],
    // However short the lifetime, there are at most two renewals a second.
    [1, 500, 500],
    [400, 500, 500],
    // Longer than the longest timer.
    [365 * DAY, 2 ** 31 - 1, 2 ** 31 - 1],
  ])('a token with a lifetime of %d ms is renewed after %d to %d ms', (life, earliest, latest) => {
    expect([planRenewal(life, 0), planRenewal(life, 1)].map(Math.round)).toEqual([earliest, latest])
  })

  test('renewal comes while the token is fresh, for every lifetime that can be requested', () => {
    for (let seconds = 1; seconds <= 86_400; seconds++) {
      const life = seconds * SECOND
      expect(judgeAge(life, planRenewal(life, 1))).toBe('fresh')
    }
  })
})

describe('judgeAge', () => {
  test.each([
    [10 * SECOND, 0, 'fresh'],
    [10 * SECOND, 8999, 'fresh'],
    [10 * SECOND, 9000, 'ending'],
    [10 * SECOND, 9999, 'ending'],
    [10 * SECOND, 10_000, 'expired'],
    [30 * MINUTE, 30 * MINUTE - 5001, 'fresh'],
    [30 * MINUTE, 30 * MINUTE - 5000, 'ending'],
    [30 * MINUTE, 30 * MINUTE, 'expired'],
    [30 * MINUTE, DAY, 'expired'],
  ] as const)('a token with a lifetime of %d ms is, after %d ms, %s', (life, age, verdict) => {
    expect(judgeAge(life, age)).toBe(verdict)
  })

  test('a token is never fresh when its lifetime is not positive, or lifetime or age is NaN', () => {
    for (const [life, age] of [
      [Number.NaN, 0],
      [10, Number.NaN],
      [0, 0],
      [-1, 0],
    ] as const) {
      expect(judgeAge(life, age)).not.toBe('fresh')
    }
  })
})

describe('planRetry', () => {
  test.each([
    // count, status, Retry-After in seconds, shortest, longest
    [1, 0, undefined, 750, 1000],
    [2, 503, undefined, 3000, 4000],
    [3, 502, undefined, 18_000, 24_000],
    [4, 504, undefined, 18_000, 24_000],
    [6, 408, undefined, 18_000, 24_000],
    [5000, 0, undefined, 18_000, 24_000],
    [1, 200, undefined, 750, 1000],
    [1, 429, undefined, 750, 1000],
    // As long as Retry-After says, never shorter.
    [1, 429, 7, 7000, 7500],
    [9, 503, 2, 2000, 2500],
    [1, 503, 0, 750, 1000],
    [1, 429, 1e15, 3_600_000, 3_600_500],
    [1, 429, Number.POSITIVE_INFINITY, 3_600_000, 3_600_500],
  ])(
    'after failure %d, a %d with Retry-After %s s, waits from %d to %d ms',
    (count, status, retryAfter, ...range) => {
      expect([0, 1].map((random) => planRetry({ status, retryAfter }, count, random))).toEqual(range)
      expect(isRefusal(status)).toBe(false)
    },
  )

  test('the fourth request of an outage comes more than 20 s after the first, however short the pauses', () => {
    const pauses = [1, 2, 3].map((count) => planRetry({ status: 503 }, count, 0))
    expect(pauses.reduce((sum, pause) => sum + pause)).toBeGreaterThan(20_000)
  })

  test.each([400, 401, 403, 404, 405, 422, 499])('a %d is a refusal: the pause is 1 s', (status) => {
    expect(isRefusal(status)).toBe(true)
    for (const count of [1, 100]) expect(planRetry({ status, retryAfter: 60 }, count, 1)).toBe(1000)
  })

  test.each([0, 200, 302, 408, 429, 500, 503])('a %d is not a refusal', (status) => {
    expect(isRefusal(status)).toBe(false)
  })
})

describe('parseRetryAfter', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toUTCString()
  const HOUR = 60 * MINUTE

  test.each([
    [null, null, undefined],
    ['0', null, 0],
    ['12', null, 12_000],
    ['-1', null, undefined],
    ['1.5', at(0), undefined],
    ['soon', at(0), undefined],
    ['', null, undefined],
    // A date, compared with the Date of the same answer.
    [at(30), at(10), 20_000],
    [at(10), at(30), 0],
    [at(2 * 3600), at(0), HOUR],
    // The page cannot read that header, or it is no date: compared with the time of the issuer, here second 5.
    [at(30), null, 25_000],
    [at(30), 'yesterday', 25_000],
    [at(1), null, 0],
    [at(2 * 3600), null, HOUR],
  ])('Retry-After %s with Date %s is %s ms', (value, date, ms) => {
    const headers = new Headers({ ...(value !== null && { 'retry-after': value }), ...(date && { date }) })
    expect(parseRetryAfter({ headers }, () => Date.parse(at(5)))).toBe(ms)
  })

  test('the clock is read only for a date that needs it', () => {
    const now = () => {
      throw new Error('the clock was read')
    }
    for (const headers of [new Headers(), new Headers({ 'retry-after': '3' })]) {
      expect(() => parseRetryAfter({ headers }, now)).not.toThrow()
    }
  })
})
