// An account that requires an origin: no endpoint issues a token without one.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { basicOf, tokenForm } from '../support/oauth-wire.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { claimRequest, createAccount, payloadOf } from '../support/world.ts'

const SITE = 'https://orchard.example'

let service: MemoryService
let account: Json
let credential: Json
beforeEach(async () => {
  service = await startMemory()
  const body = { name: 'Orchard', allowedOrigins: [SITE], browserPrototype: true, requireOrigin: true }
  ;({ account, credential } = await createAccount(service, body))
})
afterEach(() => service.stop())

const basic = () => ({ authorization: basicOf(credential.clientId, credential.clientSecret) })
const multiset = (headers: Readonly<Record<string, string>> = {}) =>
  service.send({ method: 'POST', path: '/m2m/token', headers: { ...basic(), ...headers } })
const aifabrix = () =>
  service.send({
    method: 'POST',
    path: '/api/v1/auth/token',
    headers: { 'x-client-id': credential.clientId, 'x-client-secret': credential.clientSecret },
  })

/** Requests without an origin to the endpoints that issue tokens, and the status of each refusal. */
const unbound: readonly (readonly [name: string, send: () => Promise<WireAnswer>, status: number])[] = [
  ['claim', () => service.send(claimRequest({ token: credential.token })), 422],
  ['oauth', () => service.send(tokenForm({}, basic())), 400],
  ['multiset', () => multiset(), 400],
  ['aifabrix', () => aifabrix(), 422],
]

test.each(unbound)('%s without an origin: refused with the reason', async (name, send, status) => {
  const answer = await send()
  const body = answer.json()
  expect([answer.status, name === 'multiset' ? body.code : body.error]).toEqual([status, 'invalid_request'])
  expect(answer.text).toContain('origin')
})

test.each<[string, () => Promise<WireAnswer>]>([
  ['claim', () => service.send(claimRequest({ token: credential.token, origin: SITE }))],
  ['oauth', () => service.send(tokenForm({ origin: SITE }, basic()))],
  ['multiset from a page', () => multiset({ origin: SITE })],
])('%s with an origin: issues a token that is bound to it', async (_, send) => {
  const body = (await send()).json()
  expect(payloadOf(body.token ?? body.access_token).origin).toBe(SITE)
})

test('a change of the account applies to the next request', async () => {
  const change = async (requireOrigin: boolean) => {
    const answer = await service.send({
      method: 'PATCH',
      path: `/admin/accounts/${account.id}`,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ requireOrigin }),
    })
    expect([answer.status, answer.json().account.requireOrigin]).toEqual([200, requireOrigin])
  }
  await change(false)
  expect((await aifabrix()).status).toBe(200)
  await change(true)
  expect((await aifabrix()).status).toBe(422)
})
