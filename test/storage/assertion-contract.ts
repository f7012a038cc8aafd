// The contract of every adapter for assertions: each may be used once, and a purge deletes the expired ones.

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

    test('a jti can be used only once, even if the second use has another expiry', async () => {
      expect(await use('alpha', 'one')).toBe(true)
      expect(await use('alpha', 'one')).toBe(false)
      expect(await use('alpha', 'one', NOW + 90_000)).toBe(false)
      expect(await use('alpha', 'two')).toBe(true)
    })

    test('two clients may use the same jti', async () => {
      expect(await use('alpha', 'shared')).toBe(true)
      expect(await use('beta', 'shared')).toBe(true)
      // Client and jti joined give the same text, but they are two different pairs.
      expect(await use('alpha ', 'b')).toBe(true)
      expect(await use('alpha', ' b')).toBe(true)
    })

    test.each(['B', 'b', 'é', 'e\u0301', ' b ', '007', '\u0000', '🌵', 'x'.repeat(256)])(
      'the jti %j is stored exactly: a longer one is accepted, the same one is refused the second time',
      async (jti) => {
        expect(await use('alpha', jti)).toBe(true)
        expect(await use('alpha', `${jti}x`)).toBe(true)
        expect(await use('alpha', jti)).toBe(false)
      },
    )

    test('when thirty callers use one jti together, exactly one succeeds', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => use('alpha', 'contested')))
      expect(answers.filter((isNew) => isNew)).toEqual([true])
    })

    test('a purge deletes expired assertions and no others', async () => {
      await use('alpha', 'over', NOW)
      await use('alpha', 'under way', NOW + 1)
      await storage.purge({ revocationsUntil: 1, assertionsUntil: NOW, auditBefore: null })
      expect(await use('alpha', 'over')).toBe(true)
      expect(await use('alpha', 'under way')).toBe(false)
    })
  })
}
