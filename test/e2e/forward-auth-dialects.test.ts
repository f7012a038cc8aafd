// Sends forward-auth requests as Traefik, Envoy and Caddy send them according to their documentation, with the settings of
// the examples.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { WireAnswer } from '../support/wire.ts'
import { claimToken, expectProblem } from '../support/world.ts'
import { anonymous, expectPass, type Headers, useForwardAuth } from './forward-auth.ts'

const auth = useForwardAuth()

const example = (name: string): string =>
  readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8')

function readSetting(name: string, pattern: RegExp): string {
  const value = pattern.exec(example(name))?.[1]
  if (value === undefined) throw new Error(`${name} has no ${pattern}`)
  return value
}

test.each([
  ['nginx.conf', /upstream claimgate \{[^}]*keepalive_timeout (\d+)s;/],
  ['Caddyfile', /reverse_proxy 127\.0\.0\.1:8787 \{[\s\S]*?keepalive (\d+)s/],
  ['traefik-dynamic.yml', /idleConnTimeout: (\d+)s/],
  ['envoy.yaml', /- name: claimgate\n(?: {6,}.*\n)*? +common_http_protocol_options: \{ idle_timeout: (\d+)s/],
])('%s keeps an idle connection for less than the 75 s of claimgate', (name, pattern) => {
  expect(Number(readSetting(name, pattern))).toBeLessThan(75)
})

describe('forward-auth requests of Traefik', () => {
  const address = new URL(readSetting('traefik-dynamic.yml', /address: "(.*)"/))
  const path = address.pathname + address.search
  const forwarded: Headers = {
    'x-forwarded-method': 'POST',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'api.example.com',
    'x-forwarded-uri': '/orders?mode=report&missingOrigin=allow',
    'x-forwarded-port': '443',
    'x-forwarded-server': 'edge',
  }

  test('a GET that describes a POST is decided by the options of the example', async () => {
    expectPass(await auth.ask(path, forwarded))
    expectProblem(
      await auth.ask(path, { ...forwarded, origin: 'https://evil.example' }),
      401,
      'origin_mismatch',
      auth.world,
    )
    const narrow = await claimToken(auth.world, { scope: 'write' })
    const answer = await auth.ask(path, { ...forwarded, authorization: `Bearer ${narrow}` })
    expectProblem(answer, 403, 'insufficient_scope', auth.world)
  })
})

describe('forward-auth requests of Envoy', () => {
  const prefix = readSetting('envoy.yaml', /path_prefix: (.*)/)
  const forwarded: Headers = { host: 'api.example.com', 'x-forwarded-proto': 'https', 'content-length': '0' }

  test.each(['GET', 'POST', 'DELETE'])(
    'a %s with the client’s path appended needs a token',
    async (method) => {
      expectPass(await auth.ask(`${prefix}/orders/1?a=b`, forwarded, method))
      expectProblem(
        await auth.ask(`${prefix}/`, anonymous(forwarded), method),
        401,
        'missing_token',
        auth.world,
      )
    },
  )

  test.each(['mode=report', 'missingOrigin=allow', 'scope=read&mode=report', 'unknown=1'])(
    'a query of the client is not read as options: ?%s',
    async (query) => {
      const answer = await auth.ask(`${prefix}/orders?${query}`, { origin: 'https://evil.example' }, 'POST')
      expectProblem(answer, 401, 'origin_mismatch', auth.world)
      expectPass(await auth.ask(`${prefix}/orders?${query}`, {}, 'POST'))
    },
  )

  test('headers with the same method and target are accepted', async () => {
    const same = { 'x-forwarded-method': 'POST', 'x-forwarded-uri': '/orders?a=b' }
    expectPass(await auth.ask(`${prefix}/orders?a=b`, same, 'POST'))
    const other = await auth.ask(`${prefix}/orders?a=c`, same, 'POST')
    expectProblem(other, 401, 'invalid_request', auth.world)
  })

  test.each([
    ['x-forwarded-method', 'OPTIONS'],
    ['x-original-method', 'OPTIONS'],
    ['x-original-uri', '/public'],
  ])('a header %s that contradicts method or path is refused', async (name, value) => {
    const headers = { [name]: value, 'access-control-request-method': 'PUT' }
    expectProblem(await auth.ask(`${prefix}/orders`, headers), 401, 'invalid_request', auth.world)
  })
})

describe('forward-auth requests of Caddy without a configured query, which contain the query of the client', () => {
  const about = (query: string, headers: Headers = {}): Promise<WireAnswer> =>
    auth.ask(`/auth/verify?${query}`, {
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': `/orders?${query}`,
      ...headers,
    })

  test('a query that names no option is ignored', async () => {
    expectPass(await about('page=2'))
    expectProblem(
      await about('page=2', { origin: 'https://evil.example' }),
      401,
      'origin_mismatch',
      auth.world,
    )
    expectProblem(await about(`token=${auth.token}`, anonymous()), 401, 'missing_token', auth.world)
  })

  test.each(['mode=report', 'missingOrigin=allow&page=2', "scope=re'ad&mode=report", 'page=2&mode'])(
    '?%s is refused, and not used as options',
    async (query) => {
      expectProblem(await about(query), 401, 'invalid_request', auth.world)
    },
  )

  test('the operator’s query is used, whatever the client’s is', async () => {
    const headers = { 'x-forwarded-uri': '/orders?mode=report', origin: 'https://evil.example' }
    expectProblem(await auth.ask('/auth/verify?scope=read', headers), 401, 'origin_mismatch', auth.world)
  })
})
