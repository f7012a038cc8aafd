// When a change may be answered, and the moment before which a revocation ends tokens.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isNarrowed } from '../../src/admin/change-account.ts'
import { settleRevocation, settlingMoment } from '../../src/admin/settle.ts'
import type { Account } from '../../src/claims/records/account.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { listRules, makeAccount, makeAudit, makeRevocation } from '../support/records.ts'

test.each([
  [10_000, 0, 11_000],
  [10_999, 0, 11_000],
  [10_000, 1100, 12_000],
  [10_599, 1100, 12_000],
  [10_600, 1100, 13_000],
])('a revocation created at %i with %i ms to settle has the moment %i', (now, settleMs, moment) => {
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
  // The commit has taken this long when the settling begins.
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

test('a revocation is not answered with success when its moment passes before every process knows it, four times in a row', async () => {
  const storage = createMemoryStorage()
  const now = 1_700_000_000_400
  const revocation = makeRevocation({ before: settlingMoment(now, 1), until: now + 600_000 })
  await storage.addRevocation(revocation, makeAudit())
  let told = 0
  // Each re-read takes longer than the wait plus the time allowed for a commit.
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
  ['one origin replaced', { allowedOrigins: ['a', 'c'] }, true],
  ['one scope more', { scopes: ['x', 'y', 'z'] }, false],
  ['no scope', { scopes: [] }, true],
  ['a lower maxTtl', { maxTtl: 599 }, true],
  ['a higher maxTtl', { maxTtl: 601 }, false],
  ['no maxTtl', { maxTtl: null }, false],
  ['suspended', { status: 'suspended' }, true],
  ['no use from pages', { browserPrototype: false }, true],
  ['an origin required', { requireOrigin: true }, true],
]
test.each(changes)('%s (%j) narrows the account: %j', (_, change, isLess) => {
  expect(isNarrowed(account, { ...account, ...change })).toBe(isLess)
})

test('a first maxTtl narrows an account; resuming it and removing restrictions do not', () => {
  expect(isNarrowed({ ...account, maxTtl: null }, account)).toBe(true)
  const suspended = { ...account, status: 'suspended' as const, requireOrigin: true, browserPrototype: false }
  expect(isNarrowed(suspended, account)).toBe(false)
})
