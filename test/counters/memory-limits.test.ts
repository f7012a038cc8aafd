// Rate limits in memory: windows on a monotonic clock, quotas, costs, and what a full memory evicts.

import { describe, expect, test } from 'vitest'
import type { Limits } from '../../src/counters/counters.ts'
import { createMemoryLimits } from '../../src/counters/memory-limits.ts'

function createClock(max?: number): { limits: Limits; pass(ms: number): void } {
  let time = 5_000_000
  const limits = createMemoryLimits({ monotonicMs: () => time, ...(max !== undefined && { max }) })
  return {
    limits,
    pass: (ms) => {
      time += ms
    },
  }
}

const QUOTA = { requests: 3, seconds: 10 }

describe('a window', () => {
  test('allows as many requests as its quota, then none until it ends', () => {
    const { limits, pass } = createClock()
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: true, remaining: 2, resetSeconds: 10 })
    pass(3000)
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: true, remaining: 1, resetSeconds: 7 })
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: true, remaining: 0, resetSeconds: 7 })
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: false, remaining: 0, resetSeconds: 7 })
    pass(6999)
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: false, remaining: 0, resetSeconds: 1 })
    pass(1)
    expect(limits.hit('a', QUOTA)).toEqual({ allowed: true, remaining: 2, resetSeconds: 10 })
  })

  test('begins with the first request of its own key', () => {
    const { limits, pass } = createClock()
    limits.hit('a', QUOTA)
    pass(9000)
    expect(limits.hit('b', QUOTA)).toMatchObject({ resetSeconds: 10 })
    expect(limits.hit('a', QUOTA)).toMatchObject({ remaining: 1, resetSeconds: 1 })
  })

  test('is not extended by refused requests', () => {
    const { limits, pass } = createClock()
    for (let asked = 0; asked < 50; asked += 1) {
      limits.hit('a', QUOTA)
      pass(199)
    }
    pass(100)
    expect(limits.hit('a', QUOTA)).toMatchObject({ allowed: true, remaining: 2 })
  })

  test('counts costs; a cost above the quota is always refused and not counted', () => {
    const { limits } = createClock()
    expect(limits.hit('a', QUOTA, 4)).toMatchObject({ allowed: false, remaining: 3 })
    expect(limits.hit('a', QUOTA, 2)).toMatchObject({ allowed: true, remaining: 1 })
    expect(limits.hit('a', QUOTA, 2)).toMatchObject({ allowed: false, remaining: 1 })
    expect(limits.hit('a', QUOTA, 0.5)).toMatchObject({ allowed: true, remaining: 0 })
    expect(limits.hit('a', QUOTA, Number.NaN)).toMatchObject({ allowed: false })
  })

  test('is shared by different quotas of the same key', () => {
    const { limits } = createClock()
    limits.hit('a', QUOTA, 3)
    expect(limits.hit('a', { requests: 5, seconds: 10 })).toMatchObject({ allowed: true, remaining: 1 })
    expect(limits.hit('a', { requests: 2, seconds: 10 })).toMatchObject({ allowed: false, remaining: 0 })
  })
})

test('a peek counts nothing and answers like the next hit', () => {
  const { limits } = createClock()
  expect(limits.peek('a', QUOTA)).toEqual({ allowed: true, remaining: 3, resetSeconds: 10 })
  limits.hit('a', QUOTA, 2)
  for (let asked = 0; asked < 5; asked += 1)
    expect(limits.peek('a', QUOTA)).toMatchObject({ allowed: true, remaining: 1 })
  limits.hit('a', QUOTA)
  expect(limits.peek('a', QUOTA)).toMatchObject({ allowed: false, remaining: 0 })
})

test('a full memory evicts the least recently used key, never one that keeps being refused', () => {
  const { limits } = createClock(100)
  limits.hit('over', QUOTA, 3)
  limits.hit('idle', QUOTA, 3)
  for (let other = 0; other < 1000; other += 1) {
    limits.hit(`other ${other}`, QUOTA)
    if (other % 50 === 0) expect(limits.hit('over', QUOTA)).toMatchObject({ allowed: false })
  }
  expect(limits.peek('over', QUOTA)).toMatchObject({ allowed: false })
  expect(limits.peek('idle', QUOTA)).toMatchObject({ allowed: true, remaining: 3 })
})

test('changes of the wall clock have no effect', () => {
  const limits = createMemoryLimits()
  const now = Date.now
  try {
    limits.hit('a', QUOTA, 3)
    Date.now = () => now() + 3_600_000
    expect(limits.hit('a', QUOTA)).toMatchObject({ allowed: false, resetSeconds: 10 })
    Date.now = () => now() - 3_600_000
    expect(limits.hit('a', QUOTA)).toMatchObject({ allowed: false, resetSeconds: 10 })
  } finally {
    Date.now = now
  }
})

test('new limits take no memory for keys that were not used yet', () => {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const before = used()
  const all = Array.from({ length: 50 }, () => createMemoryLimits())
  expect((used() - before) / all.length).toBeLessThan(50_000)
})
