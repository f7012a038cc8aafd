// The plans for signing keys, as tables: what each operation does with a key in each state.

import { describe, expect, test } from 'vitest'
import {
  findCurrentKey,
  hasMovedOn,
  isRotationDue,
  planEnd,
  planOpening,
  planRotation,
  planUpkeep,
} from '../../src/signing/key-plan.ts'
import type { SigningKeyState, StoredSigningKey } from '../../src/signing/signing-key.ts'
import { ALGORITHMS, carryOut, DAY, HOUR, makeKey, NOW, spell, TERMS } from './plans.ts'

/** When a key that retires at NOW expires: minutes after NOW, a day and five minutes. */
const RETIRES = 1445

const alg = 'ES256'
const other = 'EdDSA'
const key = (kid: string, state: SigningKeyState, times: Parameters<typeof makeKey>[3] = {}) =>
  makeKey(kid, state, alg, times)
const whole = [key('c', 'current'), key('p', 'pending'), key('r', 'retiring'), key('x', 'expired')]

const foreign = [makeKey('fc', 'current', other), makeKey('fp', 'pending', other)]

/** Stores in a state that no operation produces, and the keys after the repair. */
const odd: readonly [string, readonly StoredSigningKey[], readonly string[]][] = [
  ['nothing', [], ['new-current current', 'new-pending pending']],
  ['no pending key', [key('c', 'current')], ['c current', 'new-pending pending']],
  ['no current key', [key('p', 'pending')], ['new-pending pending', 'p current']],
  [
    'only a retiring key',
    [key('r', 'retiring')],
    ['new-current current', 'new-pending pending', 'r retiring 60'],
  ],
  [
    'only an expired key',
    [key('x', 'expired')],
    ['new-current current', 'new-pending pending', 'x expired -60'],
  ],
  [
    'two current keys: the newest stays',
    [key('a', 'current'), key('b', 'current', { currentSince: NOW - 1 }), key('p', 'pending')],
    [`a retiring ${RETIRES}`, 'b current', 'p pending'],
  ],
  [
    'two current keys of the same time: the order of their ids decides',
    [key('b', 'current'), key('a', 'current'), key('p', 'pending')],
    ['a current', `b retiring ${RETIRES}`, 'p pending'],
  ],
  [
    'two pending keys: the longest published stays',
    [key('c', 'current'), key('a', 'pending'), key('b', 'pending', { createdAt: NOW - 3 * HOUR })],
    ['b pending', 'c current'],
  ],
  [
    'two current and two pending keys',
    [key('a', 'current'), key('b', 'current'), key('p', 'pending'), key('q', 'pending')],
    ['a current', `b retiring ${RETIRES}`, 'p pending'],
  ],
  [
    'two pending keys and no current one',
    [key('p', 'pending'), key('q', 'pending')],
    ['new-pending pending', 'p current'],
  ],
]

describe('rotation', () => {
  const rotate = (keys: readonly StoredSigningKey[], force = false, publishMs = TERMS.publishMs, now = NOW) =>
    planRotation(keys, alg, now, { publishMs, lifetimeMs: DAY, force })

  test('the pending key signs, the current one retires until its last token expires, a new one is pending; others do not change', () => {
    const plan = rotate([...whole, ...foreign])
    expect(plan.ok && spell(carryOut([...whole, ...foreign], plan.value))).toEqual([
      `c retiring ${RETIRES}`,
      'fc current',
      'fp pending',
      'new-pending pending',
      'p current',
      'r retiring 60',
      'x expired -60',
    ])
    expect(plan).toMatchObject({
      value: {
        expect: [
          { kid: 'c', state: 'current' },
          { kid: 'p', state: 'pending' },
        ],
        put: [
          { kid: 'c', currentSince: NOW - HOUR },
          { kid: 'p', currentSince: NOW, createdAt: NOW - 2 * HOUR },
        ],
        make: [{ alg, state: 'pending' }],
      },
    })
  })

  test.each([
    ['published just long enough', NOW - TERMS.publishMs, false, TERMS.publishMs, true],
    ['a millisecond too young', NOW - TERMS.publishMs + 1, false, TERMS.publishMs, false],
    ['too young, but forced', NOW, true, TERMS.publishMs, true],
    ['no publication required', NOW, false, 0, true],
    ['created later than now: the clock was set back', NOW + 1, false, TERMS.publishMs, false],
    ['created long after now', NOW + 100 * DAY, false, 1, false],
    ['created later than now, no publication required', NOW + 1, false, 0, true],
    ['created later than now, forced', NOW + 1, true, TERMS.publishMs, true],
  ])('%s', (_, createdAt, force, publishMs, isAllowed) => {
    const plan = rotate([key('c', 'current'), key('p', 'pending', { createdAt })], force, publishMs)
    if (isAllowed) expect(plan.ok).toBe(true)
    else expect(plan).toEqual({ ok: false, reason: 'too_young' })
  })

  test('a key that became current by a clock that was ahead retires by that clock', () => {
    const plan = rotate([key('c', 'current', { currentSince: NOW + HOUR }), key('p', 'pending')])
    expect(plan.ok && spell(carryOut(whole, plan.value))).toContain(`c retiring ${RETIRES + 60}`)
  })

  test.each(odd)('%s: after a forced rotation there are one current and one pending key', (_, keys) => {
    const plan = rotate(keys, true)
    const after = carryOut(keys, plan.ok ? plan.value : undefined)
    const pending = keys.filter(({ state }) => state === 'pending')
    expect(after.filter(({ state }) => state === 'current').map(({ kid }) => kid)).toEqual([
      pending.length === 0 ? 'new-current' : pending.some(({ kid }) => kid === 'b') ? 'b' : 'p',
    ])
    expect(after.filter(({ state }) => state === 'pending').map(({ kid }) => kid)).toEqual(['new-pending'])
    for (const { kid, state } of keys.filter((one) => one.state === 'current')) {
      expect([kid, state, after.find((one) => one.kid === kid)?.state]).toEqual([kid, 'current', 'retiring'])
    }
  })

  test('without a pending key a rotation is refused as too young', () => {
    expect(rotate([key('c', 'current')])).toEqual({ ok: false, reason: 'too_young' })
    expect(rotate([])).toEqual({ ok: false, reason: 'too_young' })
  })
})

describe('the end', () => {
  test.each<[string, readonly string[] | undefined]>([
    ['c', ['c expired 0', 'new-pending pending', 'p current', 'r retiring 60', 'x expired -60']],
    ['p', ['c current', 'new-pending pending', 'p expired 0', 'r retiring 60', 'x expired -60']],
    ['r', ['c current', 'p pending', 'r expired 0', 'x expired -60']],
    ['x', undefined],
    ['unknown', undefined],
  ])('of key %s', (kid, expected) => {
    const plan = planEnd(whole, kid, NOW, TERMS)
    expect(plan && spell(carryOut(whole, plan))).toEqual(expected)
  })

  test('of the current key, when the pending one was just created', () => {
    const keys = [key('c', 'current'), key('p', 'pending', { createdAt: NOW })]
    expect(spell(carryOut(keys, planEnd(keys, 'c', NOW, TERMS)))).toEqual([
      'c expired 0',
      'new-pending pending',
      'p current',
    ])
  })

  test.each(odd)('%s: after the end of any key there are one current and one pending key', (_, keys) => {
    for (const { kid, state } of keys) {
      const after = carryOut(keys, planEnd(keys, kid, NOW, TERMS))
      if (state === 'expired') continue
      expect(after.find((one) => one.kid === kid)).toMatchObject({ state: 'expired', expiresAt: NOW })
      if (state === 'retiring') continue
      expect(after.filter((one) => one.state === 'current')).toHaveLength(1)
      expect(after.filter((one) => one.state === 'pending')).toHaveLength(1)
    }
  })

  test('of a key of another algorithm: the next key of that algorithm replaces it', () => {
    const keys = [...whole, ...foreign]
    expect(planEnd(keys, 'fc', NOW, TERMS)).toMatchObject({ make: [{ alg: other, state: 'pending' }] })
    expect(carryOut(keys, planEnd(keys, 'fc', NOW, TERMS))).toMatchObject([
      ...whole,
      { kid: 'fc', state: 'expired' },
      { kid: 'fp', state: 'current', alg: other },
      { kid: 'new-pending', state: 'pending', alg: other },
    ])
  })
})

describe('upkeep', () => {
  const forgotten = NOW - 2 * DAY
  test.each<[string, StoredSigningKey, readonly string[] | undefined]>([
    ['retiring, time left', key('k', 'retiring', { expiresAt: NOW + 1 }), undefined],
    ['retiring, past its end', key('k', 'retiring', { expiresAt: NOW }), ['k expired 0']],
    ['expired, not yet to be deleted', key('k', 'expired', { expiresAt: forgotten + 1 }), undefined],
    ['expired, a day and a lifetime ago', key('k', 'expired', { expiresAt: forgotten }), []],
    ['retiring, long past its end', key('k', 'retiring', { expiresAt: forgotten }), ['k expired -2880']],
    ['retiring, without an end', key('k', 'retiring', { expiresAt: null }), undefined],
    ['expired, without a time', key('k', 'expired', { expiresAt: null }), undefined],
  ])('%s', (_, one, expected) => {
    const keys = [key('c', 'current'), key('p', 'pending'), one]
    const plan = planUpkeep(keys, alg, NOW, TERMS)
    expect(plan && spell(carryOut(keys, plan))).toEqual(
      expected && ['c current', ...expected, 'p pending'].sort(),
    )
  })

  test('retired keys of another algorithm expire and are deleted too; its current and pending ones do not change', () => {
    const keys = [
      ...whole,
      ...foreign,
      makeKey('fr', 'retiring', other, { expiresAt: NOW }),
      makeKey('fx', 'expired', other, { expiresAt: forgotten }),
    ]
    expect(spell(carryOut(keys, planUpkeep(keys, alg, NOW, TERMS)))).toEqual(
      spell([...whole, ...foreign, makeKey('fr', 'expired', other, { expiresAt: NOW })]),
    )
  })

  test.each(odd)('repairs: %s', (_, keys, expected) => {
    expect(spell(carryOut(keys, planUpkeep(keys, alg, NOW, TERMS)))).toEqual(expected)
  })

  test('changes a few keys at a time until nothing is left to do', () => {
    let keys: readonly StoredSigningKey[] = [
      key('c', 'current'),
      key('p', 'pending'),
      ...Array.from({ length: 50 }, (_, index) => key(`r${index}`, 'retiring', { expiresAt: NOW })),
    ]
    let rounds = 0
    for (let plan = planUpkeep(keys, alg, NOW, TERMS); plan; plan = planUpkeep(keys, alg, NOW, TERMS)) {
      expect(plan.put.length).toBeLessThanOrEqual(8)
      keys = carryOut(keys, plan)
      rounds += 1
    }
    expect(rounds).toBe(7)
    expect(keys.filter(({ state }) => state === 'expired')).toHaveLength(50)
  })

  test('does not restore an algorithm that the service no longer uses', () => {
    const moved = [key('r', 'retiring'), ...foreign]
    expect(hasMovedOn(moved, alg)).toBe(true)
    expect(planUpkeep(moved, alg, NOW, TERMS)).toBeUndefined()
    expect(planUpkeep([key('r', 'retiring', { expiresAt: NOW }), ...foreign], alg, NOW, TERMS)?.make).toEqual(
      [],
    )
    for (const keys of [
      whole,
      [...whole, ...foreign],
      [key('p', 'pending'), ...foreign],
      [key('r', 'retiring')],
    ])
      expect(hasMovedOn(keys, alg)).toBe(false)
  })
})

describe('opening', () => {
  test('a complete store needs no change', () => {
    expect(planOpening(whole, alg, NOW, TERMS)).toBeUndefined()
  })

  test.each(odd)('repairs: %s', (_, keys, expected) => {
    expect(spell(carryOut(keys, planOpening(keys, alg, NOW, TERMS)))).toEqual(expected)
  })

  test('another algorithm than before: the old current key retires, its pending one is deleted, retired ones stay', () => {
    const keys = [...foreign, makeKey('fr', 'retiring', other), makeKey('fx', 'expired', other)]
    const plan = planOpening(keys, alg, NOW, TERMS)
    expect(spell(carryOut(keys, plan))).toEqual([
      `fc retiring ${RETIRES}`,
      'fr retiring 60',
      'fx expired -60',
      'new-current current',
      'new-pending pending',
    ])
    expect(plan?.make).toEqual([
      { alg, state: 'current' },
      { alg, state: 'pending' },
    ])
    // When two processes start together, one makes the change.
    expect(plan?.expect).toEqual([
      { kid: 'fc', state: 'current' },
      { kid: 'fp', state: 'pending' },
    ])
  })
})

test.each<
  [string, Partial<StoredSigningKey> | null, Partial<StoredSigningKey> | null, number | null, boolean]
>([
  ['just due', { currentSince: NOW - 90 * DAY }, {}, 90 * DAY, true],
  ['a millisecond to go', { currentSince: NOW - 90 * DAY + 1 }, {}, 90 * DAY, false],
  ['never', { currentSince: 0 }, {}, null, false],
  ['due, the pending key ready', { currentSince: 0 }, { createdAt: NOW - TERMS.publishMs }, DAY, true],
  [
    'due, the pending key too young',
    { currentSince: 0 },
    { createdAt: NOW - TERMS.publishMs + 1 },
    DAY,
    false,
  ],
  ['the clock set back behind the last rotation', { currentSince: NOW + 1 }, {}, 1, false],
  ['the clock set back by more than a period', { currentSince: NOW + 10 * DAY }, {}, DAY, false],
  ['the clock set back behind the pending key', { currentSince: 0 }, { createdAt: NOW + DAY }, DAY, false],
  [
    'no time of rotation known: counted from when the key was created',
    { currentSince: null, createdAt: NOW - DAY },
    {},
    DAY,
    true,
  ],
  ['no current key', null, {}, 1, false],
  ['no pending key', { currentSince: 0 }, null, 1, false],
])('a rotation by schedule, %s', (_, current, pending, rotationMs, isDue) => {
  const keys = [
    ...(current === null ? [] : [key('c', 'current', current)]),
    ...(pending === null ? [] : [key('p', 'pending', pending)]),
    makeKey('fc', 'current', other, { currentSince: 0 }),
  ]
  expect(isRotationDue(keys, alg, NOW, { rotationMs, publishMs: TERMS.publishMs })).toBe(isDue)
})

test('the signing key is the newest current key of the algorithm', () => {
  expect(findCurrentKey([...foreign, ...whole], alg)?.kid).toBe('c')
  expect(findCurrentKey([key('p', 'pending'), key('r', 'retiring')], alg)).toBeUndefined()
  expect(findCurrentKey([...whole, key('d', 'current', { currentSince: NOW })], alg)?.kid).toBe('d')
})

test.each(ALGORITHMS)('keys to create are of the algorithm that was asked for: %s', (one) => {
  const [current, pending] = [makeKey('c', 'current', one), makeKey('p', 'pending', one)]
  const rotation = planRotation([current, pending], one, NOW, { ...TERMS, force: false })
  expect(rotation.ok && rotation.value.make).toEqual([{ alg: one, state: 'pending' }])
  const made = [
    { alg: one, state: 'current' },
    { alg: one, state: 'pending' },
  ]
  expect([planOpening([], one, NOW, TERMS)?.make, planUpkeep([], one, NOW, TERMS)?.make]).toEqual([
    made,
    made,
  ])
})
