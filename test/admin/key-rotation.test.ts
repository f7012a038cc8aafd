// Signing keys in the admin API: what is shown of them, and manual rotation.

import { beforeEach, expect, test } from 'vitest'
import { PUBLISH_MS } from './keys.ts'
import { type AdminService, LIFETIME, NOW, startAdmin } from './service.ts'

let service: AdminService
beforeEach(async () => {
  service = await startAdmin()
})

const iso = (time: number) => new Date(time).toISOString()
const key = (
  kid: unknown,
  state: string,
  createdAt: number,
  since: number | null,
  expiresAt: number | null,
) => ({
  kid,
  alg: 'ES256',
  state,
  createdAt: iso(createdAt),
  currentSince: since === null ? null : iso(since),
  expiresAt: expiresAt === null ? null : iso(expiresAt),
})
const readKids = async () => (await service.keyLife.list()).map(({ kid }) => kid)

test('lists every key with its state and times, without key material', async () => {
  const [current, pending] = await readKids()
  expect(await service.demand(200, 'GET', '/admin/keys')).toEqual({
    keys: [key(current, 'current', NOW, NOW, null), key(pending, 'pending', NOW, null, null)],
  })
  expect(service.told).toEqual([])
})

test.each<readonly [body: object | string | undefined, at: number, isForced: boolean]>([
  [undefined, NOW + PUBLISH_MS, false],
  ['', NOW + PUBLISH_MS, false],
  [{}, NOW + PUBLISH_MS, false],
  [{ force: false }, NOW + PUBLISH_MS, false],
  [{ force: true }, NOW + PUBLISH_MS, true],
  [{ force: true }, NOW + 1, true],
])('rotates with %j', async (body, at, forced) => {
  const [current, pending] = await readKids()
  service.setNow(at)
  const { keys } = await service.demand(200, 'POST', '/admin/keys/rotate', body)
  const [, next] = await readKids()
  expect(keys).toEqual([
    key(pending, 'current', NOW, at, null),
    key(next, 'pending', at, null, null),
    key(current, 'retiring', NOW, NOW, at + LIFETIME * 1000 + 300_000),
  ])
  expect((await service.demand(200, 'GET', '/admin/keys')).keys).toEqual(keys)
  expect(await service.readAudit()).toEqual([
    {
      id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
      at: iso(at),
      actor: 'admin',
      action: 'key.rotate',
      target: pending,
      detail: { forced },
    },
  ])
  expect(service.told).toEqual(['change'])
})

test('the refusal of a pending key that is too young says how to force the rotation', async () => {
  service.setNow(NOW + PUBLISH_MS - 1)
  expect((await service.demand(409, 'POST', '/admin/keys/rotate')).detail).toContain('"force": true')
})

test('at most 50 keys are published, even when rotations are forced', async () => {
  for (let rotations = 0; rotations < 48; rotations += 1) {
    service.setNow(NOW + rotations)
    await service.demand(200, 'POST', '/admin/keys/rotate', { force: true })
  }
  const before = await service.keyLife.list()
  expect(before).toHaveLength(50)
  service.setNow(NOW + LIFETIME * 1000)
  for (const body of [{ force: true }, {}]) {
    const refusal = await service.demand(409, 'POST', '/admin/keys/rotate', body)
    expect([refusal.error, refusal.detail]).toEqual(['conflict', expect.stringContaining('has expired')])
  }
  expect(await service.keyLife.list()).toEqual(before)
  expect(await service.readAudit()).toHaveLength(48)
  // A leaked key can still be ended.
  await service.demand(201, 'POST', '/admin/revocations', { kid: before[0]?.kid })
  const states = (await service.keyLife.list()).map(({ state }) => state)
  expect(states.filter((state) => state !== 'expired')).toHaveLength(50)
  expect(states.filter((state) => state === 'current' || state === 'pending')).toHaveLength(2)
  service.setNow(NOW + LIFETIME * 1000 + 300_000)
  await service.keyLife.end(before.at(-1)?.kid ?? '', NOW)
  await service.demand(200, 'POST', '/admin/keys/rotate', { force: true })
})

test('of 50 concurrent rotations those that lost answer 409 and leave no audit entry', async () => {
  const asked = Array.from({ length: 50 }, () => service.ask('POST', '/admin/keys/rotate', { force: true }))
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  const done = statuses.filter((status) => status === 200).length
  expect(done).toBeGreaterThan(0)
  expect(statuses.filter((status) => status === 409)).toHaveLength(50 - done)
  expect(await service.readAudit()).toHaveLength(done)
  const states = (await service.keyLife.list()).map(({ state }) => state)
  expect(states.filter((state) => state !== 'retiring').sort()).toEqual(['current', 'pending'])
})
