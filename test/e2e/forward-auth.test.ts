// Forward auth as a proxy sees it, rule by rule, in this process. Real proxies run in other files.

import { describe, expect, test } from 'vitest'
import { lookalikes, preflights as validPreflights } from '../support/preflights.ts'
import type { WireAnswer } from '../support/wire.ts'
import { claimToken, expectProblem, payloadOf, SITE } from '../support/world.ts'
import { anonymous, CLIENT, expectPass, type Headers, useForwardAuth } from './forward-auth.ts'

const auth = useForwardAuth()

const original = (path: string): Headers => ({ 'x-original-method': 'POST', 'x-original-uri': path })

function claimHeaders(answer: WireAnswer): string[] {
  return [...answer.headers.keys()].filter((name) => name.startsWith('x-claim-'))
}

function countLines(text: string): number {
  return auth.service.lines.filter((line) => line.includes(text)).length
}

describe('the answer', () => {
  test('a valid token: 200, no body, claims in headers', async () => {
    const answer = await auth.ask('/auth/verify', original('/orders?a=1'))
    expectPass(answer)
    const claims = payloadOf(auth.token)
    expect(answer.headers.get('x-claim-subject')).toBe(claims.sub)
    expect(answer.headers.get('x-claim-client')).toBe(claims.client_id)
    expect(answer.headers.get('x-claim-scope')).toBe('read write')
    expect(answer.headers.get('x-claim-origin')).toBe(SITE)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('access-control-allow-origin')).toBe(SITE)
    expect(answer.headers.get('vary')).toBe('Origin')
  })

  test('no header for a claim that the token lacks', async () => {
    const now = Math.floor(Date.now() / 1000)
    const { origin, scope, ...claims } = { ...payloadOf(auth.token), iat: now, exp: now + 60 }
    const bare = await auth.service.deps.keyRing.sign(JSON.stringify(claims))
    const without = { authorization: `Bearer ${bare}` }
    expectProblem(await auth.ask('/auth/verify', without), 401, 'origin_required', auth.world)
    const answer = await auth.ask('/auth/verify?require=none', without)
    expectPass(answer)
    expect(claimHeaders(answer).sort()).toEqual(['x-claim-client', 'x-claim-subject'])
    expect([origin, scope]).toEqual([SITE, 'read write'])
  })

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'a %s passes with a token and is refused without, at /auth/verify and on longer paths',
    async (method) => {
      for (const path of ['/auth/verify', '/auth/verify/', '/auth/verify/orders/1?a=b']) {
        expectPass(await auth.ask(path, {}, method))
        expect((await auth.ask(path, anonymous(), method)).status).toBe(401)
      }
    },
  )

  test.each([
    ['two different tokens', { 'x-client-token': 'other' }],
    ['several Authorization headers', { authorization: ['Bearer a', 'Bearer b'] }],
  ])('%s: 401 instead of 400, which nginx would turn into a 500', async (_, headers) => {
    const answer = await auth.ask('/auth/verify', headers)
    expectProblem(answer, 401, 'invalid_request', auth.world)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_request"')
  })

  test('a refusal: problem, challenge, CORS, no claims', async () => {
    const answer = await auth.ask('/auth/verify', anonymous())
    expectProblem(answer, 401, 'missing_token', auth.world)
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    expect(answer.headers.get('access-control-allow-origin')).toBe(SITE)
    expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(claimHeaders(answer)).toEqual([])
    // nginx drops the body, so the problem is in a header too.
    expect(answer.headers.get('claimgate-problem')).toBe(answer.text)
  })

  test('verdicts are counted', async () => {
    const count = async (labels: string) => {
      const line = (await auth.service.deps.metrics.render())
        .split('\n')
        .find((text) => text.includes(labels))
      return Number(line?.split(' ').at(-1) ?? 0)
    }
    const labels = '{outcome="would_block",code="insufficient_scope"}'
    const before = await count(labels)
    await auth.ask('/auth/verify?mode=report&scope=admin')
    expect(await count(labels)).toBe(before + 1)
  })
})

describe('options of the operator', () => {
  const rows: readonly [options: string, headers: Headers, expected: 200 | readonly [number, string]][] = [
    ['scope=read', {}, 200],
    ['scope=read+write', {}, 200],
    ['scope=read&scope=write', {}, 200],
    ['scope=read%20admin', {}, [403, 'insufficient_scope']],
    ['scope=read&scope=admin', {}, [403, 'insufficient_scope']],
    ['missingOrigin=reject', { origin: [] }, [401, 'origin_required']],
    ['missingOrigin=allow', { origin: [] }, 200],
    ['missingOrigin=allow', { origin: 'https://evil.example' }, [401, 'origin_mismatch']],
    ['require=origin', {}, 200],
    ['require=none', {}, 200],
    ['require=none', { origin: [] }, [401, 'origin_required']],
    ['require=ip', {}, [401, 'ip_mismatch']],
    ['require=origin,key', {}, [401, 'proof_required']],
    ['require=origin&require=ip', {}, [401, 'ip_mismatch']],
    ['mode=enforce', { origin: 'https://evil.example' }, [401, 'origin_mismatch']],
    ['apiOrigin=https://www.example.com', { origin: [], 'sec-fetch-site': 'same-origin' }, 200],
    [
      'apiOrigin=https://other.example',
      { origin: [], 'sec-fetch-site': 'same-origin' },
      [401, 'origin_mismatch'],
    ],
    ['tokenSources=x-client-token', {}, [401, 'missing_token']],
    ['tokenSources=authorization,query', {}, 200],
  ]
  test.each(rows)('?%s with %j', async (options, headers, expected) => {
    const answer = await auth.ask(`/auth/verify?${options}`, headers)
    if (expected === 200) expectPass(answer)
    else expectProblem(answer, ...expected, auth.world)
  })

  test.each([
    'scopes=read',
    'token=x',
    '__proto__=x',
    'scope=',
    'scope=%22',
    'mode=off',
    'mode=enforce&mode=report',
    'missingOrigin=',
    'require=',
    'require=origin,',
    'require=jkt',
    'require=none,ip',
    'require=none&require=origin',
    'audience=',
    'audience=https://elsewhere.example',
    'audience=https://auth.example.com&audience=https://auth.example.com',
    'tickets=on',
    'tokenSources=cookie',
    'apiOrigin=api.example.com',
    'apiOrigin=https://api.example.com/v1',
    'apiOrigin=capacitor://localhost',
    'apiOrigin=https://*.example.com',
    'apiOrigin=https://api.example.com&apiOrigin=b',
    'scope=read&Mode=report',
  ])('?%s: every request is refused, and one line is logged', async (options) => {
    const said = () => countLines('misconfigured proxy')
    const before = said()
    for (const _ of [1, 2]) {
      expectProblem(await auth.ask(`/auth/verify?${options}`), 401, 'invalid_request', auth.world)
    }
    expect(said()).toBe(before + 1)
  })

  test('the cache of options is bounded, and options that left it are read and logged again', async () => {
    const said = () => countLines('misconfigured proxy')
    await auth.ask('/auth/verify?mode=forgotten')
    const before = said()
    for (let n = 0; n < 150; n += 1) {
      expect((await auth.ask(`/auth/verify?scope=read%20x${n}`)).status).toBe(403)
    }
    expectPass(await auth.ask('/auth/verify?scope=read'))
    await auth.ask('/auth/verify?mode=forgotten')
    expect(said()).toBe(before + 1)
  })

  test('mode=report: a wrong origin is only reported, an invalid token is still refused', async () => {
    const answer = await auth.ask('/auth/verify?mode=report', { origin: 'https://evil.example' })
    expectPass(answer)
    expect(answer.headers.get('claimgate-would-block')).toBe('origin_mismatch')
    expect(answer.headers.get('x-claim-subject')).toBe(auth.world.accountId)
    expectProblem(await auth.ask('/auth/verify?mode=report', anonymous()), 401, 'missing_token', auth.world)
    expectProblem(
      await auth.ask('/auth/verify?mode=report', { authorization: `Bearer ${auth.token}x` }),
      401,
      'invalid_token',
      auth.world,
    )
  })
})

describe('the original request', () => {
  test('a token in the query of the original request counts only with tokenSources=query', async () => {
    const inQuery = anonymous(original(`/orders?token=${auth.token}`))
    expectProblem(await auth.ask('/auth/verify', inQuery), 401, 'missing_token', auth.world)
    expectPass(await auth.ask('/auth/verify?tokenSources=query', inQuery))
    expectPass(await auth.ask('/auth/verify?tokenSources=authorization,query', inQuery))
  })

  test('a token in the query of the forward-auth request itself never counts', async () => {
    const answer = await auth.ask(
      `/auth/verify?tokenSources=query&token=${auth.token}`,
      anonymous(original('/orders')),
    )
    expectProblem(answer, 401, 'invalid_request', auth.world)
    const below = await auth.ask(`/auth/verify/orders?token=${auth.token}`, anonymous())
    expectProblem(below, 401, 'missing_token', auth.world)
  })

  test.each([
    ['two headers with the same method', { 'x-original-method': 'POST', 'x-forwarded-method': 'POST' }, 200],
    ['two headers with the same target', { 'x-original-uri': '/a', 'x-forwarded-uri': '/a' }, 200],
    [
      'two headers with different methods',
      { 'x-original-method': 'GET', 'x-forwarded-method': 'OPTIONS' },
      401,
    ],
    ['two headers with different targets', { 'x-original-uri': '/a', 'x-forwarded-uri': '/b' }, 401],
    ['a repeated method header', { 'x-original-method': ['GET', 'OPTIONS'] }, 401],
    ['a repeated target header', { 'x-forwarded-uri': ['/a', '/b'] }, 401],
    ['an empty method', { 'x-original-method': '' }, 401],
    ['a target without a path', { 'x-original-uri': 'https://api.example.com/a' }, 401],
  ] as const)('%s: %j', async (_, headers, status) => {
    const answer = await auth.ask('/auth/verify', headers)
    if (status === 200) expectPass(answer)
    else expectProblem(answer, 401, 'invalid_request', auth.world)
  })

  test.each([
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'www.example.com' }, 200],
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'WWW.example.com:443' }, 200],
    [{ 'x-forwarded-proto': 'http', 'x-forwarded-host': 'www.example.com' }, 'origin_mismatch'],
    [
      { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'www.example.com, evil.example' },
      'origin_mismatch',
    ],
    [{ 'x-forwarded-proto': 'http,https', 'x-forwarded-host': 'evil.example,www.example.com' }, 200],
    [{ 'x-forwarded-proto': ' http , https , ', 'x-forwarded-host': 'a,www.example.com,,' }, 200],
    [{ 'x-forwarded-proto': ['http', 'https'], 'x-forwarded-host': ['a', 'www.example.com', ''] }, 200],
    [{ 'x-forwarded-proto': 'https,http', 'x-forwarded-host': 'www.example.com' }, 'origin_mismatch'],
    [{ 'x-forwarded-proto': ',', 'x-forwarded-host': 'www.example.com' }, 'origin_required'],
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'www.example.com/..' }, 'origin_required'],
    [{ 'x-forwarded-proto': 'https' }, 'origin_required'],
    [{ host: 'www.example.com' }, 'origin_required'],
  ] as const)('a same-origin request with %j: %s', async (headers, expected) => {
    const answer = await auth.ask('/auth/verify', { origin: [], 'sec-fetch-site': 'same-origin', ...headers })
    if (expected === 200) expectPass(answer)
    else expectProblem(answer, 401, expected, auth.world)
  })

  test('the option apiOrigin has priority over X-Forwarded-Host', async () => {
    const answer = await auth.ask('/auth/verify?apiOrigin=https://www.example.com', {
      origin: [],
      'sec-fetch-site': 'same-origin',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'other.example',
    })
    expectPass(answer)
  })

  test('the client’s address is the one that the proxy added to X-Forwarded-For', async () => {
    const bound = { authorization: `Bearer ${await claimToken(auth.world, { ip: CLIENT })}` }
    expectPass(await auth.ask('/auth/verify', bound))
    const forged = { ...bound, 'x-forwarded-for': `${CLIENT}, 203.0.113.99` }
    expectProblem(await auth.ask('/auth/verify', forged), 401, 'ip_mismatch', auth.world)
  })
})

describe('preflights', () => {
  const preflight: Headers = {
    authorization: [],
    origin: 'http://localhost:5173',
    'access-control-request-method': 'PUT',
  }
  const descriptions: readonly (readonly [proxy: string, method: string, Headers])[] = [
    ['nginx', 'GET', { 'x-original-method': 'OPTIONS', 'x-original-uri': '/orders' }],
    ['Caddy and Traefik', 'GET', { 'x-forwarded-method': 'OPTIONS', 'x-forwarded-uri': '/orders' }],
    ['Envoy', 'OPTIONS', {}],
  ]
  test.each(descriptions)('as described by %s: 200 with the CORS headers', async (_, method, headers) => {
    const answer = await auth.ask('/auth/verify', { ...preflight, ...headers }, method)
    expectPass(answer)
    expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
    expect(answer.headers.get('access-control-allow-methods')).toBe('PUT')
    expect(answer.headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(answer.headers.get('access-control-max-age')).toBe('7200')
    expect(claimHeaders(answer)).toEqual([])
  })

  test('with a token: no claims in the answer', async () => {
    const answer = await auth.ask(
      '/auth/verify',
      { ...preflight, authorization: `Bearer ${auth.token}` },
      'OPTIONS',
    )
    expectPass(answer)
    expect(claimHeaders(answer)).toEqual([])
  })

  test.each([
    ['null', 'null'],
    ['an app that no account lists', 'capacitor://other'],
  ])('with the origin %s: 200 without CORS', async (_, origin) => {
    const answer = await auth.ask('/auth/verify', { ...preflight, origin }, 'OPTIONS')
    expectPass(answer)
    expect(answer.headers.get('vary')).toBe('Origin')
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  test.each(validPreflights)('200 without a token: $name', async ({ origin, asks }) => {
    const headers = { ...preflight, origin, 'access-control-request-method': asks }
    const described = { 'x-original-method': 'OPTIONS', 'x-original-uri': '/orders' }
    expectPass(await auth.ask('/auth/verify', { ...headers, ...described }))
  })

  test.each(lookalikes)(
    '401 for an OPTIONS that is not a preflight: $name',
    async ({ method = 'OPTIONS', origin, asks }) => {
      const headers = { ...preflight, origin, 'access-control-request-method': asks }
      const described = { 'x-original-method': method, 'x-original-uri': '/orders' }
      const answer = await auth.ask('/auth/verify', { ...headers, ...described })
      expectProblem(answer, 401, 'missing_token', auth.world)
      const whoami = await auth.world.send({ method: 'OPTIONS', path: '/auth/whoami', headers })
      if (method === 'OPTIONS') expect(whoami.headers.get('access-control-allow-methods')).toBeNull()
    },
  )

  test('an OPTIONS without Access-Control-Request-Method is verified like other requests', async () => {
    expectProblem(await auth.ask('/auth/verify', anonymous(), 'OPTIONS'), 401, 'missing_token', auth.world)
  })
})
