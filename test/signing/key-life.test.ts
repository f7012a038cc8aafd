// The life of keys in a store: results and effects of each operation, and that no key is created needlessly.

import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { AUDIT_ID } from '../../src/admin/page.ts'
import { createKeyLife, createRotationEntry, type KeyLife } from '../../src/signing/key-life.ts'
import type { KeyTerms } from '../../src/signing/key-plan.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import { createMemoryKeys, type MemoryKeys } from '../support/memory-keys.ts'
import { ALGORITHMS, count, DAY, GRACE, NOW } from './plans.ts'

const MINUTE = 60_000
const isRevoked = () => false
/** Whether one round of maintenance rotated the key. */
const maintain = async (life: KeyLife, now: number) =>
  (await life.maintain(now, isRevoked)).rotatedKid !== undefined
const terms: KeyTerms = { publishMs: 15 * MINUTE, rotationMs: 90 * DAY, lifetimeMs: DAY }

/** Counts the keys created, asymmetric and shared ones. */
const generate = crypto.subtle.generateKey.bind(crypto.subtle) as () => Promise<never>
const making = vi.spyOn(crypto.subtle, 'generateKey').mockImplementation(generate)
afterAll(() => making.mockRestore())

describe('the life of keys', () => {
  const alg = 'ES256'
  let memory: MemoryKeys
  let life: KeyLife
  let current: string
  let pending: string

  beforeEach(async () => {
    memory = createMemoryKeys(await createFirstKeys(alg, NOW))
    life = createKeyLife(memory.store, { alg, ...terms })
    ;[current = '', pending = ''] = memory.keys().map(({ kid }) => kid)
    making.mockClear()
  })
  const states = async () => (await life.list()).map(({ kid, state }) => `${state} ${kid}`)

  test('list shows every key, in the order of its states, without key material', async () => {
    await memory.store.replace({
      expect: [],
      put: [await createSigningKey(alg, 'expired', NOW), await createSigningKey(alg, 'retiring', NOW)],
      remove: [],
    })
    const records = await life.list()
    expect(records.map(({ state }) => state)).toEqual(['current', 'pending', 'retiring', 'expired'])
    for (const record of records) {
      expect(Object.keys(record).sort()).toEqual([
        'alg',
        'createdAt',
        'currentSince',
        'expiresAt',
        'kid',
        'state',
      ])
    }
  })

  test('no more than 50 keys are published: a scheduled rotation waits until one has expired', async () => {
    const retiring = await Promise.all(
      Array.from({ length: 48 }, async (_, index) => {
        const made = await createSigningKey(alg, 'retiring', NOW)
        return { ...made, currentSince: NOW, expiresAt: NOW + 90 * DAY + 2000 + index }
      }),
    )
    await memory.store.replace({ expect: [], put: retiring, remove: [] })
    const due = NOW + 90 * DAY
    expect(await maintain(life, due)).toBe(false)
    expect(await life.rotate(due, { force: true })).toEqual({ ok: false, reason: 'too_many' })
    expect(memory.keys()).toHaveLength(50)
    expect(await maintain(life, due + 2000)).toBe(false)
    expect(await maintain(life, due + 2000)).toBe(true)
    expect(memory.keys().filter(({ state }) => state !== 'expired')).toHaveLength(50)
    expect(await states()).toContain(`current ${pending}`)
  })

  test('rotate is refused while the pending key is too young; later it succeeds and returns what is stored', async () => {
    expect(await life.rotate(NOW + 15 * MINUTE - 1, { force: false })).toEqual({
      ok: false,
      reason: 'too_young',
    })
    expect(making).not.toHaveBeenCalled()
    const now = NOW + 15 * MINUTE
    const rotated = await life.rotate(now, { force: false })
    expect(making).toHaveBeenCalledTimes(1)
    expect(rotated).toEqual({ ok: true, value: await life.list() })
    expect(await life.list()).toMatchObject([
      { kid: pending, state: 'current', createdAt: NOW, currentSince: now, expiresAt: null },
      { state: 'pending', createdAt: now, currentSince: null, expiresAt: null, alg },
      { kid: current, state: 'retiring', createdAt: NOW, currentSince: NOW, expiresAt: now + DAY + GRACE },
    ])
    expect(await life.rotate(now, { force: false })).toEqual({ ok: false, reason: 'too_young' })
  })

  test('a forced rotation ignores the age of the pending key, each time', async () => {
    for (let round = 1; round <= 3; round += 1) {
      expect((await life.rotate(NOW + round, { force: true })).ok).toBe(true)
      expect(count(memory.keys(), alg, 'retiring')).toBe(round)
    }
  })

  test('a forced rotation answers `outrun` when another change was stored first', async () => {
    const late = createKeyLife(
      {
        ...memory.store,
        replace: async (change) => (await life.end(pending, NOW)) && memory.store.replace(change),
      },
      { alg, ...terms },
    )
    expect(await late.rotate(NOW, { force: true })).toEqual({ ok: false, reason: 'outrun' })
    expect(count(memory.keys(), alg, 'current')).toBe(1)
  })

  test('end takes effect immediately, is true once, and a concurrent change does not undo it', async () => {
    expect(await life.end(current, NOW + 1)).toBe(true)
    expect((await states()).toSpliced(1, 1)).toEqual([`current ${pending}`, `expired ${current}`])
    expect(making).toHaveBeenCalledTimes(1)
    expect(await life.end(current, NOW + 2)).toBe(false)
    expect(await life.end('unknown', NOW + 2)).toBe(false)
    expect(making).toHaveBeenCalledTimes(1)
    // Another process rotates twice between the read and the write.
    let losses = 2
    const late = createKeyLife(
      {
        ...memory.store,
        replace: async (change) => {
          losses -= 1
          if (losses >= 0) await life.rotate(NOW + 3, { force: true })
          return memory.store.replace(change)
        },
      },
      { alg, ...terms },
    )
    expect(await late.end(pending, NOW + 4)).toBe(true)
    expect(losses).toBe(-1)
    expect(memory.keys().find(({ kid }) => kid === pending)).toMatchObject({
      state: 'expired',
      expiresAt: NOW + 4,
    })
    expect([count(memory.keys(), alg, 'current'), count(memory.keys(), alg, 'pending')]).toEqual([1, 1])
  })

  test('a store that never accepts a change is tried a limited number of times', async () => {
    const stubborn = createKeyLife(
      { ...memory.store, list: async () => memory.keys(), replace: async () => false },
      { alg, ...terms },
    )
    await expect(stubborn.end(current, NOW)).rejects.toThrow('too many processes change them')
    expect(await stubborn.rotate(NOW + DAY, { force: false })).toEqual({ ok: false, reason: 'outrun' })
    expect(await maintain(stubborn, NOW + 90 * DAY)).toBe(false)
    await memory.store.replace({ expect: [], put: [], remove: [pending] })
    await expect(stubborn.open(NOW)).rejects.toThrow('too many processes change them')
  })

  test('maintain reads once and changes nothing when nothing is due', async () => {
    const reads = memory.reads()
    const before = memory.keys()
    expect(await maintain(life, NOW + 90 * DAY - 1)).toBe(false)
    expect(memory.reads()).toBe(reads + 1)
    expect(memory.keys()).toEqual(before)
    expect(making).not.toHaveBeenCalled()
  })

  test('maintain rotates by schedule; the old key expires and is later deleted', async () => {
    const due = NOW + 90 * DAY
    expect(await maintain(life, due)).toBe(true)
    expect(await maintain(life, due + 1)).toBe(false)
    expect((await states())[0]).toBe(`current ${pending}`)
    const stateAt = async (now: number) => {
      expect(await maintain(life, now)).toBe(false)
      return memory.keys().find(({ kid }) => kid === current)?.state
    }
    expect(await stateAt(due + DAY + GRACE - 1)).toBe('retiring')
    expect(await stateAt(due + DAY + GRACE)).toBe('expired')
    expect(await stateAt(due + 3 * DAY + GRACE - 1)).toBe('expired')
    expect(await stateAt(due + 3 * DAY + GRACE)).toBeUndefined()
    expect([count(memory.keys(), alg, 'current'), count(memory.keys(), alg, 'pending')]).toEqual([1, 1])
  })

  test('maintain does not rotate without a schedule, or when the clock was set back', async () => {
    const unscheduled = createKeyLife(memory.store, { alg, ...terms, rotationMs: null })
    expect(await maintain(unscheduled, NOW + 9000 * DAY)).toBe(false)
    expect(await maintain(life, NOW - 9000 * DAY)).toBe(false)
    expect((await states())[0]).toBe(`current ${current}`)
  })

  test('maintain creates a missing pending key, and rotates once that key was published long enough', async () => {
    await memory.store.replace({ expect: [], put: [], remove: [pending] })
    const due = NOW + 90 * DAY
    expect(await maintain(life, due)).toBe(false)
    expect(making).toHaveBeenCalledTimes(1)
    expect(count(memory.keys(), alg, 'pending')).toBe(1)
    expect(await maintain(life, due + 15 * MINUTE - 1)).toBe(false)
    expect(await maintain(life, due + 15 * MINUTE)).toBe(true)
  })

  test('every operation rejects with the error of the store when it is down', async () => {
    memory.fail(new Error('the store is down'))
    for (const call of [
      life.open(NOW),
      life.list(),
      life.rotate(NOW, { force: true }),
      life.end(current, NOW),
      life.maintain(NOW, isRevoked),
    ])
      await expect(call).rejects.toThrow('the store is down')
  })
})

describe('opening', () => {
  const open = async (memory: MemoryKeys, alg: (typeof ALGORITHMS)[number], now: number) => {
    const life = createKeyLife(memory.store, { alg, ...terms })
    await life.open(now)
    return life
  }
  const shown = async (life: KeyLife) => (await life.list()).map(({ alg, state }) => `${alg} ${state}`)

  test.each(ALGORITHMS)('opening an empty store creates its first keys: %s', async (alg) => {
    const memory = createMemoryKeys()
    expect(await shown(await open(memory, alg, NOW))).toEqual([`${alg} current`, `${alg} pending`])
    const before = memory.keys()
    making.mockClear()
    await open(memory, alg, NOW + 1)
    expect(memory.keys()).toEqual(before)
    expect(making).not.toHaveBeenCalled()
  })

  test('another algorithm takes over; the old process does not restore its own, but its restart does', async () => {
    const memory = createMemoryKeys()
    const old = await open(memory, 'ES256', NOW)
    const [first] = memory.keys()
    const next = await open(memory, 'EdDSA', NOW + 1)
    const moved = ['EdDSA current', 'EdDSA pending', 'ES256 retiring']
    expect(await shown(next)).toEqual(moved)
    expect(await maintain(old, NOW + 2)).toBe(false)
    expect(await old.rotate(NOW + 2, { force: true })).toEqual({ ok: false, reason: 'outrun' })
    expect(await shown(old)).toEqual(moved)
    // Either process can end a leaked key.
    expect(await old.end(first?.kid ?? '', NOW + 3)).toBe(true)
    await open(memory, 'ES256', NOW + 4)
    expect(await shown(old)).toEqual(['ES256 current', 'ES256 pending', 'EdDSA retiring', 'ES256 expired'])
    expect(memory.keys().map(({ kid }) => kid).length).toBe(4)
  })

  test.each(['current', 'pending'] as const)('a store without a %s key gets one', async (state) => {
    const keys = await createFirstKeys('ES256', NOW)
    const memory = createMemoryKeys(keys.filter((key) => key.state !== state))
    expect(await shown(await open(memory, 'ES256', NOW))).toEqual(['ES256 current', 'ES256 pending'])
  })
})

// The rotating process and upkeep both derive the id from the kid, and the audit log accepts it as a page position.
test.each([
  ['a thumbprint', 'NzbLsXh8uDCcd6MNwXF4W7noWXFZAfHkxZsRGC9Xs', 'NzbLsXh8uDCcd6MN'],
  ['one with - and _', '-_bL-Xh8_DCc-6M_wXF4W7noWXFZAfHkxZsRGC9Xs', '00bL0Xh80DCc06M0'],
  ['a short kid of a key that was added by hand', 'a-1', 'a010000000000000'],
])('the audit entry of a rotation has an id that follows from the kid: %s', (_name, kid, id) => {
  expect(id).toMatch(AUDIT_ID)
  const common = { id, action: 'key.rotate', target: kid }
  expect(createRotationEntry('cli', kid, 5, { forced: true })).toEqual({
    ...common,
    at: 5,
    actor: 'cli',
    detail: { forced: true },
  })
  expect(createRotationEntry('system', kid, 6, null)).toEqual({
    ...common,
    at: 6,
    actor: 'system',
    detail: null,
  })
})
