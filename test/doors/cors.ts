// The CORS headers that a middleware adds to each kind of answer of a handler: errors, answers with their own CORS headers,
// fetched responses, streams and 404s.

import { describe, expect, test } from 'vitest'
import { ask } from './ask.ts'
import { SITE } from './cases.ts'

interface World {
  readonly urls: Readonly<Record<string, string>>
  readonly token: string
  /** A token bound to an address from which no test sends requests. */
  readonly elsewhere: string
}

interface Row {
  readonly route: string
  readonly status?: number
  /** The expected `Vary`: first what the handler set, then `Origin`. */
  readonly vary?: string
  readonly text?: string
  readonly cookies?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

const COOKIES = ['a=1', 'b=2']
const everywhere: readonly Row[] = [
  { route: 'missing', status: 404 },
  { route: 'vary', vary: 'Accept-Encoding, Origin' },
  { route: 'vary-list', vary: 'Accept, Accept-Encoding, Origin' },
  { route: 'vary-origin', vary: 'Accept, origin' },
  { route: 'vary-all', vary: '*' },
  { route: 'own-cors' },
  { route: 'cookies', cookies: COOKIES },
  { route: 'stream', text: 'one,two' },
]
const errors: readonly Row[] = [
  { route: 'throws', status: 500 },
  { route: 'rejects', status: 500 },
]
const rawNode: readonly Row[] = [
  { route: 'head-vary', vary: 'Accept, Origin' },
  { route: 'head-message', vary: 'Accept, Accept-Encoding, Origin' },
  { route: 'head-list', vary: 'Accept, Origin', cookies: COOKIES },
  { route: 'head-none' },
  { route: 'flush', vary: 'Accept, Origin', text: 'flushed' },
]
const immutable: Row = { route: 'immutable', text: 'far', headers: { 'x-upstream': 'yes' } }
const hono: readonly Row[] = [
  ...everywhere,
  ...errors,
  immutable,
  { route: 'redirect', status: 302, headers: { location: 'https://www.example.com/' } },
]

const rows: Readonly<Record<string, readonly Row[]>> = {
  hono,
  workerd: hono,
  express: [...everywhere, ...errors, ...rawNode, { route: 'send', vary: 'Accept, Origin' }],
  fastify: [...everywhere, ...errors, immutable, { route: 'hijack', vary: 'Accept, Origin' }],
  http: [...everywhere, ...rawNode],
}

export function describeCors(world: () => World): void {
  describe.each(Object.entries(rows))('CORS headers on the answers of handlers: %s', (door, routes) => {
    const askRoute = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
      ask(
        `${world().urls[door]}/${path}`,
        { authorization: `Bearer ${world().token}`, origin: SITE, ...headers },
        method,
      )

    test.each(routes)(
      '$route',
      async ({ route, status = 200, vary = 'Origin', text, cookies = [], headers = {} }) => {
        const answer = await askRoute(`plain/${route}`)
        expect({
          status: answer.status,
          vary: answer
            .header('vary')
            ?.split(/\s*,\s*/)
            .join(', '),
          allows: answer.lines('access-control-allow-origin'),
          exposes: answer.header('access-control-expose-headers'),
          cookies: answer.lines('set-cookie'),
        }).toEqual({
          status,
          vary,
          allows: [SITE],
          exposes: expect.stringContaining('X-Request-Id'),
          cookies,
        })
        if (text !== undefined) expect(answer.text).toBe(text)
        for (const [name, value] of Object.entries(headers)) expect(answer.header(name)).toBe(value)
      },
    )

    test('HEAD has the headers of GET', async () => {
      const answer = await askRoute('plain/ok', {}, 'HEAD')
      expect(answer).toMatchObject({ status: 200, text: '' })
      expect(answer.header('access-control-allow-origin')).toBe(SITE)
    })

    test('report mode sets Claimgate-Would-Block also on a 404 and a 500', async () => {
      for (const route of ['missing', ...(door === 'http' ? [] : ['throws'])]) {
        const answer = await askRoute(`report/${route}`, { origin: 'https://partner.example' })
        expect(answer.header('claimgate-would-block')).toBe('origin_mismatch')
        expect(answer.header('access-control-allow-origin')).toBe('https://partner.example')
      }
    })

    if (door !== 'workerd') {
      test('CF-Connecting-IP is ignored outside Workers', async () => {
        const { elsewhere } = world()
        const answer = await askRoute('plain/ok', {
          authorization: `Bearer ${elsewhere}`,
          'cf-connecting-ip': '192.0.2.7',
        })
        expect(JSON.parse(answer.text).error).toBe('ip_mismatch')
      })
    }
  })

  describe.each(['hono', 'workerd'])('claimCors alone: %s', (door) => {
    const askPublic = (path: string, headers: Readonly<Record<string, string>>, method = 'GET') =>
      ask(`${world().urls[door]}/public/${path}`, headers, method)

    test('answers preflights, with the additional allowed headers', async () => {
      const answer = await askPublic(
        'ok',
        { origin: SITE, 'access-control-request-method': 'PATCH' },
        'OPTIONS',
      )
      expect(answer.status).toBe(204)
      expect(answer.header('access-control-allow-methods')).toBe('PATCH')
      expect(answer.header('access-control-allow-headers')).toBe(
        'Authorization, Content-Type, DPoP, X-Client-Token, traceparent, tracestate, baggage, sentry-trace, X-Extra',
      )
    })

    test('lets only allowed origins read the answer', async () => {
      const allowed = await askPublic('ok', { origin: SITE })
      expect(allowed.header('access-control-allow-origin')).toBe(SITE)
      const other = await askPublic('ok', { origin: 'https://evil.example' })
      expect(other.status).toBe(200)
      expect(other.header('access-control-allow-origin')).toBeUndefined()
      expect(other.header('vary')).toBe('Origin')
    })

    test('used twice on one path has the same effect as once', async () => {
      const answer = await askPublic('twice/ok', { origin: SITE })
      expect(answer.lines('access-control-allow-origin')).toEqual([SITE])
      expect(answer.header('vary')).toBe('Origin')
    })
  })
}
