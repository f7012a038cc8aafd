// claimgate/browser in a real browser: calls to an API on another origin, and how the client handles each kind of answer.

import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { type ClientWorld, call, type PageGlobals, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { describeInBrowsers, useClientPages } from './client-pages.ts'

const servers = useServers()

describeInBrowsers((launch) => {
  let world: ClientWorld
  let context: BrowserContext
  let page: Page
  const clientTokenUri = '/client-token'

  useClientPages(
    launch,
    () => servers.start(),
    (started) => {
      ;({ world, context, page } = started)
    },
  )

  const bearers = () => world.api.seen.map(({ headers }) => headers.authorization?.slice('Bearer '.length))
  const statuses = () => world.api.seen.map(({ status }) => status)
  const unauthorized = (challenge: string, error?: string) => ({
    status: 401,
    headers: { 'www-authenticate': challenge },
    body: { error },
  })

  test('the first call gets the address of the API and the token from the backend', async () => {
    expect(await startClient(page, { clientTokenUri })).toEqual({})
    const { value } = await call(page, 'get', '/data')
    expect(value).toMatchObject({ method: 'GET', body: '' })
    expect(world.asked()).toMatchObject([{ method: 'POST', status: 200 }])
    expect(world.api.seen).toMatchObject([{ url: '/v1/data', status: 200 }])
    expect(payloadOf(bearers()[0] ?? '')).toMatchObject({ origin: world.site.origin, jti: value.jti })
  })

  test('twenty simultaneous calls make one request for a token', async () => {
    await page.evaluate(
      async ([baseUrl]) => {
        const globals = globalThis as unknown as PageGlobals
        const source = globals.claimgate.createTokenSource({ clientTokenUri: '/client-token' })
        const tokens = await Promise.all(Array.from({ length: 20 }, () => source.getToken()))
        if (new Set(tokens).size !== 1) throw new Error('several tokens')
        source.close()
        globals.client = await globals.claimgate.autoInitializeDataClient({
          clientTokenUri: '/client-token',
          baseUrl,
        })
        await Promise.all(Array.from({ length: 20 }, () => globals.client.get('data')))
      },
      [`${world.api.origin}/v1/`] as const,
    )
    expect(world.asked()).toHaveLength(2)
    expect(new Set(bearers()).size).toBe(1)
    expect(statuses()).toEqual(Array(20).fill(200))
  })

  test('bodies are sent with the right media type, and answers are parsed by theirs', async () => {
    await startClient(page, { clientTokenUri })
    const jsonType = 'application/json'
    for (const [method, body, type, text] of [
      ['post', { a: [1] }, jsonType, '{"a":[1]}'],
      ['put', [null], jsonType, '[null]'],
      ['patch', 'as it is', 'text/plain;charset=UTF-8', 'as it is'],
      ['post', undefined, null, ''],
    ] as const) {
      const sent = method.toUpperCase()
      expect((await call(page, method, 'data', body)).value).toMatchObject({ method: sent, type, body: text })
    }
    const own = { headers: { 'content-type': 'application/merge-patch+json' }, body: { b: null } }
    expect((await call(page, 'request', 'patch', '/data', own)).value).toMatchObject({
      method: 'PATCH',
      type: 'application/merge-patch+json',
      body: '{"b":null}',
    })
    expect((await call(page, 'delete', '/data')).value).toMatchObject({ method: 'DELETE' })
    expect(await call(page, 'get', '/text')).toEqual({ value: 'plain words' })
    expect(await call(page, 'get', '/nothing')).toEqual({ value: undefined })
    const form = await page.evaluate(async () => {
      const { client } = globalThis as unknown as PageGlobals
      return client.post<{ type: string; body: string }>('/data', new URLSearchParams({ q: 'ä' }))
    })
    expect(form).toMatchObject({ body: 'q=%C3%A4' })
  })

  test('a refusal of the API is an error with its status, code and problem', async () => {
    await startClient(page, { clientTokenUri })
    const problem = { title: 'No such plant', status: 404, detail: 'it has withered', error: 'not_found' }
    world.api.script.push(
      { status: 404, headers: { 'content-type': 'application/problem+json' }, body: problem },
      { status: 500, headers: { 'content-type': 'text/html' } },
      { status: 200, headers: { 'content-type': 'application/json', 'content-encoding': 'identity' } },
    )
    const name = 'DataClientError'
    expect(await call(page, 'get', '/data')).toMatchObject({
      error: { name, status: 404, code: 'not_found', problem, message: expect.stringContaining('withered') },
    })
    expect(await call(page, 'get', '/data')).toMatchObject({
      error: { name, status: 500, code: 'http_error' },
    })
    expect(await call(page, 'get', '/data')).toEqual({ value: undefined })
    const gone = await call(page, 'get', 'http://127.0.0.1:9/closed')
    expect(gone).toMatchObject({ error: { name, status: 0, code: 'network_error' } })
  })

  test.each([
    ['a challenge', unauthorized('Bearer error="invalid_token"')],
    ['a problem, when no challenge can be read', { status: 401, body: { error: 'token_expired' } }],
  ])(
    'a token that the API refuses with %s is renewed once, and the call is repeated once',
    async (_, refusal) => {
      await startClient(page, { clientTokenUri })
      world.api.script.push(refusal)
      expect(await call(page, 'post', '/data', { n: 1 })).toMatchObject({ value: { body: '{"n":1}' } })
      expect(statuses()).toEqual([401, 200])
      expect(world.asked()).toHaveLength(2)
      expect(new Set(bearers()).size).toBe(2)
    },
  )

  test('many calls whose token was revoked share one renewal', async () => {
    await startClient(page, { clientTokenUri })
    world.revoked.add((await call(page, 'get', '/data')).value.jti)
    world.api.seen.length = 0
    await page.evaluate(async () => {
      const { client } = globalThis as unknown as PageGlobals
      await Promise.all(Array.from({ length: 8 }, () => client.get('/data')))
    })
    expect(world.asked()).toHaveLength(2)
    expect(statuses().filter((status) => status === 401)).toHaveLength(8)
    expect(statuses().filter((status) => status === 200)).toHaveLength(8)
  })

  test('a call is repeated at most once, and not after other refusals', async () => {
    await startClient(page, { clientTokenUri })
    const refusal = unauthorized('Bearer error="invalid_token"', 'token_expired')
    world.api.script.push(refusal, refusal)
    const again = await call(page, 'get', '/data')
    expect(again).toMatchObject({ error: { status: 401, code: 'token_expired' } })
    expect([world.api.seen.length, world.asked().length]).toEqual([2, 2])

    for (const other of [
      unauthorized('Bearer', 'unauthorized'),
      { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } },
    ]) {
      world.api.script.push(other)
      expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: other.status } })
    }
    expect([world.api.seen.length, world.asked().length]).toEqual([4, 2])

    // The token came from a refusal a moment ago, so another one would not help.
    world.api.script.push(refusal)
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 401 } })
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
    expect([world.api.seen.length, world.asked().length]).toEqual([6, 2])
  })

  test.each(['Request', 'url'])('a call that is given as a %s is repeated with its body', async (kind) => {
    await startClient(page, { clientTokenUri })
    world.api.script.push(unauthorized('Bearer error="token_revoked"', 'token_revoked'))
    const answer = await page.evaluate(
      async ([how, url]) => {
        const { client } = globalThis as unknown as PageGlobals
        const init = { method: 'PUT', body: new Blob(['twice'], { type: 'text/x-note' }) }
        const response = how === 'url' ? client.fetch(url, init) : client.fetch(new Request(url, init))
        return (await response).json()
      },
      [kind, `${world.api.origin}/v1/data`] as const,
    )
    expect(answer).toMatchObject({ method: 'PUT', type: 'text/x-note', body: 'twice' })
    expect([statuses(), world.asked().length]).toEqual([[401, 200], 2])
  })

  test('a refused proof does not renew the token', async () => {
    await startClient(page, { clientTokenUri })
    world.api.script.push(unauthorized('DPoP error="invalid_dpop_proof", algs="ES256"', 'invalid_proof'))
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
    expect([world.api.seen.length, world.asked().length]).toEqual([2, 1])
  })

  test('a call is repeated once when a 429 asks for a short wait, and fails with the 429 otherwise', async () => {
    await startClient(page, { clientTokenUri })
    const limit = (seconds: string) => ({
      status: 429,
      headers: { 'retry-after': seconds },
      body: { error: 'rate_limited' },
    })
    world.api.script.push(limit('1'))
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
    const [first, second] = world.api.seen
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(995)
    for (const seconds of ['60', 'soon']) {
      world.api.script.push(limit(seconds))
      expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 429, code: 'rate_limited' } })
    }
    expect(statuses()).toEqual([429, 200, 429, 429])
  })

  test('the token is not sent to another origin, not even after a redirect', async () => {
    await startClient(page, { clientTokenUri })
    const elsewhere = await call(page, 'get', `${world.thief.origin}/asked`)
    expect(elsewhere.value).toEqual({ owner: 'thief' })
    const left = await call(page, 'post', '/leave', { secret: false })
    expect(left).toMatchObject({ error: { status: 0, code: 'redirect_refused' } })
    for (const { headers } of world.thief.seen) {
      expect(JSON.stringify(headers)).not.toMatch(/authorization|dpop|eyJ/i)
    }
    expect(world.thief.seen[0]?.url).toBe('/asked')
    expect(await call(page, 'get', '/moved')).toMatchObject({ value: { method: 'GET' } })
    expect(world.asked()).toHaveLength(1)
  })

  test('the URL that is checked is the one that is requested, even if the base of the page or the given URL changes', async () => {
    await startClient(page, { clientTokenUri, apiOrigins: [world.site.origin, world.api.origin] })
    await page.evaluate(
      async ([thief, api]) => {
        const { client } = globalThis as unknown as PageGlobals
        const { document } = globalThis as Json
        const base = document.createElement('base')
        base.href = `${thief}/`
        document.head.append(base)
        await client.fetch('/data?page=0')
        base.remove()
        await client.fetch(`${thief}/asked`)
        const url = new URL(`${api}/v1/data`)
        const pages = [1, 2, 3].map((number) => {
          url.searchParams.set('page', String(number))
          return client.fetch(url)
        })
        url.href = `${thief}/asked`
        await Promise.all(pages)
      },
      [world.thief.origin, world.api.origin] as const,
    )
    expect(world.thief.seen.length).toBeGreaterThan(0)
    for (const { headers } of world.thief.seen) {
      expect(JSON.stringify(headers)).not.toMatch(/authorization|dpop|eyJ/i)
    }
    expect(world.api.seen.map(({ url }) => url).sort()).toEqual(
      [0, 1, 2, 3].map((number) => `/v1/data?page=${number}`),
    )
  })

  test('the token is sent only to the origins in apiOrigins', async () => {
    const { origin } = world.thief
    await startClient(page, { clientTokenUri, apiOrigins: [`${origin}/any/path`] })
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 401, code: 'missing_token' } })
    await call(page, 'get', `${origin}/partner`)
    expect(world.thief.seen[0]?.headers.authorization).toMatch(/^Bearer eyJ/)
    for (const bad of ['data:,x', 'nonsense']) {
      expect(await startClient(page, { clientTokenUri, apiOrigins: [bad] })).toMatchObject({
        error: { name: 'TypeError' },
      })
    }
  })

  test('cookies go to the token endpoint as they do with fetch, and never to the API', async () => {
    for (const [credentials, cookie] of [
      [undefined, 'session=1'],
      ['include', 'session=1'],
      ['omit', undefined],
    ] as const) {
      world.clear()
      await context.addCookies([
        { name: 'session', value: '1', url: world.site.origin },
        { name: 'session', value: '2', url: world.api.origin },
      ])
      await startClient(page, { clientTokenUri, ...(credentials && { credentials }) })
      await call(page, 'get', '/data')
      expect(world.asked().map(({ headers }) => headers.cookie)).toEqual([cookie])
      expect(world.api.seen.map(({ headers }) => headers.cookie)).toEqual([undefined])
    }
  })

  test('calls of a closed client, aborted calls and calls without a token each fail with their own error', async () => {
    await startClient(page, { clientTokenUri })
    const waited = await page.evaluate(async () => {
      const { client, claimgate } = globalThis as unknown as PageGlobals
      client.close()
      const never = await claimgate.autoInitializeDataClient({
        clientTokenUri: '/client-token',
        baseUrl: '/api',
        fetch: (input, init) => (String(input).includes('token') ? Promise.reject() : fetch(input, init)),
      })
      const aborted = new AbortController()
      aborted.abort()
      const codes = [client.get('/data'), never.get('/x', { signal: aborted.signal }), never.get('/x')].map(
        (one) =>
          one.then(
            () => '',
            (error) => `${error.name} ${error.code}`,
          ),
      )
      return Promise.all(codes)
    })
    expect(waited).toEqual(['DataClientError closed', 'AbortError 20', 'DataClientError network_error'])
  })

  test('no token is stored where another script could read it', async () => {
    await startClient(page, { clientTokenUri })
    await call(page, 'get', '/data')
    const found = await page.evaluate(async () => {
      const { localStorage, sessionStorage, document, location } = globalThis as unknown as Record<
        string,
        { readonly cookie: string; readonly href: string }
      >
      const databases = await indexedDB.databases()
      const names = await caches.keys()
      return {
        localStorage: { ...localStorage },
        sessionStorage: { ...sessionStorage },
        cookie: document?.cookie,
        href: location?.href,
        databases,
        names,
      }
    })
    expect(found).toEqual({
      localStorage: {},
      sessionStorage: {},
      cookie: '',
      href: `${world.site.origin}/`,
      databases: [],
      names: [],
    })
    for (const { url } of [...world.site.seen, ...world.api.seen]) expect(url).not.toContain('eyJ')
  })

  test('a refusal or an invalid answer of the backend is an error that names the cause', async () => {
    const refused = { status: 401, body: { error: 'unauthorized', detail: 'sign in first' } }
    for (const [answer, error, more] of [
      [refused, { status: 401, code: 'unauthorized' }, {}],
      [refused, { status: 401, code: 'unauthorized' }, { baseUrl: '/api' }],
      [{ status: 200, body: {} }, { status: 200, code: 'invalid_response' }, {}],
      [{ status: 200, body: { token: 'a', expiresIn: 0 } }, { code: 'invalid_response' }, {}],
      [{ status: 200, body: { token: 'a', expiresIn: 9 } }, { code: 'invalid_response' }, {}],
      [
        { status: 200, body: { token: 'a', expiresIn: 9, tokenType: 'DPoP' } },
        { code: 'invalid_response' },
        {},
      ],
      [{ status: 302, headers: { location: '/login' } }, { status: 0, code: 'network_error' }, {}],
    ] as const) {
      world.site.script.push(answer)
      expect(await startClient(page, { clientTokenUri, ...more })).toMatchObject({
        error: { name: 'DataClientError', ...error, message: expect.stringContaining('the token endpoint') },
      })
    }
    const asked = world.asked().length
    await new Promise((resolve) => setTimeout(resolve, 2000))
    expect(world.asked()).toHaveLength(asked)
  })
})
