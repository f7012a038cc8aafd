// The client-token endpoint with a real issuer: CORS, authenticate and the visitor's address.

import { describe, expect, test, vi } from 'vitest'
import type { Json } from '../../support/wire.ts'
import { payloadOf, SITE } from '../../support/world.ts'
import { useWorld } from './issuer.ts'
import {
  type Asked,
  ask as askPage,
  corsOf,
  good as goodPage,
  type Options,
  problem as problemPage,
  STRANGER,
  WILD,
} from './page.ts'

const world = useWorld()

const ask = (options?: Options, asked?: Asked): Promise<Response> => askPage(world(), options, asked)
const good = (answer: Response): Promise<Json> => goodPage(world(), answer)
const problem = (answer: Response, status: number, code: string): Promise<Json> =>
  problemPage(world(), answer, status, code)

describe('CORS', () => {
  const preflight = (origin: string): Asked => ({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    },
  })
  const readable = (origin: string) => ({
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'Retry-After, X-Request-Id',
  })

  test.each([
    ['POST', {}],
    ['GET, POST', { allowGet: true }],
  ])('answers the preflight of an allowed origin: %s', async (methods, options) => {
    const answer = await ask(options, preflight(WILD))
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual(['no-store', 'Origin'])
    expect(corsOf(answer)).toEqual({
      'access-control-allow-origin': WILD,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': methods,
      'access-control-allow-headers': 'Content-Type, traceparent, tracestate, baggage, sentry-trace',
      'access-control-max-age': '7200',
    })
  })

  test.each<[string, Options, Asked]>([
    ['an unlisted origin', {}, preflight(STRANGER)],
    ['null', {}, preflight('null')],
    ['any origin without a list', { allowedOrigins: undefined }, preflight(SITE)],
    ['an OPTIONS that is not a preflight', {}, { method: 'OPTIONS', headers: {} }],
    ['an origin with a slash', {}, preflight(`${SITE}/`)],
  ])('sets no CORS header for %s, and does not call authenticate', async (_, options, asked) => {
    const authenticate = vi.fn(() => true)
    const answer = await ask({ ...options, authenticate }, asked)
    expect([answer.status, answer.headers.get('allow'), corsOf(answer)]).toEqual([204, 'POST, OPTIONS', {}])
    expect(authenticate).not.toHaveBeenCalled()
  })

  test.each<[string, Options, Asked, number]>([
    ['a token', {}, {}, 200],
    ['no session', { authenticate: () => false }, {}, 401],
    ['another method', {}, { method: 'PUT' }, 405],
    ['an invalid body', {}, { body: '{' }, 400],
    ['an unknown address', { bindIp: true }, {}, 503],
    ['a refusal of the issuer', { scope: 'admin' }, {}, 502],
  ])('lets an allowed origin read the answer: %s', async (_, options, asked, status) => {
    const answer = await ask(options, asked)
    expect([answer.status, corsOf(answer)]).toEqual([status, readable(SITE)])
  })

  test('an OPTIONS that names two methods is not a preflight', async () => {
    const headers = { origin: SITE, 'access-control-request-method': 'POST, PUT' }
    expect(corsOf(await ask({}, { method: 'OPTIONS', headers }))).toEqual(readable(SITE))
  })

  test('an unlisted origin cannot read the answer', async () => {
    const answer = await ask({}, { headers: { origin: STRANGER } })
    expect([answer.status, corsOf(answer)]).toEqual([403, {}])
  })
})

type Settle = (value: unknown) => void

/** An object with `then` that is not a Promise, as some database libraries return. */
function createThenable(then: (resolve: Settle, reject: Settle) => void): PromiseLike<boolean> {
  return { then } as PromiseLike<boolean>
}

describe('authenticate', () => {
  const session = (request: Request): boolean => request.headers.get('cookie') === 'session=good'

  test('gets the request', async () => {
    await good(await ask({ authenticate: session }, { headers: { origin: SITE, cookie: 'session=good' } }))
    const answer = await ask({ authenticate: session }, { headers: { origin: SITE, cookie: 'session=bad' } })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    await problem(answer, 401, 'unauthorized')
  })

  test.each([
    [true, 200],
    ['public', 200],
    [false, 401],
    [undefined, 401],
    [1, 401],
    [{ user: 1 }, 401],
    ['yes', 401],
  ])('that returns %j, also as a promise or another thenable: %i', async (verdict, status) => {
    const returned = [verdict, Promise.resolve(verdict), createThenable((resolve) => resolve(verdict))]
    for (const value of returned) {
      expect((await ask({ authenticate: () => value as boolean })).status).toBe(status)
    }
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('the session store is down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the session store is down'))],
    [
      'returns a thenable that rejects',
      () => createThenable((_, reject) => reject(new Error('the session store is down'))),
    ],
  ])('that %s gives 500, and only onError gets the reason', async (_, authenticate) => {
    const onError = vi.fn()
    const answer = await ask({ authenticate, onError })
    expect(JSON.stringify(await problem(answer, 500, 'internal'))).not.toContain('store')
    const [error] = onError.mock.calls[0] ?? []
    expect(error).toMatchObject({
      message: 'the function authenticate threw: the session store is down',
      cause: { message: 'the session store is down' },
    })
  })
})

describe('bindIp: the address in the token is', () => {
  const via = (forwarded: string): Record<string, string> => ({ origin: SITE, 'x-forwarded-for': forwarded })

  test.each<[string, Options, Asked, string | undefined]>([
    ['the address of the peer', {}, { ip: '192.0.2.7' }, '192.0.2.7'],
    ['that of a peer mapped to IPv6, as IPv4', {}, { ip: '::ffff:192.0.2.7' }, '192.0.2.7'],
    ['that of an IPv6 peer, in canonical form', {}, { ip: '2001:DB8:0:0::1' }, '2001:db8::1'],
    [
      'that of the peer, even when it sends X-Forwarded-For',
      {},
      { ip: '192.0.2.7', headers: via('198.51.100.9') },
      '192.0.2.7',
    ],
    [
      'that of the client of a trusted proxy',
      { trustedProxies: 'loopback' },
      { ip: '127.0.0.1', headers: via('198.51.100.9') },
      '198.51.100.9',
    ],
    [
      'that of the client of two trusted proxies',
      { trustedProxies: ['loopback', '10.0.0.0/8'] },
      { ip: '::1', headers: via('203.0.113.1, 198.51.100.9, 10.1.2.3') },
      '198.51.100.9',
    ],
    [
      'that of the client according to a hop count',
      { trustedProxies: 1 },
      { headers: via('203.0.113.1, 198.51.100.9') },
      '198.51.100.9',
    ],
    [
      'that of the peer with a hop count of 0',
      { trustedProxies: 0 },
      { ip: '192.0.2.7', headers: via('198.51.100.9') },
      '192.0.2.7',
    ],
    [
      'unknown (503): the proxy sends no valid address',
      { trustedProxies: 'loopback' },
      { ip: '127.0.0.1', headers: via('unknown') },
      undefined,
    ],
    [
      'unknown (503): fewer hops than the hop count',
      { trustedProxies: 2 },
      { ip: '127.0.0.1', headers: via('198.51.100.9') },
      undefined,
    ],
    ['unknown (503): no peer', {}, {}, undefined],
    ['unknown (503): the peer is not an address', {}, { ip: 'unix' }, undefined],
  ])('%s', async (_, options, asked, bound) => {
    const onError = vi.fn()
    const answer = await ask({ bindIp: true, onError, ...options }, asked)
    if (bound !== undefined) {
      expect(payloadOf((await good(answer)).token).ip).toBe(bound)
      return
    }
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    await problem(answer, 503, 'unavailable')
    expect(onError.mock.calls[0]?.[0].message).toMatch(/bindIp/)
  })

  test('absent without bindIp', async () => {
    expect(payloadOf((await good(await ask({}, { ip: '192.0.2.7' }))).token).ip).toBeUndefined()
  })
})
