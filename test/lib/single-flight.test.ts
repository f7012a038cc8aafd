// At most one run of the work at a time. Other callers share its promise, or poll until it ends.

import { expect, test } from 'vitest'
import { createSingleFlight, type SingleFlight } from '../../src/lib/single-flight.ts'

interface Trial {
  readonly flight: SingleFlight
  /** The time limits that the runs got, in the order of their start. */
  readonly started: number[]
  /** Functions that end the first run, the second, … */
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

test.each([true, false])(
  'callers that join during a run do not start a second run (promises shared: %s)',
  async (sharesWork) => {
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
  },
)

test('callers share one promise when work is shared, and get promises of their own when it is not', () => {
  const [shared, polling] = [tryFlight(true).flight, tryFlight(false).flight]
  expect(shared.join(1)).toBe(shared.join(1))
  expect(polling.join(1)).not.toBe(polling.join(1))
})

test('work that has not ended in time counts as cancelled, and the next caller starts it again', async () => {
  const { flight, started, ends, clock } = tryFlight(false)
  void flight.join(1)
  const waiting = flight.join(1)
  clock.now += 500
  await waiting
  expect(flight.startedAt()).toBeUndefined()
  void flight.join(2)
  expect(started).toEqual([1, 2])
  // When the cancelled work ends after all, the newer work still counts as running.
  ends[0]?.()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(flight.startedAt()).toBe(1500)
})

test('shared work never counts as cancelled, however long it runs', () => {
  const { flight, started, clock } = tryFlight(true)
  void flight.join(1)
  clock.now += 1_000_000
  void flight.join(1)
  expect(started).toEqual([1])
})
