// Without a configured admin token, /admin and /console answer exactly like any other unknown path.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { WireAnswer, WireRequest } from '../support/wire.ts'

let service: MemoryService
beforeAll(async () => {
  // An empty variable counts as not set.
  service = await startMemory({ CLAIMGATE_ADMIN_TOKEN: '' })
})
afterAll(() => service?.stop())

/** Status, headers and body, without the request id. */
async function ask(request: WireRequest): Promise<readonly unknown[]> {
  const answer: WireAnswer = await service.send(request)
  const id = answer.headers.get('x-request-id') ?? ''
  expect(id).not.toBe('')
  answer.headers.delete('x-request-id')
  return [answer.status, [...answer.headers], answer.text.replace(id, '')]
}

const requests: readonly (readonly [name: string, request: Omit<WireRequest, 'path'>])[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(
    (method) => [method, { method }] as const,
  ),
  ['GET with a token', { method: 'GET', headers: { authorization: `Bearer ${ADMIN_TOKEN}` } }],
  ['GET with an empty token', { method: 'GET', headers: { authorization: 'Bearer ' } }],
  ['GET from a page', { method: 'GET', headers: { origin: 'https://www.example.com' } }],
  [
    'a preflight',
    {
      method: 'OPTIONS',
      headers: { origin: 'https://www.example.com', 'access-control-request-method': 'POST' },
    },
  ],
  [
    'POST of an account',
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
      body: '{"name":"A","allowedOrigins":["*"]}',
    },
  ],
  ['POST of another type', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }],
  [
    'POST of a large body',
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: 'x'.repeat(70_000) },
  ],
]

describe.each(requests)('%s', (_, request) => {
  test.each([
    '/admin',
    '/admin/',
    '/admin/accounts',
    '/admin/accounts?limit=0',
    '/admin/accounts/acct_nobody',
    '/admin/audit',
    '/admin/keys',
    '/admin/stats',
    '/admin/nowhere',
    '/console',
    '/console/accounts',
  ])('%s answers like an unknown path', async (path) => {
    const unknown = await ask({ ...request, path: '/nowhere' })
    expect(unknown[0]).toBe(404)
    expect(await ask({ ...request, path })).toEqual(unknown)
  })
})

test('metrics for administrators are not found either', async () => {
  const metrics = await startMemory({ CLAIMGATE_ADMIN_TOKEN: '', CLAIMGATE_METRICS: 'admin' })
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  expect((await metrics.send({ method: 'GET', path: '/metrics', headers })).status).toBe(404)
  await metrics.stop()
})
