// What every store of signing keys promises of a change: it is made as a whole, on what its author saw, or not at all.

import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createSigningKey } from '../../src/signing/make-keys.ts'
import type { SigningKeyState, SigningKeyStore, StoredSigningKey } from '../../src/signing/signing-key.ts'
import { rotation, seen } from './key-rotation.ts'

export interface OpenedKeyStore {
  /** Another handle on the same store, as another process would have it. */
  readonly open: () => SigningKeyStore
  readonly close: () => Promise<void>
}

const NOW = 1_700_000_000_000

const byKid = (keys: readonly StoredSigningKey[]) => [...keys].sort((a, b) => (a.kid < b.kid ? -1 : 1))

export function describeKeyChanges(name: string, openStore: () => Promise<OpenedKeyStore>): void {
  describe(`key changes contract: ${name}`, () => {
    let opened: OpenedKeyStore
    let store: SigningKeyStore
    let current: StoredSigningKey
    let pending: StoredSigningKey
    let spare: StoredSigningKey

    const makeKey = (state: SigningKeyState, now = NOW) => createSigningKey('ES256', state, now)
    beforeAll(async () => {
      current = await makeKey('current')
      pending = await makeKey('pending')
      spare = await makeKey('pending')
    })
    beforeEach(async () => {
      opened = await openStore()
      store = opened.open()
      await store.initialize([current, pending])
    })
    afterEach(() => opened.close())

    const expectKeys = async (...keys: readonly StoredSigningKey[]) =>
      expect(byKid(await opened.open().list())).toEqual(byKid(keys))

    test('a rotation changes states, adds a key and removes one, with every member as given', async () => {
      const first = rotation([current, pending], spare, NOW + 5)
      expect(await store.replace(first)).toBe(true)
      await expectKeys(...first.put)
      const second = rotation(first.put, await makeKey('pending'), NOW + 10)
      expect(second.remove).toEqual([current.kid])
      expect(await store.replace(second)).toBe(true)
      await expectKeys(...second.put)
    })

    test('a key of another algorithm is left alone, and one may be added without expectations', async () => {
      const secret = await createSigningKey('HS256', 'current', NOW)
      expect(await store.replace({ expect: [], put: [secret], remove: [] })).toBe(true)
      await expectKeys(current, pending, secret)
    })

    test('removing alone works too, unknown kids and the same once more included', async () => {
      const change = { expect: [seen(current)], put: [], remove: [pending.kid, 'unknown'] }
      expect(await store.replace(change)).toBe(true)
      await expectKeys(current)
      expect(await store.replace(change)).toBe(true)
      await expectKeys(current)
    })

    test('a key may be removed whose state was expected', async () => {
      const change = { expect: [seen(current), seen(pending)], put: [spare], remove: [current.kid] }
      expect(await store.replace(change)).toBe(true)
      await expectKeys(pending, spare)
      expect(await store.replace(change)).toBe(false)
      await expectKeys(pending, spare)
    })

    test('a change of nothing tells whether its expectations hold', async () => {
      expect(await store.replace({ expect: [seen(current)], put: [], remove: [] })).toBe(true)
      const other = { kid: current.kid, state: 'pending' as const }
      expect(await store.replace({ expect: [other], put: [], remove: [] })).toBe(false)
      await expectKeys(current, pending)
    })

    test.each<[string, () => readonly { kid: string; state: SigningKeyState }[]]>([
      ['is in another state', () => [{ kid: current.kid, state: 'retiring' }]],
      [
        'is in another state, beside one that is as expected',
        () => [seen(pending), { ...seen(current), state: 'pending' }],
      ],
      ['is not there', () => [seen(current), { kid: 'unknown', state: 'current' }]],
      [
        'has the state of the other',
        () => [
          { kid: current.kid, state: 'pending' },
          { kid: pending.kid, state: 'current' },
        ],
      ],
    ])('false, and nothing is done, when an expected key %s', async (_name, expected) => {
      const change = { ...rotation([current, pending], spare, NOW), remove: [pending.kid] }
      expect(await store.replace({ ...change, expect: expected() })).toBe(false)
      await expectKeys(current, pending)
    })

    test('an empty store has no key in any state', async () => {
      const empty = { expect: [], put: [], remove: [current.kid, pending.kid] }
      expect(await store.replace(empty)).toBe(true)
      await expectKeys()
      expect(await store.replace(rotation([current, pending], spare, NOW))).toBe(false)
      await expectKeys()
    })

    test('of 50 rotations begun together one is made, whole', async () => {
      const keys = [current, pending]
      const spares = await Promise.all(Array.from({ length: 50 }, () => makeKey('pending')))
      const changes = spares.map((next, index) => rotation(keys, next, NOW + index))
      const stores = changes.map(() => opened.open())
      const answers = await Promise.all(stores.map((one, index) => one.replace(changes[index]!)))
      expect(answers.filter(Boolean)).toHaveLength(1)
      await expectKeys(...changes[answers.indexOf(true)]!.put)
    })

    test('readers beside 20 rotations, one after the other, always see one current and one pending key', async () => {
      let isOver = false
      const rotate = async () => {
        for (let round = 1; round <= 20; round++) {
          const keys = await store.list()
          expect(await store.replace(rotation(keys, await makeKey('pending'), NOW + round))).toBe(true)
        }
        isOver = true
      }
      const read = async () => {
        const reader = opened.open()
        const seenStates = new Set<string>()
        // A wall for a rotation that never ends: the test's own time.
        while (!isOver) {
          const states = (await reader.list()).map(({ state }) => state).sort()
          seenStates.add(states.join(' '))
          await new Promise((resolve) => setImmediate(resolve))
        }
        return [...seenStates]
      }
      const [, ...looks] = await Promise.all([rotate(), read(), read()])
      for (const states of new Set(looks.flat()))
        expect(['current pending', 'current pending retiring']).toContain(states)
    })
  })
}
