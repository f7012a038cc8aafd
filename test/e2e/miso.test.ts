// AI Fabrix' miso-client against the real server. The test makes its requests and reads the answer as miso-client does: the
// token request has two headers, a JSON media type and no body, and the token is sent in `x-client-token`. Its log calls
// get a 404.

import { expect, test } from 'vitest'
import { admin } from '../support/admin-api.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { SITE } from '../support/world.ts'

const { start } = useServers()

test('miso-client gets an answer that it can parse, and the token works', async () => {
  const { url } = await start()
  const { credential, account } = await admin(url, 'POST', '/accounts', {
    body: { name: 'Fabrix', allowedOrigins: [SITE], scopes: ['read'] },
    status: 201,
  })
  const asked = Date.now()
  const response = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-client-id': credential.clientId,
      'x-client-secret': credential.clientSecret,
    },
  })
  const data = (await response.json()) as Json
  const token: string = data.data?.token ?? data.token
  const expiresIn: number = data.data?.expiresIn ?? data.expiresIn
  expect([response.status, data.success, data.token, expiresIn]).toEqual([200, true, token, 1800])
  expect(Math.abs(Date.parse(data.data.expiresAt) - asked - 1_800_000)).toBeLessThan(3000)

  const seen = await fetch(`${url}/auth/whoami`, { headers: { 'x-client-token': token } })
  expect([seen.status, await seen.json()]).toMatchObject([
    200,
    { sub: account.id, clientId: credential.clientId, scope: 'read', origin: null },
  ])
  const logged = await fetch(`${url}/api/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-client-token': token },
    body: JSON.stringify({ type: 'audit', message: 'x'.repeat(100_000) }),
  })
  expect([logged.status, ((await logged.json()) as Json).error]).toEqual([404, 'not_found'])
})
