// What only the Node door can get wrong: other middlewares around it, answers that came before its own, header lines
// as Node shows them.

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

/** A server whose middleware is `claimAuth` with these options; `before` runs first. */
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

test('the handler sees the claims; next is called once, and never on a refusal', async () => {
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

test('what a middleware before it put on the answer stays on a refusal and on a preflight', async () => {
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

test('a refusal has a length, so that the connection can be used again', async () => {
  const answer = await ask(await serve({}, boom), { origin: SITE })
  expect(answer.header('content-length')).toBe(String(Buffer.byteLength(answer.text)))
})

test.each(['a refusal', 'a pass'])('%s that comes after somebody else answered is dropped', async (what) => {
  const next = vi.fn()
  const url = await serve(
    { authorize: () => new Promise((resolve) => setTimeout(resolve, 50, what === 'a pass')) },
    next,
    (_, response) => response.writeHead(504).end('too slow'),
  )
  for (const _ of [1, 2]) expect((await ask(url, headers)).status).toBe(504)
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(next).not.toHaveBeenCalled()
})

test.each(['sync', 'async'])(
  'a decision about origins that fails opens nothing and ends nothing: %s',
  async (how) => {
    const allowedOrigins = how === 'sync' ? boom : async () => boom()
    const url = await serve({ allowedOrigins }, (_, response) => response.end('in'))
    const answer = await ask(url, headers)
    expect(answer.text).toBe('in')
    expect(answer.header('access-control-allow-origin')).toBeUndefined()
    expect(answer.header('vary')).toBe('Origin')
  },
)

test('authorize reads headers in any case', async () => {
  const url = await serve(
    { authorize: (_, request) => request.headers.get('X-Role') === 'admin' },
    (_, response) => {
      response.end('in')
    },
  )
  expect((await ask(url, { ...headers, 'x-role': 'admin' })).text).toBe('in')
  expect((await ask(url, headers)).status).toBe(403)
})

test('a handler cannot undo CORS, nor open it further', async () => {
  const url = await serve({}, (_, response) => {
    response.setHeader('access-control-allow-origin', '*')
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.writeHead(200, { 'Access-Control-Allow-Origin': 'https://evil.example', vary: '' }).end()
  })
  const answer = await ask(url, headers)
  expect(answer.lines('access-control-allow-origin')).toEqual([SITE])
  expect(answer.header('vary')).toBe('Origin')
})

test('cors: false adds nothing', async () => {
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
