// Looking again for unknown keys: how often, who waits, and for how long. On a clock that the test moves.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLateKeys } from '../../src/signing/late-keys.ts'

let known: Set<string>
/** When looks began. */
let looks: number[]
/** How long a look takes; `never` does not end. */
let lookMs: number | 'never'
let fault: Error | undefined
let start: number
let find: (kid: string) => Promise<void>

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  known = new Set()
  looks = []
  lookMs = 5
  fault = undefined
  start = performance.now()
  find = createLateKeys(
    (kid) => known.has(kid),
    async () => {
      looks.push(performance.now() - start)
      await new Promise((resolve) => lookMs !== 'never' && setTimeout(resolve, lookMs))
      if (fault !== undefined) throw fault
    },
  )
})
afterEach(() => vi.useRealTimers())

const elapsed = () => performance.now() - start

/** When each of these has its answer, once `ms` have gone by; undefined: not yet. */
async function answersWithin(
  ms: number,
  ...asked: readonly Promise<void>[]
): Promise<(number | undefined)[]> {
  const ends: (number | undefined)[] = asked.map(() => undefined)
  asked.forEach((one, index) => void one.then(() => (ends[index] = elapsed())))
  await vi.advanceTimersByTimeAsync(ms)
  return ends
}

test('the first who asks looks at once; those who come meanwhile are content with that look', async () => {
  const one = find('a')
  await vi.advanceTimersByTimeAsync(2)
  const ends = await answersWithin(100, one, find('a'), find('b'))
  expect(looks).toEqual([0])
  expect(ends[0]).toBe(5)
  for (const end of ends) expect(end).toBeLessThanOrEqual(5 + 20)
})

test('who asks too soon after a look waits for the next one, and is not answered from before', async () => {
  await answersWithin(10, find('a'))
  const waiting = find('b')
  expect(await answersWithin(239, waiting)).toEqual([undefined])
  expect(looks).toEqual([0])
  expect(await answersWithin(20, waiting)).toEqual([255])
  expect(looks).toEqual([0, 250])
})

test('who waits is answered as soon as the key is there by another way', async () => {
  await answersWithin(10, find('a'))
  const waiting = answersWithin(300, find('b'))
  known.add('b')
  expect(await waiting).toEqual([250])
  expect(looks).toEqual([0])
})

test('a flood of made-up ids for five seconds: a look in 250 ms, and nobody waits longer than that', async () => {
  let answered = 0
  let longest = 0
  for (let at = 0; at < 5000; at += 10) {
    const asked = elapsed()
    for (let each = 0; each < 20; each += 1) {
      void find(`${at} ${each}`).then(() => {
        answered += 1
        longest = Math.max(longest, elapsed() - asked)
      })
    }
    await vi.advanceTimersByTimeAsync(10)
  }
  await vi.advanceTimersByTimeAsync(300)
  expect(answered).toBe(500 * 20)
  expect(longest).toBeLessThan(250 + 5 + 20 + 1)
  for (const [index, look] of looks.slice(1).entries())
    expect(look - (looks[index] ?? 0)).toBeGreaterThanOrEqual(250)
  expect(looks.length).toBeGreaterThan(15)
  expect(looks.length).toBeLessThanOrEqual(21)
})

test('only so many wait; the rest is answered at once, and the next look lets others wait again', async () => {
  await answersWithin(10, find('a'))
  const crowd = Array.from({ length: 1000 }, () => find('b'))
  expect(await answersWithin(0, ...crowd)).toEqual(crowd.map(() => undefined))
  expect(await answersWithin(0, find('c'))).toEqual([10])
  await vi.advanceTimersByTimeAsync(300)
  expect(looks).toEqual([0, 250])
  expect(await answersWithin(0, find('d'))).toEqual([undefined])
})

test('a look that fails answers those who wait: memory decides', async () => {
  fault = new Error('the store is down')
  expect(await answersWithin(50, find('a'), find('b'))).toEqual([5, 20])
  expect(await answersWithin(300, find('c'))).toEqual([255])
  expect(looks).toEqual([0, 250])
})

test('a look that does not end: everybody has an answer within two seconds, and then others look', async () => {
  lookMs = 'never'
  const first = [find('a'), find('b')]
  await vi.advanceTimersByTimeAsync(1000)
  const late = find('c')
  const ends = await answersWithin(1500, ...first, late)
  expect(ends).toEqual([2000, 2000, undefined])
  expect(looks).toEqual([0, 2000])
  lookMs = 5
  expect(await answersWithin(1000, late)).toEqual([3000])
  // The second look, begun at 2000, is given up too.
  expect(await answersWithin(1000, find('d'))).toEqual([4005])
  expect(looks).toEqual([0, 2000, 4000])
})

test('a look that was cancelled with its request holds the others up for two seconds, no longer', async () => {
  lookMs = 'never'
  void find('a')
  await vi.advanceTimersByTimeAsync(100)
  lookMs = 5
  const ends = await answersWithin(2000, find('b'))
  expect(looks).toEqual([0, 2000])
  expect(ends).toEqual([2005])
})

test('a clock that is set back changes nothing', async () => {
  await answersWithin(10, find('a'))
  vi.setSystemTime(0)
  expect(await answersWithin(300, find('b'))).toEqual([255])
})
