// A token that was verified before is decided without waiting: both middlewares call the handler before they return.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import type { JWK } from 'jose'
import { expect, test } from 'vitest'
import { type ClaimVariables, claimAuth as honoAuth } from '../../src/verify/middleware/hono.ts'
import { claimAuth as nodeAuth } from '../../src/verify/middleware/node.ts'
import { ask } from './ask.ts'
import { AUDIENCE, ISSUER, SITE } from './cases.ts'
import { createIssuer } from './mint.ts'

const issuer = await createIssuer('jwks')
const headers = { origin: SITE, authorization: `Bearer ${await issuer.mint()}` }
const keys = issuer.keys as { readonly jwks: { readonly keys: readonly JWK[] } }
const options = { issuer: ISSUER, audience: AUDIENCE, ...keys, allowedOrigins: [SITE] }
const callbacks = {
  'no callbacks': {},
  'callbacks that answer synchronously': {
    allowedOrigins: () => true,
    authorize: () => true,
    revocation: () => false,
    onDecision: () => undefined,
  },
}

test.each(Object.entries(callbacks))('Hono calls the handler synchronously: %s', async (_, more) => {
  const auth = honoAuth({ ...options, ...more, clientIp: () => '127.0.0.1' })
  const wasCalled: boolean[] = []
  const app = new Hono<{ Variables: ClaimVariables }>()
  app.use('/', async (context, next) => {
    let isCalled = false
    const answer = auth(context, async () => {
      isCalled = true
      await next()
    })
    wasCalled.push(isCalled)
    return answer
  })
  app.get('/', (context) => context.text('ok'))
  for (let count = 0; count < 3; count += 1) {
    expect((await app.request('/', { headers })).status).toBe(200)
  }
  expect(wasCalled.slice(1)).toEqual([true, true])
})

test.each(Object.entries(callbacks))('Node calls next synchronously: %s', async (_, more) => {
  const auth = nodeAuth({ ...options, ...more })
  const wasCalled: boolean[] = []
  const server = createServer((request, response) => {
    let isCalled = false
    auth(request, response, () => {
      isCalled = true
      response.end('ok')
    })
    wasCalled.push(isCalled)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  try {
    for (let count = 0; count < 3; count += 1) expect((await ask(url, headers)).text).toBe('ok')
  } finally {
    server.close()
  }
  expect(wasCalled.slice(1)).toEqual([true, true])
})
