// A browser token where an account token belongs, and the reverse.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMemory } from '../support/memory.ts'
import type { WireRequest } from '../support/wire.ts'
import { claimRequest, claimToken, createWorld, expectProblem, SITE, type World } from '../support/world.ts'

let world: World
let token: string
beforeAll(async () => {
  world = await createWorld(await startMemory())
  token = await claimToken(world)
})
afterAll(() => world.stop())

const SAID = /browser token.*account token.*cgk_/

const asks: readonly (readonly [string, (token: string) => WireRequest])[] = [
  ['JSON', (sent) => claimRequest({ token: sent, origin: SITE })],
  ['Authorization', (sent) => bearer(sent, { origin: SITE })],
  [
    'a form',
    (sent) => ({
      method: 'POST',
      path: '/auth/claim',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token: sent, origin: SITE }).toString(),
    }),
  ],
  [
    'Authorization, with an empty form',
    (sent) => ({
      method: 'POST',
      path: '/auth/claim',
      headers: {
        authorization: `Bearer ${sent}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: '',
    }),
  ],
  [
    'a form at the second path',
    (sent) => ({
      method: 'POST',
      path: '/api/auth/claim',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `token=${sent}`,
    }),
  ],
  ['the query string', (sent) => ({ method: 'POST', path: `/api/auth/claim?token=${sent}&origin=${SITE}` })],
  ['a body with other faults', (sent) => claimRequest({ token: sent, origin: '*', colour: 'blue' })],
]

function bearer(sent: string, body: object): WireRequest {
  const headers = { authorization: `Bearer ${sent}`, 'content-type': 'application/json' }
  return claimRequest(body, { headers })
}

test.each(asks)('a browser token in %s gets 401, which says what it is', async (_, ask) => {
  const answer = await world.send(ask(token))
  expect(expectProblem(answer, 401, 'unauthorized', world).detail).toMatch(SAID)
  expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  expect(answer.text).not.toContain(token.slice(-20))
  expect(answer.text).not.toContain(token.slice(0, 20))
})

test('the shape decides: a token of another issuer, or a forged one, gets the same answer', async () => {
  for (const sent of [`${token.slice(0, -4)}AAAA`, 'eyJhbGciOiJub25lIn0.e30.AA', 'a.b.c']) {
    const answer = await world.send(claimRequest({ token: sent, origin: SITE }))
    expect(expectProblem(answer, 401, 'unauthorized', world).detail).toMatch(SAID)
  }
})

test.each([
  '',
  'a',
  'a.b',
  'a..c',
  'a.b.c.d',
  'a.b.c ',
  'cgk_a_b_c',
  'ä.b.c',
  'eyJ',
  'eyJhbGciOiJFUzI1NiJ9.e30',
])('%j is not taken for a browser token', async (sent) => {
  const answer = await world.send(claimRequest({ token: sent, origin: SITE }))
  expect(expectProblem(answer, 401, 'unauthorized', world).detail).not.toContain('browser token')
})

test.each(['Bearer', 'DPoP'])('an account token as %s is told at whoami', async (scheme) => {
  for (const sent of [world.token, world.wrong, world.token.slice(0, -5)]) {
    const headers = { authorization: `${scheme} ${sent}`, origin: SITE }
    const answer = await world.send({ method: 'GET', path: '/auth/whoami', headers })
    expect(expectProblem(answer, 401, 'invalid_token', world).detail).toMatch(
      /account token.*stay on a server.*browser token/,
    )
  }
})
