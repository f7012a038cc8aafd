// Somebody sends the browser token to the claim, where the account token belongs.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { claimRequest, createWorld, expectProblem, SITE, type World } from '../support/world.ts'

let service: MemoryService
let world: World
beforeAll(async () => {
  service = await startMemory()
  world = await createWorld(service)
})
afterAll(() => service.stop())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

test('the refusal says that it is a browser token, wherever it is sent', async () => {
  const claimed = await world.send(claimRequest({ token: world.token, origin: SITE }))
  const { token } = claimed.json()
  for (const request of [
    claimRequest({ token, origin: SITE }),
    claimRequest({ origin: SITE }, { headers: { authorization: `Bearer ${token}`, ...FORM }, body: '' }),
    claimRequest({}, { path: `/auth/claim?token=${token}`, headers: FORM, body: '' }),
    claimRequest({}, { path: '/api/auth/claim', headers: FORM, body: `token=${token}` }),
  ]) {
    const answer = await world.send(request)
    expectProblem(answer, 401, 'unauthorized', world)
    expect(answer.json().detail).toContain('this is a browser token')
    expect(answer.text).not.toContain(token.slice(0, 20))
  }
})

test.each(['', 'eyJ', 'eyJhbGciOiJFUzI1NiJ9.e30', 'cgk_a_b_c'])('not of another text: %s', async (token) => {
  const answer = await world.send(claimRequest({ token, origin: SITE }))
  expectProblem(answer, 401, 'unauthorized', world)
  expect(answer.json().detail).not.toContain('browser token')
})
