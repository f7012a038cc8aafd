// A page that sends a secret as JSON or in a header makes its browser ask first (a preflight). The browser gets no
// permission, so the request with the secret never arrives, and the preflight is all that the operator can see.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import { createAccount, SITE } from '../support/world.ts'
import { readAudit, readCount } from './records-of-pages.ts'

let service: MemoryService
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1) })
  service = await startMemory()
})
afterEach(async () => {
  vi.useRealTimers()
  await service.stop()
})

const endpoints = [
  ['claim', '/auth/claim'],
  ['claim', '/api/auth/claim'],
  ['multiset', '/v1/m2m/token'],
  ['aifabrix', '/api/v1/auth/token'],
  ['oauth', '/oauth/token'],
] as const

const preflight = (path: string, origin = SITE, method = 'OPTIONS') =>
  service.send({
    method,
    path,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  })

const linesAbout = (text: string) =>
  service.lines.filter((line) => line.includes(text)).map((line) => JSON.parse(line))
const MESSAGE = 'a page tried to use a secret'

test('all endpoints are counted from the start, with 0', async () => {
  const { text } = await service.send({ method: 'GET', path: '/metrics' })
  for (const [endpoint] of endpoints) {
    expect(text).toContain(`claimgate_secret_in_browser_total{door="${endpoint}"} 0`)
    expect(text).toContain(`claimgate_tokens_issued_total{door="${endpoint}"} 0`)
  }
})

test.each(endpoints)(
  'a preflight at the endpoint %s (%s) gets no permission, and is counted',
  async (endpoint, path) => {
    const answer = await preflight(path)
    expect(answer.headers.get('access-control-allow-origin')).toBe(null)
    expect(await readCount(service, endpoint)).toBe(1)
    expect(await readAudit(service)).toEqual([])
  },
)

test('the log has one line a minute, with the first origin and the number', async () => {
  for (const origin of ['https://first.example', 'https://second.example', 'null']) {
    for (const [, path] of endpoints) await preflight(path, origin)
  }
  expect(linesAbout(MESSAGE)).toEqual([
    expect.objectContaining({ level: 'warn', origin: 'https://first.example', count: 1, route: 'claim' }),
  ])
  vi.setSystemTime(Date.now() + 61_000)
  await preflight('/oauth/token', 'https://third.example')
  expect(linesAbout(MESSAGE).slice(1)).toEqual([
    expect.objectContaining({ origin: 'https://first.example', count: 15, route: 'claim' }),
  ])
  vi.setSystemTime(Date.now() + 61_000)
  await preflight('/oauth/token', 'https://fourth.example')
  expect(linesAbout(MESSAGE).slice(2)).toEqual([
    expect.objectContaining({ origin: 'https://fourth.example', count: 1, route: 'oauth' }),
  ])
})

test('an origin of any length makes a short line', async () => {
  await preflight('/auth/claim', `https://${'a'.repeat(3000)}.example`)
  const [line] = linesAbout(MESSAGE)
  expect(line.origin.length).toBeLessThan(400)
})

test('a preflight that MultiSet’s endpoint answers with CORS is not counted', async () => {
  const page = 'https://page.example'
  const { account } = await createAccount(service, {
    name: 'Pages',
    allowedOrigins: [page],
    browserPrototype: true,
  })
  await service.send({
    method: 'POST',
    path: `/admin/accounts/${account.id}/credentials`,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ browserPrototype: true }),
  })
  const allowed = await preflight('/v1/m2m/token', page)
  expect(allowed.headers.get('access-control-allow-origin')).toBe(page)
  expect(await readCount(service, 'multiset')).toBe(0)
  await preflight('/v1/m2m/token', 'https://other.example')
  expect(await readCount(service, 'multiset')).toBe(1)
})

test.each([
  ['an OPTIONS request that is no preflight', '/auth/claim', 'OPTIONS', { origin: SITE }],
  [
    'a preflight at another path',
    '/auth/whoami',
    'OPTIONS',
    { origin: SITE, 'access-control-request-method': 'GET' },
  ],
  [
    'a preflight of the key set',
    '/.well-known/jwks.json',
    'OPTIONS',
    { origin: SITE, 'access-control-request-method': 'GET' },
  ],
])('not counted: %s', async (_, path, method, headers) => {
  await service.send({ method, path, headers })
  const { text } = await service.send({ method: 'GET', path: '/metrics' })
  expect(text.match(/^claimgate_secret_in_browser_total.* [1-9]/gm)).toBe(null)
  expect(linesAbout(MESSAGE)).toEqual([])
})
