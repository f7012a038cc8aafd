// The size of a token: with issuer and origin of 40 characters and one IPv4 address it stays under 600 characters.

import { expect, test } from 'vitest'
import { startMemory } from '../support/memory.ts'
import { claimRequest, createAccount, payloadOf } from '../support/world.ts'

const ISSUER = 'https://claim.an-api-provider.example.eu'
const ORIGIN = 'https://www.a-customer-of-it.example.com'
const IP = '203.113.250.251'

test('an ES256 token with the longest values stays under 600 characters', async () => {
  expect([ISSUER.length, ORIGIN.length, IP.length]).toEqual([40, 40, 15])
  const service = await startMemory({ CLAIMGATE_ISSUER: ISSUER, CLAIMGATE_ALG: 'ES256' })
  const { credential } = await createAccount(service, {
    name: 'Long',
    allowedOrigins: [ORIGIN],
    scopes: ['read', 'write'],
  })
  const request = claimRequest({ token: credential.token, origin: ORIGIN, ip: IP, scope: 'read' })
  const answer = await service.send(request)
  expect(answer.status, answer.text).toBe(200)
  const { token } = answer.json()
  expect(payloadOf(token)).toMatchObject({ iss: ISSUER, aud: ISSUER, origin: ORIGIN, ip: IP, scope: 'read' })
  expect(token.length).toBeLessThan(600)
  await service.stop()
})
