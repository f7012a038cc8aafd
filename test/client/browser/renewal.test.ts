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
  const retry = (count: number, status: number, retryAfterMs?: number) =>
    [0, 1].map((random) => planRetry({ count, status, retryAfterMs }, random).waitMs)

  test.each([
    // count, status, Retry-After, shortest, longest
    [1, 0, undefined, 500, 1000],
    [2, 503, undefined, 1000, 2000],
    [3, 502, undefined, 2000, 4000],
    [4, 504, undefined, 4000, 8000],
    [5, 500, undefined, 7500, 15_000],
    [6, 408, undefined, 7500, 15_000],
    [5000, 0, undefined, 7500, 15_000],
    [1, 200, undefined, 500, 1000],
    [1, 429, undefined, 500, 1000],
    // As long as Retry-After says, never shorter.
    [1, 429, 7000, 7000, 7500],
    [9, 503, 2000, 2000, 2500],
    [1, 503, 0, 500, 1000],
    [1, 429, 1e15, 3_600_000, 3_600_500],
    [1, 429, Number.POSITIVE_INFINITY, 3_600_000, 3_600_500],
  ])(
    'after failure %d, a %d with Retry-After %s ms, waits from %d to %d ms',
    (count, status, told, ...range) => {
      expect(retry(count, status, told)).toEqual(range)
      expect(planRetry({ count, status, retryAfterMs: told }, 0).isAutomatic).toBe(true)
    },
  )

  test.each([400, 401, 403, 404, 405, 422, 499])('after a %d there is no automatic retry', (status) => {
    expect(isRefusal(status)).toBe(true)
    for (const count of [1, 100]) {
      expect(planRetry({ count, status, retryAfterMs: undefined }, 1)).toEqual({
        waitMs: 1000,
        isAutomatic: false,
      })
    }
  })

  test.each([0, 200, 302, 408, 429, 500, 503])('a %d is not a refusal', (status) => {
    expect(isRefusal(status)).toBe(false)
  })
})

describe('parseRetryAfter', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toUTCString()

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
    [at(10), at(30), undefined],
    [at(30), null, undefined],
    [at(30), 'yesterday', undefined],
  ])('Retry-After %s with Date %s is %s ms', (value, date, ms) => {
    expect(parseRetryAfter(value, date)).toBe(ms)
  })
})
