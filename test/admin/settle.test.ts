// When the answer to a change may come, and the moment before which a revocation ends tokens.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isNarrowed } from '../../src/admin/change-account.ts'
import { settleRevocation, settlingMoment } from '../../src/admin/settle.ts'
import type { Account } from '../../src/claims/account.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { listRules, makeAccount, makeAudit, makeRevocation } from '../support/records.ts'

test.each([
  [10_000, 0, 11_000],
  [10_999, 0, 11_000],
  [10_000, 1100, 12_000],
  [10_599, 1100, 12_000],
  [10_600, 1100, 13_000],
])('the moment of a revocation made at %i with %i ms to settle is %i', (now, settleMs, moment) => {
  expect(settlingMoment(now, settleMs)).toBe(moment)
})

test.each([
  ['a quick commit', 0, false],
  ['a slow commit', 5000, true],
])('%s: the moment lies after the answer', async (_, commitMs, isMoved) => {
  const storage = createMemoryStorage()
  const now = 1_700_000_000_400
  const before = settlingMoment(now, 50)
  const revocation = makeRevocation({ before, until: before + 600_000 })
  await storage.addRevocation(revocation, makeAudit())
  let told = 0
  const ports = { storage, settleMs: 50, onChange: async () => void told++ }
  // The commit began so long ago.
  const startedAt = performance.now() - commitMs
  await settleRevocation(ports, revocation, now, startedAt)
  const answeredAt = now + performance.now() - startedAt
  const [rule] = await listRules(storage, 0)
  expect(told).toBe(1)
  expect(rule!.before).toBeGreaterThanOrEqual(answeredAt)
  expect(rule!.before % 1000).toBe(0)
  expect(rule!.before > before).toBe(isMoved)
  expect(rule!.until - rule!.before).toBe(600_000)
})

test('a revocation whose moment is always over before it is known everywhere is not answered as done', async () => {
  const storage = createMemoryStorage()
  const now = 1_700_000_000_400
  const revocation = makeRevocation({ before: settlingMoment(now, 1), until: now + 600_000 })
  await storage.addRevocation(revocation, makeAudit())
  let told = 0
  // Each reading takes longer than the wait and the time that a commit is given.
  const onChange = async () => {
    told += 1
    await sleep(1400)
  }
  const settling = settleRevocation({ storage, settleMs: 1, onChange }, revocation, now, performance.now())
  await expect(settling).rejects.toThrow(StorageError)
  expect(told).toBe(4)
})

const account = makeAccount({
  maxTtl: 600,
  browserPrototype: true,
  allowedOrigins: ['a', 'b'],
  scopes: ['x', 'y'],
})
const changes: readonly (readonly [string, Partial<Account>, boolean])[] = [
  ['nothing', {}, false],
  ['another name', { name: 'Other' }, false],
  ['another order', { allowedOrigins: ['b', 'a'], scopes: ['y', 'x'] }, false],
  ['one origin more', { allowedOrigins: ['a', 'b', 'c'] }, false],
  ['one origin less', { allowedOrigins: ['a'] }, true],
  ['one origin for another', { allowedOrigins: ['a', 'c'] }, true],
  ['one scope more', { scopes: ['x', 'y', 'z'] }, false],
  ['no scope', { scopes: [] }, true],
  ['a shorter life', { maxTtl: 599 }, true],
  ['a longer life', { maxTtl: 601 }, false],
  ['no limit of its life', { maxTtl: null }, false],
  ['suspended', { status: 'suspended' }, true],
  ['no more for pages', { browserPrototype: false }, true],
  ['an origin required', { requireOrigin: true }, true],
]
test.each(changes)('%s', (_, change, isLess) => {
  expect(isNarrowed(account, { ...account, ...change })).toBe(isLess)
})

test('a first limit of its life narrows; what is given back does not', () => {
  expect(isNarrowed({ ...account, maxTtl: null }, account)).toBe(true)
  const asleep = { ...account, status: 'suspended' as const, requireOrigin: true, browserPrototype: false }
  expect(isNarrowed(asleep, account)).toBe(false)
})
