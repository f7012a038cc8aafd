// Concurrent revocations of one token, on a store as slow as a remote one.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { getToken, post, readAudit, startOAuth } from '../support/oauth-service.ts'
import { listRules } from '../support/records.ts'
import { payloadOf } from '../support/world.ts'

test('50 concurrent revocations of a token make one audit entry, and each is answered once it is in force', async () => {
  const inner = createMemoryStorage()
  let added = 0
  const storage = createCachedStorage({
    ...inner,
    async addCustomerRevocation(...asked) {
      added += 1
      await sleep(50)
      return inner.addCustomerRevocation(...asked)
    },
  })
  const world = await startOAuth({ CLAIMGATE_RATE_LIMIT: 'off' }, { storage })
  const token = await getToken(world)
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const { status } = await post(world, '/oauth/revoke', { token })
      const seen = await post(world, '/oauth/introspect', { token })
      return [status, seen.json().active]
    }),
  )
  expect(statuses).toEqual(Array.from({ length: 50 }, () => [200, false]))
  expect(added).toBeGreaterThan(1)
  const { jti } = payloadOf(token)
  const entries = (await readAudit(world)).filter(({ target }) => target === jti)
  expect(entries.map(({ action, actor }) => [action, actor])).toEqual([['revocation.create', world.clientId]])
  expect(await listRules(inner, Date.now())).toMatchObject([{ kind: 'jti', value: jti }])
  await world.stop()
})

test.each([
  ['account_full', 429],
  ['all_full', 503],
] as const)('%s is %i with Retry-After; only all_full is logged, once a minute', async (outcome, status) => {
  let time = Date.now()
  const inner = createMemoryStorage()
  const storage = createCachedStorage({
    ...inner,
    addCustomerRevocation: async () =>
      outcome === 'all_full' ? { outcome } : { outcome, until: time + 90_000 },
  })
  const world = await startOAuth({ CLAIMGATE_RATE_LIMIT: 'off' }, { storage, now: () => time })
  const token = await getToken(world)
  const errors = () => world.lines.filter((line) => line.includes('list of revocations is full')).length
  for (let asked = 0; asked < 5; asked += 1) {
    const answer = await post(world, '/oauth/revoke', { token })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  }
  expect(errors()).toBe(outcome === 'all_full' ? 1 : 0)
  time += 60_000
  await post(world, '/oauth/revoke', { token })
  expect(errors()).toBe(outcome === 'all_full' ? 2 : 0)
  await world.stop()
})
