// Ids that may be used once, in memory: budgets of one tenant and of all tenants, expiry, clocks that are set back, and a
// full store.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryOneTime, type MemoryOneTime } from '../../src/counters/memory-one-time.ts'

const NOW = 1_800_000_000
const BUDGET = { perTenant: 5, inAll: 12, longestSeconds: 150 }

const use = (store: MemoryOneTime, tenant: string, id: string, life = 90, now = NOW): string =>
  store.use({ tenant, id, expiresAt: now + life, now }).kind

/** Uses `count` new ids of a tenant; returns the outcome of each. */
const fill = (store: MemoryOneTime, tenant: string, count: number, now = NOW): readonly string[] =>
  Array.from({ length: count }, (_, at) => use(store, tenant, `${tenant} ${now} ${at}`, 90, now))

describe('an id', () => {
  test('is new once, until it expires', () => {
    const store = createMemoryOneTime(BUDGET)
    expect(use(store, 'a', 'x')).toBe('new')
    expect(use(store, 'a', 'x')).toBe('used')
    expect(use(store, 'b', 'x')).toBe('used')
    expect(use(store, 'a', 'x', 90, NOW + 89.9)).toBe('used')
    expect(use(store, 'a', 'x', 90, NOW + 90)).toBe('new')
    expect(use(store, 'a', 'x', 90, NOW + 91)).toBe('used')
  })

  test('that has already expired is not stored', () => {
    const store = createMemoryOneTime(BUDGET)
    for (let at = 0; at < 50; at += 1) expect(use(store, 'a', `x${at}`, 0)).toBe('new')
    expect(use(store, 'a', 'x', 10)).toBe('new')
  })
})

describe('a tenant', () => {
  test('is full at its budget and gets the time until it has room; other tenants are not affected', () => {
    const store = createMemoryOneTime(BUDGET)
    use(store, 'a', 'first', 30)
    expect(fill(store, 'a', 4)).toEqual(Array(4).fill('new'))
    expect(store.use({ tenant: 'a', id: 'more', expiresAt: NOW + 90, now: NOW + 0.5 })).toEqual({
      kind: 'tenant_full',
      retryAfterSeconds: 30,
    })
    expect(store.secondsUntilRoom('a', NOW + 20)).toBe(10)
    expect(store.secondsUntilRoom('b', NOW)).toBeUndefined()
    expect(use(store, 'b', 'own')).toBe('new')
  })

  test('that is full still gets "used" for an id that it used', () => {
    const store = createMemoryOneTime(BUDGET)
    fill(store, 'a', 5)
    expect(use(store, 'a', `a ${NOW} 3`)).toBe('used')
  })

  test('gets room for exactly as many ids as have expired', () => {
    const store = createMemoryOneTime(BUDGET)
    use(store, 'a', 'one', 10)
    use(store, 'a', 'two', 10)
    fill(store, 'a', 3)
    expect([1, 2, 3].map((at) => use(store, 'a', `later ${at}`, 90, NOW + 10))).toEqual([
      'new',
      'new',
      'tenant_full',
    ])
  })

  test('does not store an id that is refused', () => {
    const store = createMemoryOneTime(BUDGET)
    fill(store, 'a', 5)
    expect(use(store, 'a', 'later')).toBe('tenant_full')
    expect(use(store, 'a', 'later', 90, NOW + 91)).toBe('new')
  })

  test('is not blocked by ids from before the clock was set back, and they stay used', () => {
    const store = createMemoryOneTime(BUDGET)
    fill(store, 'a', 5, NOW + 3600)
    expect(use(store, 'a', 'now')).toBe('new')
    expect(use(store, 'a', `a ${NOW + 3600} 0`)).toBe('used')
  })
})

test('all tenants together are full at their budget until an id expires', () => {
  const store = createMemoryOneTime(BUDGET)
  for (const tenant of ['a', 'b']) fill(store, tenant, 5)
  expect(fill(store, 'c', 3)).toEqual(['new', 'new', 'full'])
  expect(use(store, 'd', 'x')).toBe('full')
  expect(use(store, 'd', 'x', 90, NOW + 90)).toBe('new')
})

test('agrees with a list of everything that was ever used', () => {
  const step = fc.record({
    tenant: fc.constantFrom('a', 'b', 'c'),
    id: fc.integer({ min: 0, max: 30 }),
    life: fc.integer({ min: -1, max: 150 }),
    pass: fc.integer({ min: 0, max: 40 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const store = createMemoryOneTime(BUDGET)
      const ever: { tenant: string; id: string; expiresAt: number }[] = []
      let now = NOW
      for (const { tenant, id: number, life, pass } of steps) {
        now += pass / 4
        const id = `${tenant} ${number}`
        const expiresAt = Math.ceil(now + life)
        const live = ever.filter((one) => one.expiresAt > now)
        const own = live.filter((one) => one.tenant === tenant)
        const expected = live.some((one) => one.id === id)
          ? 'used'
          : own.length >= BUDGET.perTenant
            ? 'tenant_full'
            : live.length >= BUDGET.inAll
              ? 'full'
              : 'new'
        expect(store.use({ tenant, id, expiresAt, now }).kind).toBe(expected)
        if (expected === 'new') ever.push({ tenant, id, expiresAt })
      }
    }),
    { numRuns: 300 },
  )
})

test('a call removes a bounded number of expired ids', () => {
  const store = createMemoryOneTime({ perTenant: 200_000, inAll: 200_000, longestSeconds: 150 })
  for (let at = 0; at < 200_000; at += 1)
    store.use({ tenant: 'a', id: `id ${at}`, expiresAt: NOW + 60, now: NOW })
  const times: number[] = []
  for (let at = 0; at < 1000; at += 1) {
    const start = performance.now()
    expect(use(store, 'b', `after ${at}`, 60, NOW + 60)).not.toBe('used')
    times.push(performance.now() - start)
  }
  // Going through 200 000 entries would take tens of milliseconds.
  expect(times.toSorted((a, b) => a - b)[990]).toBeLessThan(5)
})
