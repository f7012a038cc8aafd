// One piece of work at a time, shared by promise or by looking.

import { expect, test } from 'vitest'
import { createSingleFlight, type SingleFlight } from '../../src/lib/single-flight.ts'

interface Trial {
  readonly flight: SingleFlight
  /** Time limits of the work begun so far. */
  readonly started: number[]
  /** Ends the work begun first, second, … */
  readonly ends: (() => void)[]
  readonly clock: { now: number }
}

function tryFlight(sharesWork: boolean): Trial {
  const started: number[] = []
  const ends: (() => void)[] = []
  const clock = { now: 1000 }
  const work = (timeoutMs: number): Promise<void> => {
    started.push(timeoutMs)
    return new Promise((resolve) => ends.push(resolve))
  }
  return {
    flight: createSingleFlight({ work, sharesWork, lostAfterMs: 500, now: () => clock.now }),
    started,
    ends,
    clock,
  }
}

test.each([true, false])('one run for all who join (promises shared: %s)', async (sharesWork) => {
  const { flight, started, ends, clock } = tryFlight(sharesWork)
  expect(flight.startedAt()).toBeUndefined()
  const joined = [flight.join(5), flight.join(6), flight.join(7)]
  clock.now = 1400
  expect(flight.startedAt()).toBe(1000)
  expect(started).toEqual([5])
  expect(await Promise.race([...joined, 'open'])).toBe('open')
  ends[0]?.()
  await Promise.all(joined)
  expect(flight.startedAt()).toBeUndefined()
  void flight.join(8)
  expect(started).toEqual([5, 8])
})

test('the first to come waits for the very work, the others only look for its end', () => {
  const [shared, looking] = [tryFlight(true).flight, tryFlight(false).flight]
  expect(shared.join(1)).toBe(shared.join(1))
  expect(looking.join(1)).not.toBe(looking.join(1))
})

test('work whose request was cancelled is given up, and the next caller starts it again', async () => {
  const { flight, started, ends, clock } = tryFlight(false)
  void flight.join(1)
  const waiting = flight.join(1)
  clock.now += 500
  await waiting
  expect(flight.startedAt()).toBeUndefined()
  void flight.join(2)
  expect(started).toEqual([1, 2])
  // The lost one ends after all: that is not the end of its successor.
  ends[0]?.()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(flight.startedAt()).toBe(1500)
})

test('shared work is never taken for lost: its promise tells', () => {
  const { flight, started, clock } = tryFlight(true)
  void flight.join(1)
  clock.now += 1_000_000
  void flight.join(1)
  expect(started).toEqual([1])
})
