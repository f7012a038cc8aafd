// What every adapter promises of assertions: one use each, and a purge that takes what has expired.

import { describe, expect, test } from 'vitest'
import type { Storage } from '../../src/storage/storage.ts'
import type { OpenedStorage } from './contract.ts'
import { openEach } from './open-each.ts'

const NOW = 1_750_000_000_000

export function describeAssertions(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`assertions contract: ${name}`, () => {
    let storage: Storage
    openEach(open, (opened) => {
      storage = opened.storage
    })

    const use = (client: string, jti: string, until = NOW + 60_000) =>
      storage.useAssertion(client, jti, until)

    test('a jti is used once, whatever its expiry', async () => {
      expect(await use('alpha', 'one')).toBe(true)
      expect(await use('alpha', 'one')).toBe(false)
      expect(await use('alpha', 'one', NOW + 90_000)).toBe(false)
      expect(await use('alpha', 'two')).toBe(true)
    })

    test('each client has its own', async () => {
      expect(await use('alpha', 'shared')).toBe(true)
      expect(await use('beta', 'shared')).toBe(true)
      // What joins to the same text is not the same pair.
      expect(await use('alpha ', 'b')).toBe(true)
      expect(await use('alpha', ' b')).toBe(true)
    })

    test.each(['B', 'b', 'é', 'e\u0301', ' b ', '007', '\u0000', '🌵', 'x'.repeat(256)])(
      'the text %j is itself and no other',
      async (jti) => {
        expect(await use('alpha', jti)).toBe(true)
        expect(await use('alpha', `${jti}x`)).toBe(true)
        expect(await use('alpha', jti)).toBe(false)
      },
    )

    test('of thirty callers at the same moment exactly one is told that it is new', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => use('alpha', 'contested')))
      expect(answers.filter((isNew) => isNew)).toEqual([true])
    })

    test('a purge takes what has expired, and nothing else', async () => {
      await use('alpha', 'over', NOW)
      await use('alpha', 'under way', NOW + 1)
      await storage.purge({ revocationsUntil: 1, assertionsUntil: NOW, auditBefore: null })
      expect(await use('alpha', 'over')).toBe(true)
      expect(await use('alpha', 'under way')).toBe(false)
    })
  })
}
