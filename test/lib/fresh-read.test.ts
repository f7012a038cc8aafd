// Overlapping calls of `refresh`: the value never becomes older, and each call sees what was stored before it began.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFreshRead } from '../../src/lib/fresh-read.ts'

/** Reads that stay pending until the test resolves them with a value, or fails them. */
function createStore(): {
  readonly read: () => Promise<string>
  readonly reads: { end(value: string): void; fail(error: Error): void }[]
} {
  const reads: { end(value: string): void; fail(error: Error): void }[] = []
  const read = (): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    reads.push({ end: resolve, fail: reject })
    return promise
  }
  return { read, reads }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

test('the first value is used until a read replaces it', async () => {
  const { read, reads } = createStore()
  const kept = createFreshRead('first', read)
  const { readAt } = kept
  const refreshed = kept.refresh()
  expect(kept.value).toBe('first')
  await turn()
  reads[0]?.end('second')
  await refreshed
  expect(kept.value).toBe('second')
  expect(kept.readAt).toBeGreaterThanOrEqual(readAt)
})

test('an older read that ends last does not replace a newer one', async () => {
  const { read, reads } = createStore()
  const kept = createFreshRead('first', read)
  const older = kept.refresh()
  const newer = kept.refresh()
  reads[1]?.end('new')
  await newer
  expect(kept.value).toBe('new')
  reads[0]?.end('old')
  await older
  expect(kept.value).toBe('new')
  expect(reads).toHaveLength(2)
})

test('a call whose read overlapped with an older one reads again', async () => {
  const { read, reads } = createStore()
  const kept = createFreshRead('first', read)
  const older = kept.refresh()
  const newer = kept.refresh()
  reads[0]?.end('from the older read')
  await older
  reads[1]?.end('perhaps older')
  await turn()
  expect(kept.value).toBe('from the older read')
  expect(reads).toHaveLength(3)
  reads[2]?.end('certainly newer')
  await newer
  expect(kept.value).toBe('certainly newer')
})

test('`readAt` is when the read began, not when it ended', async () => {
  const { read, reads } = createStore()
  const kept = createFreshRead('first', read)
  const refreshed = kept.refresh()
  await new Promise((resolve) => setTimeout(resolve, 30))
  reads[0]?.end('second')
  await refreshed
  expect(performance.now() - kept.readAt).toBeGreaterThanOrEqual(25)
})

test('a read that fails rejects only its own call and does not change the value', async () => {
  const { read, reads } = createStore()
  const kept = createFreshRead('first', read)
  const failing = kept.refresh()
  const working = kept.refresh()
  reads[0]?.fail(new Error('the store is down'))
  await expect(failing).rejects.toThrow('the store is down')
  expect(kept.value).toBe('first')
  reads[1]?.end('second')
  await working
  expect(kept.value).toBe('second')
})

test('for any order of calls, writes and delays: the value never becomes older, and each call sees earlier writes', async () => {
  const steps = fc.array(fc.record({ writes: fc.boolean(), delay: fc.integer({ min: 0, max: 5 }) }), {
    minLength: 2,
    maxLength: 12,
  })
  const run = fc.asyncProperty(steps, async (plan) => {
    let stored = 0
    const delays = plan.map(({ delay }) => delay)
    const kept = createFreshRead(0, async () => {
      // The value at some moment during the read, as with a database.
      const turns = delays.shift() ?? 0
      for (let done = 0; done < turns; done += 1) await Promise.resolve()
      const value = stored
      for (let done = 0; done < turns; done += 1) await Promise.resolve()
      return value
    })
    let highest = 0
    const calls = plan.map(async ({ writes }, at) => {
      for (let done = 0; done < at; done += 1) await Promise.resolve()
      if (writes) stored += 1
      const before = stored
      await kept.refresh()
      expect(kept.value).toBeGreaterThanOrEqual(before)
      expect(kept.value).toBeGreaterThanOrEqual(highest)
      highest = kept.value
    })
    await Promise.all(calls)
  })
  await fc.assert(run, { numRuns: 500 })
})
