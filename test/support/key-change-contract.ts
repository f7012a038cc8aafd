// The contract of `replace` for every store of signing keys: a change is applied completely if each key that it expects is
// stored in the expected state. Otherwise nothing changes.

import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createSigningKey } from '../../src/signing/make-keys.ts'
import type { SigningKeyState, SigningKeyStore, StoredSigningKey } from '../../src/signing/signing-key.ts'
import { expectState, rotation } from './key-rotation.ts'

export interface OpenedKeyStore {
  /** Opens the same store once more, as another process would. */
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

    test('a key of another algorithm can be added without expectations, and the other keys stay', async () => {
      const secret = await createSigningKey('HS256', 'current', NOW)
      expect(await store.replace({ expect: [], put: [secret], remove: [] })).toBe(true)
      await expectKeys(current, pending, secret)
    })

    test('a change can only remove keys; kids that are unknown or already removed are ignored', async () => {
      const change = { expect: [expectState(current)], put: [], remove: [pending.kid, 'unknown'] }
      expect(await store.replace(change)).toBe(true)
      await expectKeys(current)
      expect(await store.replace(change)).toBe(true)
      await expectKeys(current)
    })

    test('one change can both expect the state of a key and remove the key', async () => {
      const change = {
        expect: [expectState(current), expectState(pending)],
        put: [spare],
        remove: [current.kid],
      }
      expect(await store.replace(change)).toBe(true)
      await expectKeys(pending, spare)
      expect(await store.replace(change)).toBe(false)
      await expectKeys(pending, spare)
    })

    test('a change without keys to put or remove returns whether the expected states are stored', async () => {
      expect(await store.replace({ expect: [expectState(current)], put: [], remove: [] })).toBe(true)
      const other = { kid: current.kid, state: 'pending' as const }
      expect(await store.replace({ expect: [other], put: [], remove: [] })).toBe(false)
      await expectKeys(current, pending)
    })

    test.each<[string, () => readonly { kid: string; state: SigningKeyState }[]]>([
      ['is in another state', () => [{ kid: current.kid, state: 'retiring' }]],
      [
        'is in another state, while another expected key is in the right state',
        () => [expectState(pending), { ...expectState(current), state: 'pending' }],
      ],
      ['does not exist', () => [expectState(current), { kid: 'unknown', state: 'current' }]],
      [
        'has the state that is expected of the other key, and the other way round',
        () => [
          { kid: current.kid, state: 'pending' },
          { kid: pending.kid, state: 'current' },
        ],
      ],
    ])('returns false and changes nothing when an expected key %s', async (_name, expected) => {
      const change = { ...rotation([current, pending], spare, NOW), remove: [pending.kid] }
      expect(await store.replace({ ...change, expect: expected() })).toBe(false)
      await expectKeys(current, pending)
    })

    test('a store without keys fulfils no expectation', async () => {
      const empty = { expect: [], put: [], remove: [current.kid, pending.kid] }
      expect(await store.replace(empty)).toBe(true)
      await expectKeys()
      expect(await store.replace(rotation([current, pending], spare, NOW))).toBe(false)
      await expectKeys()
    })

    test('of 50 rotations that start together exactly one is applied, completely', async () => {
      const keys = [current, pending]
      const spares = await Promise.all(Array.from({ length: 50 }, () => makeKey('pending')))
      const changes = spares.map((next, index) => rotation(keys, next, NOW + index))
      const stores = changes.map(() => opened.open())
      const answers = await Promise.all(stores.map((one, index) => one.replace(changes[index]!)))
      expect(answers.filter(Boolean)).toHaveLength(1)
      await expectKeys(...changes[answers.indexOf(true)]!.put)
    })

    test('during 20 rotations in a row, readers always see one current and one pending key', async () => {
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
        // If the rotations never end, the timeout of the test ends this loop.
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
