// The plans for random stores: any keys in any states.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  hasMovedOn,
  type KeyPlan,
  planEnd,
  planOpening,
  planRotation,
  planUpkeep,
} from '../../src/signing/key-plan.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { ALGORITHMS, carryOut, count, DAY, GRACE, NOW, TERMS } from './plans.ts'

const time = fc.integer({ min: NOW - 4 * DAY, max: NOW + 4 * DAY })
const timeOrNull = fc.option(time)

const anyKeys: fc.Arbitrary<readonly StoredSigningKey[]> = fc
  .array(
    fc.record({
      alg: fc.constantFrom(...ALGORITHMS),
      state: fc.constantFrom('pending', 'current', 'retiring', 'expired'),
      createdAt: time,
      currentSince: timeOrNull,
      expiresAt: timeOrNull,
    }),
    { maxLength: 8 },
  )
  .map((keys) => keys.map((key, index) => ({ kid: `k${index}`, jwk: {}, ...key })))

const anyAlg = fc.constantFrom(...ALGORITHMS)

/** Checks what must be true after every plan. */
function expectSound(
  before: readonly StoredSigningKey[],
  plan: KeyPlan,
  ended?: string,
): readonly StoredSigningKey[] {
  const after = carryOut(before, plan)
  expect(new Set(plan.put.map(({ kid }) => kid)).size).toBe(plan.put.length)
  // The plan expects the stored state of every key that it changes or deletes.
  const expected = new Set(plan.expect.map(({ kid }) => kid))
  for (const kid of [...plan.remove, ...plan.put.map((key) => key.kid)]) expect(expected).toContain(kid)
  for (const key of before) {
    const now = after.find(({ kid }) => kid === key.kid)
    if (now?.state === key.state) expect(now).toEqual(key)
    if (key.state !== 'current' || now?.state === 'current' || key.kid === ended) continue
    // A key that has signed stays published until its last token has expired.
    expect(now?.state).toBe('retiring')
    expect(now?.expiresAt).toBeGreaterThanOrEqual(NOW + TERMS.lifetimeMs + GRACE)
  }
  for (const { kid, state } of after) {
    const was = before.find((key) => key.kid === kid)?.state
    if (was === 'expired' || was === 'retiring') expect([was, 'expired']).toContain(state)
    if (state === 'pending') expect([undefined, 'pending']).toContain(was)
  }
  return after
}

function expectPair(keys: readonly StoredSigningKey[], alg: StoredSigningKey['alg']): void {
  expect(count(keys, alg, 'current')).toBe(1)
  expect(count(keys, alg, 'pending')).toBe(1)
}

test('a rotation leaves one current and one pending key, and loses no key that has signed', () => {
  fc.assert(
    fc.property(anyKeys, anyAlg, fc.boolean(), (keys, alg, force) => {
      const plan = planRotation(keys, alg, NOW, { ...TERMS, force })
      if (!plan.ok) {
        expect(force).toBe(false)
        return
      }
      const after = expectSound(keys, plan.value)
      expectPair(after, alg)
      const signing = after.find((key) => key.alg === alg && key.state === 'current')
      const before = keys.find(({ kid }) => kid === signing?.kid)
      expect([undefined, 'pending']).toContain(before?.state)
      if (!force) expect(NOW - (before?.createdAt ?? NOW)).toBeGreaterThanOrEqual(TERMS.publishMs)
    }),
    { numRuns: 1000 },
  )
})

test('ending a key expires it immediately, and loses no other key that has signed', () => {
  fc.assert(
    fc.property(anyKeys, fc.nat(9), (keys, index) => {
      const plan = planEnd(keys, `k${index}`, NOW, TERMS)
      const key = keys[index]
      if (plan === undefined) {
        expect(['expired', undefined]).toContain(key?.state)
        return
      }
      const after = expectSound(keys, plan, key?.kid)
      expect(after.find(({ kid }) => kid === key?.kid)).toMatchObject({ state: 'expired', expiresAt: NOW })
      if (key?.state !== 'retiring') expectPair(after, key?.alg ?? 'ES256')
    }),
    { numRuns: 1000 },
  )
})

test('opening leaves keys of one algorithm to sign, and a second opening changes nothing', () => {
  fc.assert(
    fc.property(anyKeys, anyAlg, (keys, alg) => {
      const plan = planOpening(keys, alg, NOW, TERMS)
      const after = plan === undefined ? keys : expectSound(keys, plan)
      expectPair(after, alg)
      for (const other of ALGORITHMS.filter((one) => one !== alg)) {
        expect(count(after, other, 'current') + count(after, other, 'pending')).toBe(0)
      }
      expect(planOpening(after, alg, NOW, TERMS)).toBeUndefined()
    }),
    { numRuns: 1000 },
  )
})

test('after two rounds upkeep has nothing left to do, and no key is overdue', () => {
  fc.assert(
    fc.property(anyKeys, anyAlg, (keys, alg) => {
      let after = keys
      let rounds = 0
      for (let plan = planUpkeep(keys, alg, NOW, TERMS); plan; plan = planUpkeep(after, alg, NOW, TERMS)) {
        after = expectSound(after, plan)
        rounds += 1
        // A key that retired long ago first expires, and is deleted in a later round.
        expect(rounds).toBeLessThanOrEqual(2)
      }
      if (!hasMovedOn(keys, alg)) expectPair(after, alg)
      for (const { state, expiresAt } of after) {
        if (expiresAt === null) continue
        if (state === 'retiring') expect(expiresAt).toBeGreaterThan(NOW)
        if (state === 'expired') expect(expiresAt + DAY + TERMS.lifetimeMs).toBeGreaterThan(NOW)
      }
    }),
    { numRuns: 1000 },
  )
})
