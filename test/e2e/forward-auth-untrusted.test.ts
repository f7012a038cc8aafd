// Forward auth of a real server on a socket, for a peer that is not a trusted proxy: a question about another request, empty
// headers included, the log line, and which options count for whom.

import { request } from 'node:http'
import { expect, test } from 'vitest'
import { admin, claim } from '../support/admin-api.ts'
import { HAS_IPV6, type RunningServer, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'

const { start } = useServers()

const ORIGIN = 'https://shop.example'
const NAMED = [
  'X-Original-Method',
  'X-Original-URI',
  'X-Forwarded-Method',
  'X-Forwarded-Uri',
  'X-Forwarded-Host',
] as const

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The code of a refusal; empty when there is no body. */
  readonly error: string
}

/** Sends a request with exactly these headers, as `[name, value, name, value, …]`, and `Host`. */
function send(url: string, method: string, headers: readonly string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host } = new URL(url)
    const asking = request(url, { method, headers: ['Host', host, ...headers], agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part) => {
        text += part
      })
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          error: text === '' ? '' : JSON.parse(text).error,
        }),
      )
    })
    asking.on('error', reject)
    asking.end()
  })
}

/** An account on the server, and the headers of its valid token. */
async function startWithToken(env: Readonly<Record<string, string>> = {}, url?: string) {
  const server = await start({ env })
  const base = url === undefined ? server.url : url.replace('PORT', new URL(server.url).port)
  const body = { name: 'Shop', allowedOrigins: [ORIGIN], scopes: ['read'] }
  const { credential } = await admin(base, 'POST', '/accounts', { body, status: 201 })
  const { token } = await claim(base, credential.token, ORIGIN)
  return { server, base, valid: ['Authorization', `Bearer ${token}`, 'Origin', ORIGIN] }
}

function linesAbout({ stdout }: RunningServer, text: string): readonly Json[] {
  return stdout()
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => JSON.parse(line))
}

test('each named header, an empty one too, is 401 for every method; all of them are one log line', async () => {
  const { server, base, valid } = await startWithToken()
  for (const name of NAMED) {
    for (const value of ['', 'GET', '/orders?token=x', 'shop.example']) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const preflight = method === 'OPTIONS' ? ['Access-Control-Request-Method', 'PUT'] : []
        const answer = await send(`${base}/auth/verify`, method, [...valid, ...preflight, name, value])
        expect([name, value, method, answer.status, answer.error]).toEqual([
          ...[name, value, method],
          ...[401, 'invalid_request'],
        ])
        expect(answer.headers['www-authenticate']).toContain('error="invalid_request"')
        expect(Object.keys(answer.headers).filter((one) => one.startsWith('x-claim'))).toEqual([])
      }
    }
  }
  // Twice, in another letter case, on a longer path, beside options, and without a token.
  for (const [path, headers] of [
    ['/auth/verify', ['x-forwarded-uri', '/a', 'x-forwarded-uri', '/a']],
    ['/auth/verify/orders', ['x-ORIGINAL-uri', '/orders']],
    ['/auth/verify?require=none&mode=report', ['X-Forwarded-Host', 'shop.example']],
  ] as const) {
    expect(await send(base + path, 'GET', [...valid, ...headers])).toMatchObject({
      status: 401,
      error: 'invalid_request',
    })
    expect(await send(base + path, 'GET', headers)).toMatchObject({ status: 401, error: 'invalid_request' })
  }
  expect(linesAbout(server, 'CLAIMGATE_TRUSTED_PROXIES')).toEqual([
    expect.objectContaining({ level: 'warn', peer: '127.0.0.1', count: 1 }),
  ])
  expect(server.stdout()).not.toContain('token=x')
})

test('without them the request itself is judged, whatever proxies add to every request', async () => {
  const { server, base, valid } = await startWithToken()
  const added = [
    'X-Forwarded-For',
    '203.0.113.7',
    'X-Forwarded-Proto',
    'https',
    'Via',
    '1.1 edge',
    'X-Real-IP',
    '1.2.3.4',
  ]
  for (const path of ['/auth/verify', '/auth/verify/orders?a=b']) {
    expect((await send(base + path, 'POST', [...valid, ...added])).status).toBe(200)
    expect(await send(base + path, 'GET', added)).toMatchObject({ status: 401, error: 'missing_token' })
  }
  expect(linesAbout(server, 'CLAIMGATE_TRUSTED_PROXIES')).toEqual([])
})

/** Options of the query, and what a valid token of the origin gets: from a stranger, and from a trusted proxy. */
const OPTIONS: readonly (readonly [query: string, stranger: string, proxy: string])[] = [
  ['', '200', '200'],
  ['scope=read', '200', '200'],
  ['scope=pay', '403 insufficient_scope', '403 insufficient_scope'],
  ['require=key', '401 proof_required', '401 proof_required'],
  ['require=ip,key', '401 ip_mismatch', '401 ip_mismatch'],
  ['require=none', '200', '200'],
  ['audience=AUDIENCE', '200', '200'],
  // Not looked at for a stranger, so a value that cannot be read does not matter either.
  ['missingOrigin=allow', '200', '200'],
  ['missingOrigin=nonsense', '200', '401 invalid_request'],
  ['mode=nonsense', '200', '401 invalid_request'],
  ['tokenSources=nonsense', '200', '401 invalid_request'],
  ['apiOrigin=nonsense', '200', '401 invalid_request'],
  ['tickets=nonsense', '200', '401 invalid_request'],
  ['mode=nonsense&scope=pay', '403 insufficient_scope', '401 invalid_request'],
  // Refused for everybody.
  ['Scope=read', '401 invalid_request', '401 invalid_request'],
  ['scopes=read', '401 invalid_request', '401 invalid_request'],
  ['scope=read&debug', '401 invalid_request', '401 invalid_request'],
  ['=', '401 invalid_request', '401 invalid_request'],
  ['scope=', '401 invalid_request', '401 invalid_request'],
  ['scope=a%22b', '401 invalid_request', '401 invalid_request'],
  ['require=', '401 invalid_request', '401 invalid_request'],
  ['require=origin,user', '401 invalid_request', '401 invalid_request'],
  ['require=None', '401 invalid_request', '401 invalid_request'],
  ['audience=', '401 invalid_request', '401 invalid_request'],
  ['audience=https://other.example', '401 invalid_request', '401 invalid_request'],
  ['audience=AUDIENCE&audience=AUDIENCE', '401 invalid_request', '401 invalid_request'],
]

test('scope, require and audience count for everybody, options that widen only for a trusted proxy', async () => {
  const strangers = await startWithToken()
  const proxies = await startWithToken({ CLAIMGATE_TRUSTED_PROXIES: 'loopback' })
  const ask = async (
    { base, valid }: typeof strangers,
    query: string,
    headers: readonly string[] = valid,
  ) => {
    const { status, error } = await send(
      `${base}/auth/verify?${query.replaceAll('AUDIENCE', base)}`,
      'GET',
      headers,
    )
    return error === '' ? String(status) : `${status} ${error}`
  }
  for (const [query, stranger, proxy] of OPTIONS)
    expect([query, await ask(strangers, query), await ask(proxies, query)]).toEqual([query, stranger, proxy])

  const withoutOrigin = (valid: readonly string[]) => valid.slice(0, 2)
  const evil = (valid: readonly string[]) => [...valid.slice(0, 3), 'https://evil.example']
  for (const [query, change, stranger, proxy] of [
    ['missingOrigin=allow', withoutOrigin, '401 origin_required', '200'],
    ['mode=report', evil, '401 origin_mismatch', '200'],
    ['unknown=1', () => [], '401 invalid_request', '401 invalid_request'],
  ] as const) {
    expect([query, await ask(strangers, query, change(strangers.valid))]).toEqual([query, stranger])
    expect([query, await ask(proxies, query, change(proxies.valid))]).toEqual([query, proxy])
  }
})

test('an unknown option refuses preflights too, so that no page finds the API open', async () => {
  for (const env of [{}, { CLAIMGATE_TRUSTED_PROXIES: 'loopback' }]) {
    const { base } = await startWithToken(env)
    const preflight = ['Origin', ORIGIN, 'Access-Control-Request-Method', 'PUT']
    expect((await send(`${base}/auth/verify?scope=read`, 'OPTIONS', preflight)).status).toBe(200)
    const refused = await send(`${base}/auth/verify?scop=read`, 'OPTIONS', preflight)
    expect([refused.status, refused.error]).toEqual([401, 'invalid_request'])
  }
})

test.runIf(HAS_IPV6)(
  'the log names an IPv6 peer in whole, and the setting trusts exactly what it names',
  async () => {
    const env = {
      HOST: '::',
      CLAIMGATE_ISSUER: 'http://issuer.example',
      CLAIMGATE_TRUSTED_PROXIES: '127.0.0.1',
    }
    const { server, base, valid } = await startWithToken(env, 'http://127.0.0.1:PORT')
    const asking = [...valid, 'X-Original-URI', '/orders', 'X-Original-Method', 'GET']
    expect((await send(`${base}/auth/verify`, 'GET', asking)).status).toBe(200)
    const other = base.replace('127.0.0.1', '[::1]')
    expect(await send(`${other}/auth/verify`, 'GET', asking)).toMatchObject({
      status: 401,
      error: 'invalid_request',
    })
    expect(linesAbout(server, 'CLAIMGATE_TRUSTED_PROXIES')).toEqual([
      expect.objectContaining({ peer: '::1', count: 1 }),
    ])
  },
)
