// The endpoints in real frameworks, which must all behave the same. Requests go over a socket; for Hono and Next.js, to the
// fetch handler.

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import express4 from 'express4'
import createFastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type ClaimClient,
  createClaimClient,
  createClientTokenEndpoint,
  createNodeClientTokenEndpoint,
} from '../../../src/client/backend/index.ts'
import { sendToFetch, sendToSocket, type WireAnswer, type WireRequest } from '../../support/wire.ts'
import { payloadOf, SITE } from '../../support/world.ts'
import { API, expectNoSecret, JKT, useWorld } from './issuer.ts'

const world = useWorld()
const onError = vi.fn()

const PATH = '/api/client-token'
const options = {
  baseUrl: API,
  allowedOrigins: [SITE],
  allowGet: true,
  origin: SITE,
  bindIp: true,
  onError,
} as const
const isSignedIn = (cookie: string | null | undefined): boolean => cookie === 'session=good'

type Send = (request: WireRequest) => Promise<WireAnswer>

/** Servers with fetch handlers, by name. */
const handlers: Readonly<
  Record<string, (client: ClaimClient) => (request: Request) => Response | Promise<Response>>
> = {
  hono: (client) => {
    const endpoint = createClientTokenEndpoint(client, {
      ...options,
      authenticate: (request) => isSignedIn(request.headers.get('cookie')),
    })
    const app = new Hono()
    app.all(PATH, (c) => endpoint(c.req.raw, { ip: '127.0.0.1' }))
    return app.fetch
  },
  'a route of Next.js': (client) => {
    const endpoint = createClientTokenEndpoint(client, {
      ...options,
      trustedProxies: 1,
      authenticate: async (request) => isSignedIn(request.headers.get('cookie')),
    })
    const POST = (request: Request) => endpoint(request)
    const route: Readonly<Record<string, typeof POST>> = { GET: POST, POST, OPTIONS: POST }
    // The proxy before Next.js writes the address. The second argument of a route has no address.
    return (request) => {
      const forwarded = new Request(request)
      forwarded.headers.set('x-forwarded-for', '127.0.0.1')
      return route[request.method]?.(forwarded) ?? new Response(null, { status: 405 })
    }
  },
  'a handler that gets other arguments': (client) => {
    const authenticate = (request: Request): boolean => isSignedIn(request.headers.get('cookie'))
    const endpoint = createClientTokenEndpoint(client, { ...options, trustedProxies: 1, authenticate })
    return (request) => {
      const forwarded = new Request(request)
      forwarded.headers.set('x-forwarded-for', '127.0.0.1')
      return Reflect.apply(endpoint, undefined, [
        forwarded,
        { params: Promise.resolve({}), ip: { a: 1 } },
        'ctx',
      ])
    }
  },
}

function createNode(client: ClaimClient) {
  return createNodeClientTokenEndpoint(client, {
    ...options,
    authenticate: (request) => isSignedIn(request.headers.cookie),
  })
}

/** Servers with Node request listeners, by name. */
const listeners: Readonly<Record<string, (client: ClaimClient) => RequestListener>> = {
  'node:http': createNode,
  express: (client) => express().all(PATH, createNode(client)),
  'express 4, whose parsers leave {} in request.body': (client) =>
    express4()
      .use(express4.json(), express4.urlencoded({ extended: false }))
      .all(PATH, createNode(client)),
  'express with its parsers': (client) => {
    const parsers = [express.json(), express.urlencoded(), express.text(), express.raw()]
    return express()
      .use(...parsers)
      .all(PATH, createNode(client))
  },
  'express with parsers of text and bytes': (client) => {
    const parsers = [express.text({ type: 'text/plain' }), express.raw({ type: () => true })]
    return express()
      .use(...parsers)
      .all(PATH, createNode(client))
  },
  'an express router with a session': (client) => {
    const endpoint = createNodeClientTokenEndpoint(client, {
      ...options,
      authenticate: (request: express.Request) => 'user' in request && request.user === 'ada',
    })
    const router = express.Router().all('/client-token', endpoint)
    const signIn: express.RequestHandler = (request, response, next) => {
      if (isSignedIn(request.headers.cookie)) Object.assign(request, { user: 'ada' })
      response.vary('Accept-Encoding')
      next()
    }
    return express().use(signIn).use('/api', router)
  },
}

const servers: Server[] = []
let fastify: FastifyInstance
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections()
  await fastify?.close()
})

async function listen(listener: RequestListener): Promise<Send> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return (wire) => sendToSocket(url, wire)
}

async function listenFastify(client: ClaimClient): Promise<Send> {
  const endpoint = createNode(client)
  fastify = createFastify({ forceCloseConnections: true })
  fastify.all(PATH, (request, reply) => {
    reply.hijack()
    return endpoint(Object.assign(request.raw, { body: request.body }), reply.raw)
  })
  const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
  return (wire) => sendToSocket(url, wire)
}

const starts: Readonly<Record<string, (client: ClaimClient) => Send | Promise<Send>>> = {
  ...Object.fromEntries(
    Object.entries(handlers).map(([name, create]) => [
      name,
      (client: ClaimClient) => {
        const handle = create(client)
        return (wire: WireRequest) => sendToFetch(handle, 'https://www.example.com', wire)
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(listeners).map(([name, create]) => [
      name,
      (client: ClaimClient) => listen(create(client)),
    ]),
  ),
  fastify: listenFastify,
}

const PAGE = { origin: SITE, cookie: 'session=good' }
const JSON_PAGE = { ...PAGE, 'content-type': 'application/json' }
const post = (headers: Record<string, string> = PAGE, body?: string): WireRequest => ({
  method: 'POST',
  path: `${PATH}?ignored=1`,
  headers,
  ...(body !== undefined && { body }),
})

describe.each(Object.entries(starts))('%s', (_, start) => {
  let send: Send
  beforeAll(async () => {
    const { issuer, token } = world()
    send = await start(createClaimClient({ issuer, token }))
  })

  async function answer(request: WireRequest, status: number): Promise<WireAnswer> {
    const seen = await send(request)
    expect(seen.status, seen.text).toBe(status)
    expectNoSecret(seen.text, world())
    return seen
  }

  test('gives a page its token', async () => {
    const seen = await answer(post(), 200)
    const { token, expiresIn, tokenType, config } = seen.json()
    expect(payloadOf(token)).toMatchObject({ origin: SITE, ip: '127.0.0.1', client_id: world().clientId })
    expect([tokenType, expiresIn > 1790 && expiresIn < 1800]).toEqual(['Bearer', true])
    expect(config).toEqual({
      baseUrl: API,
      issuer: world().issuer,
      clientId: world().clientId,
      clientTokenUri: PATH,
    })
    const { headers } = seen
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-type')).toMatch(/^application\/json\b/)
    expect(headers.get('vary')?.split(/, ?/)).toContain('Origin')
    expect([
      headers.get('access-control-allow-origin'),
      headers.get('access-control-allow-credentials'),
    ]).toEqual([SITE, 'true'])
  })

  test.each([
    ['JSON', JSON_PAGE],
    ['text', { ...PAGE, 'content-type': 'text/plain' }],
    ['chunked JSON', JSON_PAGE],
  ])('binds the token to the key, sent as %s', async (how, headers) => {
    const request = {
      ...post(headers, JSON.stringify({ jkt: JKT, more: [1] })),
      chunked: how.startsWith('chunked'),
    }
    // Fastify gives text as a string, which the endpoint parses.
    const { token, tokenType } = (await answer(request, 200)).json()
    expect([tokenType, payloadOf(token).cnf]).toEqual(['DPoP', { jkt: JKT }])
  })

  test('refuses an invalid thumbprint', async () => {
    expect((await answer(post(JSON_PAGE, '{"jkt":""}'), 422)).json().error).toBe('invalid_request')
  })

  test('refuses a request without session, and one of another origin', async () => {
    expect((await answer(post({ origin: SITE }), 401)).json().error).toBe('unauthorized')
    const stranger = await answer(post({ ...PAGE, origin: 'https://evil.example' }), 403)
    expect([stranger.json().error, stranger.headers.get('access-control-allow-origin')]).toEqual([
      'origin_not_allowed',
      null,
    ])
  })

  test('answers a same-origin GET', async () => {
    const headers = { cookie: PAGE.cookie, 'sec-fetch-site': 'same-origin' }
    const { token } = (await answer({ method: 'GET', path: PATH, headers }, 200)).json()
    expect(payloadOf(token).origin).toBe(SITE)
  })

  test('answers a preflight', async () => {
    const headers = {
      origin: SITE,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    }
    const seen = await answer({ method: 'OPTIONS', path: PATH, headers }, 204)
    expect(seen.text).toBe('')
    expect(
      Object.fromEntries([...seen.headers].filter(([name]) => name.startsWith('access-control-'))),
    ).toEqual({
      'access-control-allow-origin': SITE,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'Content-Type, traceparent, tracestate, baggage, sentry-trace',
      'access-control-max-age': '7200',
    })
  })

  test('did not call onError in any of these tests', () => {
    expect(onError).not.toHaveBeenCalled()
  })
})
