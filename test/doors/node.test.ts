// The Node middleware together with other middlewares, with answers sent before its own, and with repeated header lines.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { type AuthorizedRequest, type ClaimAuthOptions, claimAuth } from '../../src/verify/middleware/node.ts'
import { ask } from './ask.ts'
import { AUDIENCE, ISSUER, SITE, SUBJECT } from './cases.ts'
import { createIssuer } from './mint.ts'

const issuer = await createIssuer('jwks')
const token = await issuer.mint()
const headers = { origin: SITE, authorization: `Bearer ${token}` }
let stop: () => void = () => undefined
afterEach(() => stop())

type Handle = (request: IncomingMessage, response: ServerResponse) => void

/** Starts a server with `claimAuth` and these options. In each request `before` runs first, and `next` if it passes. */
async function serve(rules: Partial<ClaimAuthOptions>, next: Handle, before: Handle = () => undefined) {
  const options = { issuer: ISSUER, audience: AUDIENCE, ...issuer.keys, allowedOrigins: [SITE], ...rules }
  const auth = claimAuth(options as ClaimAuthOptions)
  const server = createServer((request, response) => {
    before(request, response)
    auth(request, response, () => next(request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stop = () => server.close()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('calls next once, with the claims on the request, and never on a refusal', async () => {
  const next = vi.fn((request: IncomingMessage, response: ServerResponse) => {
    response.end((request as AuthorizedRequest).claims.sub)
  })
  const url = await serve({}, next)
  expect((await ask(url, headers)).text).toBe(SUBJECT)
  expect(next).toHaveBeenCalledTimes(1)
  await ask(url, { origin: SITE })
  await ask(url, { origin: SITE, 'access-control-request-method': 'GET' }, 'OPTIONS')
  expect(next).toHaveBeenCalledTimes(1)
})

test('headers set by an earlier middleware stay on refusals and preflights', async () => {
  const url = await serve(
    {},
    (_, response) => response.end(),
    (_, response) => {
      response.setHeader('vary', 'Accept-Encoding').setHeader('x-before', 'yes')
    },
  )
  const refusal = await ask(url, { origin: SITE })
  const preflight = await ask(url, { origin: SITE, 'access-control-request-method': 'GET' }, 'OPTIONS')
  for (const answer of [refusal, preflight]) {
    expect(answer.header('vary')).toBe('Accept-Encoding, Origin')
    expect(answer.header('x-before')).toBe('yes')
    expect(answer.header('access-control-allow-origin')).toBe(SITE)
  }
})

test('a refusal has Content-Length, so that the connection can be reused', async () => {
  const answer = await ask(await serve({}, boom), { origin: SITE })
  expect(answer.header('content-length')).toBe(String(Buffer.byteLength(answer.text)))
})

test.each(['a refusal', 'a pass'])(
  '%s has no effect when another handler has already answered',
  async (what) => {
    const next = vi.fn()
    const url = await serve(
      { authorize: () => new Promise((resolve) => setTimeout(resolve, 50, what === 'a pass')) },
      next,
      (_, response) => response.writeHead(504).end('too slow'),
    )
    for (const _ of [1, 2]) expect((await ask(url, headers)).status).toBe(504)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(next).not.toHaveBeenCalled()
  },
)

test.each(['sync', 'async'])(
  'allowedOrigins that fails allows no origin, and a request from one gets 403: %s',
  async (how) => {
    const allowedOrigins = how === 'sync' ? boom : async () => boom()
    const options = { allowedOrigins, onError: () => undefined }
    const url = await serve(options, (_, response) => response.end('in'))
    const answer = await ask(url, headers)
    expect(JSON.parse(answer.text).error).toBe('origin_not_allowed')
    expect(answer.header('access-control-allow-origin')).toBeUndefined()
    expect(answer.header('vary')).toBe('Origin')
  },
)

test('authorize can read a header by its name in any case', async () => {
  const url = await serve(
    { authorize: (_, request) => request.headers.get('X-Role') === 'admin' },
    (_, response) => {
      response.end('in')
    },
  )
  expect((await ask(url, { ...headers, 'x-role': 'admin' })).text).toBe('in')
  expect((await ask(url, headers)).status).toBe(403)
})

test('a handler can neither remove CORS headers nor allow more', async () => {
  const url = await serve({}, (_, response) => {
    response.setHeader('access-control-allow-origin', '*')
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.writeHead(200, { 'Access-Control-Allow-Origin': 'https://evil.example', vary: '' }).end()
  })
  const answer = await ask(url, headers)
  expect(answer.lines('access-control-allow-origin')).toEqual([SITE])
  expect(answer.header('vary')).toBe('Origin')
})

test('cors: false adds no headers', async () => {
  const options = { cors: false, allowedOrigins: undefined } as unknown as Partial<ClaimAuthOptions>
  const url = await serve(options, (_, response) => response.end('in'))
  for (const asked of [headers, { origin: SITE }]) {
    const answer = await ask(url, asked)
    expect(answer.header('vary')).toBeUndefined()
    expect(answer.header('access-control-allow-origin')).toBeUndefined()
  }
  const preflight = await ask(url, { origin: SITE, 'access-control-request-method': 'GET' }, 'OPTIONS')
  expect(preflight.status).toBe(401)
})

function boom(): never {
  throw new Error('boom')
}
