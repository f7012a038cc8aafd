// Searches of the store for unknown key ids: how often they start, which callers wait, and for how long. The test moves
// the clock.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createKeySearch } from '../../src/signing/key-ring.ts'

let known: Set<string>
/** When searches started, milliseconds after the start of the test. */
let searches: number[]
/** How long a search takes, milliseconds; with `never` it does not end. */
let searchMs: number | 'never'
let fault: Error | undefined
let start: number
let find: (kid: string) => Promise<void>

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  known = new Set()
  searches = []
  searchMs = 5
  fault = undefined
  start = performance.now()
  find = createKeySearch(
    (kid) => known.has(kid),
    async () => {
      searches.push(performance.now() - start)
      await new Promise((resolve) => searchMs !== 'never' && setTimeout(resolve, searchMs))
      if (fault !== undefined) throw fault
    },
  )
})
afterEach(() => vi.useRealTimers())

const elapsed = () => performance.now() - start

/** Moves the clock by `ms`. Gives the time at which each promise resolved; undefined if it did not. */
async function answersWithin(
  ms: number,
  ...asked: readonly Promise<void>[]
): Promise<(number | undefined)[]> {
  const ends: (number | undefined)[] = asked.map(() => undefined)
  asked.forEach((one, index) => void one.then(() => (ends[index] = elapsed())))
  await vi.advanceTimersByTimeAsync(ms)
  return ends
}

test('the first caller starts a search immediately; callers during it get its result', async () => {
  const one = find('a')
  await vi.advanceTimersByTimeAsync(2)
  const ends = await answersWithin(100, one, find('a'), find('b'))
  expect(searches).toEqual([0])
  expect(ends[0]).toBe(5)
  for (const end of ends) expect(end).toBeLessThanOrEqual(5 + 20)
})

test('a caller within 250 ms after a search waits for the next search and gets its result', async () => {
  await answersWithin(10, find('a'))
  const waiting = find('b')
  expect(await answersWithin(239, waiting)).toEqual([undefined])
  expect(searches).toEqual([0])
  expect(await answersWithin(20, waiting)).toEqual([255])
  expect(searches).toEqual([0, 250])
})

test('a waiting caller whose key another read has loaded gets it after the 250 ms, without another search', async () => {
  await answersWithin(10, find('a'))
  const waiting = answersWithin(300, find('b'))
  known.add('b')
  expect(await waiting).toEqual([250])
  expect(searches).toEqual([0])
})

test('a flood of made-up ids for five seconds: one search in 250 ms, and each caller waits less than 276 ms', async () => {
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
  for (const [index, at] of searches.slice(1).entries())
    expect(at - (searches[index] ?? 0)).toBeGreaterThanOrEqual(250)
  expect(searches.length).toBeGreaterThan(15)
  expect(searches.length).toBeLessThanOrEqual(21)
})

test('at most 1000 callers wait, others get an answer immediately; the next search lets 1000 wait again', async () => {
  await answersWithin(10, find('a'))
  const crowd = Array.from({ length: 1000 }, () => find('b'))
  expect(await answersWithin(0, ...crowd)).toEqual(crowd.map(() => undefined))
  expect(await answersWithin(0, find('c'))).toEqual([10])
  await vi.advanceTimersByTimeAsync(300)
  expect(searches).toEqual([0, 250])
  expect(await answersWithin(0, find('d'))).toEqual([undefined])
})

test('a search that fails ends the wait: the keys in memory decide', async () => {
  fault = new Error('the store is down')
  expect(await answersWithin(50, find('a'), find('b'))).toEqual([5, 20])
  expect(await answersWithin(300, find('c'))).toEqual([255])
  expect(searches).toEqual([0, 250])
})

test('a search that does not end: every caller gets an answer within 2 s, and then another search starts', async () => {
  searchMs = 'never'
  const first = [find('a'), find('b')]
  await vi.advanceTimersByTimeAsync(1000)
  const late = find('c')
  const ends = await answersWithin(1500, ...first, late)
  expect(ends).toEqual([2000, 2000, undefined])
  expect(searches).toEqual([0, 2000])
  searchMs = 5
  expect(await answersWithin(1000, late)).toEqual([3000])
  // The second search, started at 2000, times out too.
  expect(await answersWithin(1000, find('d'))).toEqual([4005])
  expect(searches).toEqual([0, 2000, 4000])
})

test('a search that was cancelled with its request blocks others for 2 s', async () => {
  searchMs = 'never'
  void find('a')
  await vi.advanceTimersByTimeAsync(100)
  searchMs = 5
  const ends = await answersWithin(2000, find('b'))
  expect(searches).toEqual([0, 2000])
  expect(ends).toEqual([2005])
})

test('setting the wall clock back changes nothing', async () => {
  await answersWithin(10, find('a'))
  vi.setSystemTime(0)
  expect(await answersWithin(300, find('b'))).toEqual([255])
})
