// Revocations: the stored rule, when the call is answered, and tokens issued in the same second as the call.

import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { RevocationRule } from '../../src/claims/records/revocation.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { listRules } from '../support/records.ts'
import type { Json } from '../support/wire.ts'
import { type AdminService, LIFETIME, NOW, startAdmin } from './service.ts'

/** The start of a second, by the service's clock. */
const SECOND = Date.UTC(2026, 0, 1, 12)
/** The longest lifetime of any token that was ever issued, with the clock allowance. */
const KEPT_MS = LIFETIME * 1000 + 300_000
const KEY_KEPT_MS = 3650 * 86_400_000

let service: AdminService
beforeEach(async () => {
  service = await startAdmin()
})

const revoke = async (body: object): Promise<Json> =>
  (await service.demand(201, 'POST', '/admin/revocations', body)).revocation

async function readRule(): Promise<RevocationRule> {
  const rules = await listRules(service.storage, 0)
  expect(rules).toHaveLength(1)
  return rules[0] as RevocationRule
}

const names = [
  ['jti', 'jti', '!#~"\\{}'],
  ['jti', 'jti', 'j'.repeat(256)],
  ['clientId', 'client_id', 'nobody'],
  ['clientId', 'client_id', '0'.repeat(64)],
  ['sub', 'sub', 'acct_nobody'],
  ['kid', 'kid', 'nobody-knows_it'],
  ['kid', 'kid', 'k'.repeat(128)],
] as const

test.each(names)('%s (%s) %s can be revoked whether or not it exists', async (name, kind, value) => {
  service.setNow(SECOND + 500)
  const revocation = await revoke({ [name]: value })
  const rule = await readRule()
  const iso = new Date(SECOND + 500).toISOString()
  expect(revocation).toEqual({
    id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
    [name]: value,
    issuedBefore: iso,
    createdAt: iso,
    expiresAt: new Date(rule.until).toISOString(),
  })
  expect(rule).toMatchObject({ kind, value })
  const detail = { revocation: revocation.id, kind, issuedBefore: iso }
  expect(await service.readAudit()).toEqual([
    { id: expect.any(String), at: iso, actor: 'admin', action: 'revocation.create', target: value, detail },
  ])
  expect(service.told).toEqual([...(kind === 'kid' ? ['change', `end ${value}`] : []), 'change'])
})

describe('the stored rule', () => {
  /** `at`, `before` and `until` are milliseconds after SECOND. */
  const rows: readonly (readonly [body: object, at: number, before: number, until: number])[] = [
    // Tokens issued in the second of the call are ended too.
    [{ sub: 'acct_a' }, 999, 1000, 1000 + KEPT_MS],
    [{ sub: 'acct_a' }, 960, 1000, 1000 + KEPT_MS],
    [{ clientId: 'a' }, 999, 1000, 1000 + KEPT_MS],
    [{ sub: 'acct_a' }, 1000, 2000, 2000 + KEPT_MS],
    // A given time ends tokens issued before it, rounded up to a whole second.
    [{ sub: 'acct_a', issuedBefore: SECOND / 1000 }, 0, 0, KEPT_MS],
    [{ sub: 'acct_a', issuedBefore: SECOND / 1000 }, 500, 0, 500 + KEPT_MS],
    [{ sub: 'acct_a', issuedBefore: SECOND / 1000 - 60 }, 500, -60_000, 500 + KEPT_MS],
    [{ sub: 'acct_a', issuedBefore: SECOND / 1000 - 60.001 }, 500, -60_000, 500 + KEPT_MS],
    [{ sub: 'acct_a', issuedBefore: SECOND / 1000 - 59.999 }, 500, -59_000, 500 + KEPT_MS],
    [{ sub: 'acct_a', issuedBefore: (SECOND + 970) / 1000 }, 970, 1000, 1000 + KEPT_MS],
    [{ clientId: 'a', issuedBefore: '2026-01-01T11:59:00Z' }, 500, -60_000, 500 + KEPT_MS],
    [{ clientId: 'a', issuedBefore: '2026-01-01T13:59:00.001+02:00' }, 500, -59_000, 500 + KEPT_MS],
    [{ clientId: 'a', issuedBefore: '2026-01-01T12:00:00.970Z' }, 970, 1000, 1000 + KEPT_MS],
    [{ clientId: 'a', issuedBefore: 0 }, 500, -SECOND, 500 + KEPT_MS],
    // A jti ends one token, whenever it was issued.
    [{ jti: 'a' }, 400, 1000 + KEPT_MS, 1000 + KEPT_MS],
    [{ jti: 'a', issuedBefore: 0 }, 400, 400 + KEPT_MS, 400 + KEPT_MS],
    // A thief of a key can write any time of issue. The key is ended as a whole, longer than any backup may hold it.
    [{ kid: 'a' }, 400, 1000 + KEY_KEPT_MS, 1000 + KEY_KEPT_MS],
    [{ kid: 'a', issuedBefore: 0 }, 400, 400 + KEY_KEPT_MS, 400 + KEY_KEPT_MS],
    [{ kid: 'a', issuedBefore: '2026-01-01T12:00:00Z' }, 400, 400 + KEY_KEPT_MS, 400 + KEY_KEPT_MS],
    [{ kid: 'a', issuedBefore: '2026-01-01T12:00:00.1Z' }, 400, 1000 + KEY_KEPT_MS, 1000 + KEY_KEPT_MS],
  ]
  test.each(rows)('%j at %i ms', async (body, at, before, until) => {
    // performance.now() stands still like the service's clock. Otherwise, on a busy machine, a millisecond could pass and
    // move the moment.
    vi.spyOn(performance, 'now').mockReturnValue(0)
    onTestFinished(() => void vi.restoreAllMocks())
    service.setNow(SECOND + at)
    const { expiresAt } = await revoke(body)
    expect(await readRule()).toMatchObject({ before: SECOND + before, until: SECOND + until })
    expect(expiresAt).toBe(new Date(SECOND + until).toISOString())
  })

  test.each([
    [1_767_000_000, '2025-12-29T09:20:00.000Z'],
    [1_767_000_000.5, '2025-12-29T09:20:00.500Z'],
    ['2025-12-29T10:20:00.25+01:00', '2025-12-29T09:20:00.250Z'],
  ])('issuedBefore %s is shown as %s', async (issuedBefore, told) => {
    for (const named of [{ sub: 'acct_a' }, { kid: 'a' }, { jti: 'a' }])
      expect((await revoke({ ...named, issuedBefore })).issuedBefore).toBe(told)
  })
})

test("a key's kid ends the key too: the pending one signs", async () => {
  const [current, pending] = await service.keyLife.list()
  expect([current?.state, pending?.state]).toEqual(['current', 'pending'])
  await revoke({ kid: current?.kid })
  const [promoted, next, ended] = await service.keyLife.list()
  expect([promoted?.kid, promoted?.state]).toEqual([pending?.kid, 'current'])
  expect(next?.state).toBe('pending')
  expect([ended?.kid, ended?.state]).toEqual([current?.kid, 'expired'])
})

test('the revocation of a kid is in force before the key store is changed, and is answered 201 even if that change fails', async () => {
  const stuck = await startAdmin(undefined, 0, async () => {
    throw new Error('the folder is read-only')
  })
  const kid = (await stuck.keyLife.list())[0]?.kid ?? ''
  const { revocation } = await stuck.demand(201, 'POST', '/admin/revocations', { kid })
  expect(revocation.kid).toBe(kid)
  expect(stuck.told).toEqual(['change', `end ${kid}`, 'change'])
  expect(await listRules(stuck.storage)).toMatchObject([{ kind: 'kid', value: kid }])
  expect((await stuck.keyLife.list())[0]).toMatchObject({ kid, state: 'current' })
  expect(await stuck.readAudit()).toMatchObject([{ action: 'revocation.create', target: kid }])
})

describe('when other processes share the database', () => {
  const SETTLE = 300
  beforeEach(async () => {
    service = await startAdmin(undefined, SETTLE)
  })

  test.each([
    ['sub', 'acct_a', SETTLE],
    ['clientId', 'a', SETTLE],
    ['jti', 'a', 0],
    ['kid', 'a', SETTLE],
  ] as const)('%s %s is stored and applied first, then answered after %i ms', async (name, value, wait) => {
    service.setNow(SECOND + 500)
    const startedAt = performance.now()
    const answer = revoke({ [name]: value })
    await expect.poll(() => service.told.at(-1), { interval: 5 }).toBe('change')
    const toldAfter = performance.now() - startedAt
    await readRule()
    await answer
    const elapsed = performance.now() - startedAt
    expect(elapsed).toBeGreaterThanOrEqual(wait - 2)
    // Generous, because other tests run at the same time.
    expect(elapsed).toBeLessThan(wait + 900)
    if (wait > 0) expect(toldAfter).toBeLessThan(wait)
  })

  test('a revocation with a time in the past is answered without waiting', async () => {
    service.setNow(SECOND)
    const startedAt = performance.now()
    await revoke({ sub: 'acct_a', issuedBefore: SECOND / 1000 })
    expect(performance.now() - startedAt).toBeLessThan(900)
  })

  test('with the real clock, tokens issued before the answer are ended in every part of a second', async () => {
    service.startClock()
    const calls = Array.from({ length: 25 }, async (_unused, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 47))
      const clientId = `client${index}`
      await revoke({ clientId })
      return { clientId, answeredAt: Date.now() }
    })
    const done = await Promise.all(calls)
    const rules = await listRules(service.storage, 0)
    for (const { clientId, answeredAt } of done) {
      const before = rules.find(({ value }) => value === clientId)?.before as number
      expect(answeredAt).toBeLessThanOrEqual(before)
      // New tokens of the subject are held back until then.
      expect(before - answeredAt).toBeLessThan(2000)
      expect(before % 1000).toBe(0)
    }
  })

  test('a slow commit and a slow re-read move the moment beyond the answer', async () => {
    const inner = createMemoryStorage()
    service = await startAdmin(
      {
        ...inner,
        async addRevocation(...asked) {
          await new Promise((resolve) => setTimeout(resolve, 1800))
          return inner.addRevocation(...asked)
        },
      },
      SETTLE,
    )
    service.startClock()
    service.tellSlowly(1500)
    const { id } = await revoke({ sub: 'acct_a' })
    const answeredAt = Date.now()
    const [rule] = await inner.listRuleChanges({ seq: -1, id: '' }, 10)
    expect(rule).toMatchObject({ id })
    expect(answeredAt).toBeLessThanOrEqual(rule?.before ?? 0)
    expect(rule?.until).toBeGreaterThanOrEqual((rule?.before ?? 0) + KEPT_MS)
  })
})

test('the same request again stores another revocation', async () => {
  service.setNow(NOW)
  const ids = [(await revoke({ jti: 'a' })).id, (await revoke({ jti: 'a' })).id]
  expect(new Set(ids).size).toBe(2)
  expect(await service.readAudit()).toHaveLength(2)
})
