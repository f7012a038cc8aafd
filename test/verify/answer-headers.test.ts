// Headers of a handler's answer behind the middlewares: what it exposes to pages, and what caches may do with it.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { combineHeader } from '../../src/verify/middleware/cors.ts'
import { type ClaimAuthOptions, claimAuth, claimCors } from '../../src/verify/middleware/hono.ts'
import { claimAuth as nodeAuth } from '../../src/verify/middleware/node.ts'
import { createMint, RULES, SITE } from '../support/mint.ts'

const mint = createMint('ES256')
const base = {
  ...RULES,
  jwks: { keys: [mint.jwk] },
  tokenSources: ['authorization', 'x-client-token', 'query'],
} satisfies ClaimAuthOptions
const token = mint.token()

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

type Ask = (path: string, headers: Readonly<Record<string, string>>) => Promise<Headers>

/** An API whose handler sets these headers, behind the middleware for Hono and for Node. */
const doors: Readonly<
  Record<string, (set: Readonly<Record<string, string>>, more?: object) => Promise<Ask>>
> = {
  async hono(set, more = {}) {
    const app = new Hono().use(claimAuth({ ...base, ...more }))
    app.get('/bill', (context) => context.text('bill', 200, set))
    return async (path, headers) => (await app.request(path, { headers })).headers
  },
  async node(set, more = {}) {
    const auth = nodeAuth({ ...base, ...more })
    const server = createServer((request, response) =>
      auth(request, response, () => response.writeHead(200, set).end('bill')),
    )
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return async (path, headers) => (await fetch(url + path, { headers })).headers
  },
}

describe.each(Object.entries(doors))('%s', (_, start) => {
  const bearer = { authorization: `Bearer ${token}`, origin: SITE }

  test('headers that a handler exposes are added to those of claimgate, without repeats', async () => {
    const exposed = {
      'access-control-expose-headers': 'Content-Disposition, retry-after, X-Total-Count, x-total-count',
    }
    const ask = await start(
      { ...exposed, 'access-control-allow-origin': '*' },
      { exposedHeaders: ['X-Plan'] },
    )
    const headers = await ask('/bill', bearer)
    const names = headers.get('access-control-expose-headers')?.split(', ') ?? []
    expect(names).toEqual(
      expect.arrayContaining(['X-Request-Id', 'X-Plan', 'Content-Disposition', 'X-Total-Count']),
    )
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length)
    expect(headers.get('access-control-allow-origin')).toBe(SITE)
  })

  test('a page whose origin is not allowed gets nothing exposed', async () => {
    const ask = await start(
      { 'access-control-expose-headers': 'X-Total-Count' },
      { allowedOrigins: ['https://other.example'], mode: 'report' },
    )
    expect((await ask('/bill', bearer)).get('access-control-expose-headers')).toBe(null)
  })

  test.each([
    ['Authorization', bearer, '/bill', 'Origin'],
    ['X-Client-Token', { 'x-client-token': token, origin: SITE }, '/bill', 'Origin, X-Client-Token'],
    ['the query string', { origin: SITE }, `/bill?token=${token}`, 'Origin'],
  ])('a token in %s: Vary', async (_name, headers, path, vary) => {
    const ask = await start({})
    expect((await ask(path, headers)).get('vary')).toBe(vary)
  })

  test.each([
    ['nothing', undefined, 'private'],
    ['public', 'public, max-age=60', 'private, max-age=60'],
    ['no-store', 'no-store', 'no-store'],
    ['private', 'max-age=5, private', 'max-age=5, private'],
  ])('with ?token= an answer is private; the handler says %s', async (_name, said, expected) => {
    const ask = await start(said === undefined ? {} : { 'cache-control': said })
    expect((await ask(`/bill?token=${token}`, { origin: SITE })).get('cache-control')).toBe(expected)
    expect((await ask('/bill', bearer)).get('cache-control')).toBe(said ?? null)
  })

  test('cors: false leaves the CORS headers of a handler, also for X-Client-Token', async () => {
    const ask = await start({ 'access-control-allow-origin': '*' }, { cors: false })
    const headers = await ask('/bill', { 'x-client-token': token, origin: SITE })
    expect([headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual(['*', 'X-Client-Token'])
  })
})

test('claimCors adds what a handler exposes too', async () => {
  const app = new Hono().use(claimCors({ allowedOrigins: [SITE], exposedHeaders: ['ETag'] }))
  app.get('/', (context) => context.text('open', 200, { 'access-control-expose-headers': 'X-Total-Count' }))
  const { headers } = await app.request('/', { headers: { origin: SITE } })
  expect(headers.get('access-control-expose-headers')).toMatch(/ETag, X-Total-Count$/)
})

test.each([
  ['vary', 'Origin', '', 'Origin'],
  ['vary', 'Origin', 'Accept', 'Accept, Origin'],
  ['vary', 'Origin, X-Client-Token', 'origin', 'origin, X-Client-Token'],
  ['vary', 'Origin', '*', '*'],
  ['cache-control', 'private', 'PUBLIC,max-age=1', 'private, max-age=1'],
  ['x-request-id', 'ours', 'theirs', 'ours'],
])('%s: ours %s and theirs %s make %s', (name, ours, theirs, both) => {
  expect(combineHeader(name, ours, theirs)).toBe(both)
})
