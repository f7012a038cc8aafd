// While the server starts, a request is answered or its connection is refused. Revocations from before a restart stay in
// force even if the database fails right after the restart.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { findFreePort } from '../support/ports.ts'
import { useServers } from '../support/server.ts'
import { payloadOf, SITE } from '../support/world.ts'

const { makeFolder, start } = useServers()

test('every request during the start is answered, or its connection is refused', async () => {
  const dir = makeFolder()
  const port = await findFreePort()
  const short = { CLAIMGATE_TOKEN_TTL: '40', CLAIMGATE_MAX_TTL: '40' }
  const env = { ...short, PORT: String(port), CLAIMGATE_KEY_ROTATION: '1', CLAIMGATE_KEY_PUBLISH: '0' }
  const first = await start({ dir, env })
  first.kill()
  await first.exited
  await sleep(1100)
  let isOver = false
  const outcomes: Promise<string>[] = []
  const asking = (async () => {
    while (!isOver) {
      outcomes.push(
        fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(5000) }).then(
          (answer) => String(answer.status),
          (error: Error) => (error.name === 'TimeoutError' ? 'no answer' : 'refused'),
        ),
      )
      await sleep(2)
    }
  })()
  await start({ dir, env })
  await sleep(200)
  isOver = true
  await asking
  const seen = new Set(await Promise.all(outcomes))
  expect([...seen].sort()).toEqual(['200', 'refused'])
})

test('a token revoked before a restart is refused, even if the database fails before the first verification', async () => {
  const dir = makeFolder()
  const env = { CLAIMGATE_ISSUER: 'http://127.0.0.1:8787' }
  const first = await start({ dir, env })
  const made = await admin(first.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE] },
    status: 201,
  })
  const { token } = await claim(first.url, made.credential.token, SITE)
  const other = await claim(first.url, made.credential.token, SITE)
  await admin(first.url, 'POST', '/revocations', { body: { jti: payloadOf(token).jti }, status: 201 })
  first.kill()
  await first.exited
  const second = await start({ dir, env })
  const database = new DatabaseSync(join(dir, 'claimgate.db'))
  database.exec('ALTER TABLE credentials RENAME TO gone; ALTER TABLE revocations RENAME TO gone_too')
  database.close()
  await sleep(1500)
  expect(await whoami(second.url, token, SITE)).toBe('401 token_revoked')
  expect(await whoami(second.url, other.token, SITE)).toBe('200')
})
