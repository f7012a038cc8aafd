// RFC 8707: a token requested for one of several audiences is only for that one.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OAuthService, startOAuth } from '../support/oauth-service.ts'
import { asMain, tokenForm } from '../support/oauth-wire.ts'
import { payloadOf } from '../support/world.ts'

const [ONE, TWO] = ['https://one.example', 'https://two.example']
let world: OAuthService
beforeAll(async () => {
  world = await startOAuth({ CLAIMGATE_AUDIENCE: `${ONE},${TWO}` })
})
afterAll(() => world?.stop())

test.each([
  [undefined, [ONE, TWO]],
  [ONE, ONE],
  [TWO, TWO],
  [
    [TWO, ONE],
    [TWO, ONE],
  ],
] as const)('resource %j: aud %j', async (resource, aud) => {
  const answer = await world.send(tokenForm({ resource }, asMain(world)))
  expect(answer.status, answer.text).toBe(200)
  expect(payloadOf(answer.json().access_token).aud).toEqual(aud)
})

test('the issuer is not an audience unless it is configured as one', async () => {
  const answer = await world.send(tokenForm({ resource: world.issuer }, asMain(world)))
  expect([answer.status, answer.json().error]).toEqual([400, 'invalid_target'])
})
