// Forward auth for one of several APIs, which the option `audience` selects.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { claimToken, createWorld, expectProblem, payloadOf, SITE, type World } from '../support/world.ts'

const ORDERS = 'https://orders.example.net'
const STOCK = 'https://stock.example.net'
let service: MemoryService
let world: World
let peer = '10.0.0.1'

beforeAll(async () => {
  const env = { CLAIMGATE_AUDIENCE: `${ORDERS},${STOCK}`, CLAIMGATE_TRUSTED_PROXIES: '10.0.0.0/8' }
  service = await startMemory(env, { peerOf: () => peer })
  world = await createWorld(service)
})
afterAll(() => service?.stop())

async function ask(query: string, aud: unknown) {
  const now = Math.floor(Date.now() / 1000)
  const claims = { ...payloadOf(await claimToken(world)), aud, iat: now, exp: now + 60 }
  const token = await service.deps.keyRing.sign(JSON.stringify(claims))
  const headers = { origin: SITE, authorization: `Bearer ${token}` }
  // The first request puts the token into the verifier's cache, so the second is decided with a cached token.
  await world.send({ method: 'GET', path: '/auth/verify', headers })
  return world.send({ method: 'GET', path: `/auth/verify${query}`, headers })
}

const both = [ORDERS, STOCK]
test.each([
  ['', ORDERS, 200],
  ['', both, 200],
  [`?audience=${ORDERS}`, ORDERS, 200],
  [`?audience=${ORDERS}`, [ORDERS], 200],
  [`?audience=${ORDERS}`, both, 200],
  [`?audience=${STOCK}`, both, 200],
  [`?audience=${STOCK}`, ORDERS, 'invalid_token'],
  [`?audience=${ORDERS}`, [STOCK, 'https://elsewhere.example'], 'invalid_token'],
  [`?audience=${STOCK}&mode=report`, ORDERS, 'invalid_token'],
  [`?audience=${ORDERS}&scope=admin`, STOCK, 'invalid_token'],
  ['?audience=https://elsewhere.example', [ORDERS, 'https://elsewhere.example'], 'invalid_request'],
  [`?audience=${ORDERS},${STOCK}`, both, 'invalid_request'],
  [`?audience=${ORDERS}&audience=${STOCK}`, both, 'invalid_request'],
  [`?audience=${ORDERS}/`, ORDERS, 'invalid_request'],
])('query "%s", token for %j: %s', async (query, aud, expected) => {
  for (const from of ['10.0.0.1', '192.0.2.9']) {
    peer = from
    const answer = await ask(query, aud)
    if (expected === 200) expect([answer.status, answer.text]).toEqual([200, ''])
    // Only a trusted peer may set `mode`. Both peers get 401, because report mode also refuses a token of another audience.
    else expectProblem(answer, 401, String(expected), world)
  }
})

test('a refusal does not name an audience', async () => {
  peer = '10.0.0.1'
  const answer = await ask(`?audience=${STOCK}`, ORDERS)
  expect(answer.text).not.toMatch(/orders|stock/)
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
})
