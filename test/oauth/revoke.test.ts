// Revocations of one token that come at the same time, on a store that takes its time as a remote one does.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { payloadOf } from '../runtime/world.ts'
import { listRules } from '../storage/records.ts'
import { getToken, post, readAudit, startOAuth } from './harness.ts'

test('of 50 at once one is put on record, and each is answered once it is in force', async () => {
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
      const told = await post(world, '/oauth/introspect', { token })
      return [status, told.json().active]
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
