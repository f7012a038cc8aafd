// In a real browser: a customer's page with a token can read an API on another origin, and why it refuses a request. A
// thief's page with the same token can read nothing, and the handler of the API does not run.

import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimAuth } from '../../src/verify/middleware/hono.ts'
import { createMint, now, RULES } from '../support/mint.ts'
import { useServers } from '../support/server.ts'
import { type Json, sendToSocket } from '../support/wire.ts'
import { claimRequest, createAccount } from '../support/world.ts'
import {
  CHROMIUM,
  fetchIn,
  launchChromium,
  type PageAnswer,
  type PageInit,
  type Site,
  startSite,
} from './chromium.ts'

const servers = useServers()

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let browser: Browser
  let [app, thief]: Site[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    ;[app, thief] = [await startSite('app'), await startSite('thief')]
  })
  afterAll(async () => {
    await browser?.close()
    await app?.stop()
    await thief?.stop()
  })
  const originOf = (site: Site | undefined): string => site?.origin ?? ''

  describe('an API behind claimAuth', () => {
    const mint = createMint('ES256')
    let api: ServerType
    let url = ''
    let handled: string[] = []
    let seen: string[] = []
    let [appPage, thiefPage]: Page[] = []
    const tokenOf = (claims: Json = {}): string => mint.token({ origin: originOf(app), ...claims })
    const bearer = (token: string): PageInit => ({ headers: { authorization: `Bearer ${token}` } })

    beforeAll(async () => {
      const rules = { ...RULES, jwks: { keys: [mint.jwk] } }
      const hono = new Hono()
      hono.use('*', async (context, next) => {
        const { method, url: asked } = context.req.raw
        seen.push(
          `${method} ${new URL(asked).pathname} ${context.req.header('authorization') ? 'token' : 'none'}`,
        )
        await next()
      })
      hono.use('/data', claimAuth({ ...rules, allowedOrigins: [originOf(app)] }))
      hono.use('/open', claimAuth({ ...rules, allowedOrigins: '*' }))
      hono.all('*', (context) => {
        handled.push(context.req.path)
        context.header('cache-control', 'public, max-age=600')
        return context.json({ secret: 'of the customer', method: context.req.method })
      })
      await new Promise<void>((resolve) => {
        api = serve({ fetch: hono.fetch, hostname: '127.0.0.1', port: 0 }, () => resolve())
      })
      url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
    })
    afterAll(() => new Promise<void>((resolve) => void api.close(() => resolve())))
    // One context, so that both pages share the caches of the browser, as two tabs of one user do.
    beforeEach(async () => {
      const context = await browser.newContext()
      ;[appPage, thiefPage] = [await app?.open(context), await thief?.open(context)] as [Page, Page]
      ;[handled, seen] = [[], []]
      return () => context.close()
    })
    const asApp = (path: string, init?: PageInit) => fetchIn(appPage as Page, url + path, init)
    const asThief = (path: string, init?: PageInit) => fetchIn(thiefPage as Page, url + path, init)

    test('gives its data to the page that the token is for, after a preflight without it', async () => {
      const answer = (await asApp('/data', bearer(tokenOf()))) as PageAnswer
      expect(answer).toMatchObject({ status: 200, type: 'cors' })
      expect(JSON.parse(answer.text)).toEqual({ secret: 'of the customer', method: 'GET' })
      expect(seen).toEqual(['OPTIONS /data none', 'GET /data token'])
      const written = { ...bearer(tokenOf()), method: 'PUT', body: '{}' }
      expect(await asApp('/data', written)).toMatchObject({ status: 200 })
      expect(handled).toEqual(['/data', '/data'])
    })

    test.each<[string, () => string, string]>([
      ['expired', () => tokenOf({ iat: now() - 60, exp: now() - 30 }), 'token_expired'],
      ['forged', () => createMint('ES256').token({ origin: originOf(app) }), 'invalid_token'],
      ['for another origin', () => tokenOf({ origin: 'https://other.example' }), 'origin_mismatch'],
      ['for another address', () => tokenOf({ ip: '203.0.113.7' }), 'ip_mismatch'],
    ])('tells the page why its token is refused: %s', async (_, token, code) => {
      const answer = (await asApp('/data', bearer(token()))) as PageAnswer
      expect(answer).toMatchObject({ status: 401, type: 'cors' })
      expect(answer.headers).toMatchObject({
        'content-type': 'application/problem+json',
        'www-authenticate': 'Bearer error="invalid_token"',
      })
      const problem = JSON.parse(answer.text)
      expect(problem).toMatchObject({ status: 401, error: code, requestId: answer.headers['x-request-id'] })
      expect(problem.detail).toMatch(/^the token /)
      expect(handled).toEqual([])
    })

    test('tells the page that it needs a token', async () => {
      const answer = (await asApp('/data')) as PageAnswer
      expect(answer).toMatchObject({ status: 401 })
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer, DPoP /)
      expect(JSON.parse(answer.text).error).toBe('missing_token')
    })

    test('gives a thief’s page with the stolen token nothing', async () => {
      const stolen = tokenOf()
      expect(await asThief('/data', bearer(stolen))).toBe('TypeError')
      expect(await asThief('/data', { headers: { 'x-client-token': stolen } })).toBe('TypeError')
      expect(await asThief('/data')).toBe('TypeError')
      expect(await asThief(`/data?token=${stolen}`)).toBe('TypeError')
      // A request without a preflight arrives, but the browser drops its token header.
      for (const method of ['GET', 'POST']) {
        const blind = (await asThief('/data', { ...bearer(stolen), mode: 'no-cors', method })) as PageAnswer
        expect(blind).toMatchObject({ status: 0, type: 'opaque', text: '', headers: {} })
      }
      expect(seen.filter((line) => line.endsWith('token'))).toEqual([])
      expect(handled).toEqual([])
    })

    test('with allowedOrigins "*" tells the thief’s page only that the token is refused', async () => {
      const stolen = tokenOf()
      const answer = (await asThief('/open', bearer(stolen))) as PageAnswer
      expect(answer.status).toBe(401)
      expect(JSON.parse(answer.text).error).toBe('origin_mismatch')
      expect(answer.text).not.toContain(originOf(app))
      expect(seen).toContain('GET /open token')
      expect(handled).toEqual([])
      expect(await asApp('/open', bearer(stolen))).toMatchObject({ status: 200 })
    })

    test('gives nothing to a sandboxed frame inside the right page, because its origin is null', async () => {
      const code = await (appPage as Page).evaluate(
        async ([target, token]) => {
          const heard = new Promise((resolve) => {
            globalThis.addEventListener('message', (event) => resolve((event as MessageEvent).data))
          })
          const script = `fetch(${JSON.stringify(target)}, { headers: { authorization: 'Bearer ${token}' } })
            .then((r) => r.json()).then((b) => b.error, (e) => e.name).then((d) => parent.postMessage(origin + ' ' + d, '*'))`
          const { document } = globalThis as unknown as { document: { body: { innerHTML: string } } }
          document.body.innerHTML = `<iframe sandbox="allow-scripts" srcdoc="<script>${script.replaceAll('"', '&quot;')}</script>">`
          return heard
        },
        [`${url}/open`, tokenOf()] as const,
      )
      expect(code).toBe('null TypeError')
      expect(handled).toEqual([])
    })

    test('cached preflights and answers of the page do not help the thief', async () => {
      const token = tokenOf()
      for (const method of ['PUT', 'PUT', 'GET', 'GET']) {
        expect(await asApp('/data', { ...bearer(token), method })).toMatchObject({ status: 200 })
      }
      // One preflight was cached for all requests, and one of the two answers came from the disk cache …
      expect(seen).toEqual(['OPTIONS /data none', 'PUT /data token', 'PUT /data token', 'GET /data token'])
      const before = [handled.length, seen.length]
      // … but the thief gets neither.
      for (const cache of ['default', 'force-cache', 'no-cache'] as const) {
        expect(await asThief('/data', { ...bearer(token), cache })).toBe('TypeError')
        expect(await asThief('/data', { cache })).toBe('TypeError')
      }
      expect(handled.length).toBe(before[0])
      expect(seen.slice(before[1]).filter((line) => line.endsWith('token'))).toEqual([])
      expect(seen.slice(before[1])).toContain('OPTIONS /data none')
      expect(await asApp('/data', bearer(token))).toMatchObject({ status: 200 })
    })

    test('refuses the token from a script outside a browser, unless the script forges the Origin header', async () => {
      const headers = { authorization: `Bearer ${tokenOf()}` }
      for (const [more, status, error] of [
        [{}, 401, 'origin_required'],
        [{ referer: `${originOf(app)}/` }, 401, 'origin_required'],
        [{ origin: originOf(thief) }, 401, 'origin_mismatch'],
        [{ origin: originOf(app) }, 200, undefined],
      ] as const) {
        const answer = await sendToSocket(url, {
          method: 'GET',
          path: '/data',
          headers: { ...headers, ...more },
        })
        expect(answer.status).toBe(status)
        expect(answer.json().error).toBe(error)
      }
    })
  })

  describe('the service itself', () => {
    test('shows the page the claims of its token, and no other page', async () => {
      const { url } = await servers.start()
      const target = {
        issuer: url,
        send: (request: Parameters<typeof sendToSocket>[1]) => sendToSocket(url, request),
        stop: async () => undefined,
      }
      const account = { name: 'Customer', allowedOrigins: [originOf(app)], scopes: ['read'] }
      const { credential } = await createAccount(target, account)
      const claimed = await target.send(claimRequest({ token: credential.token, origin: originOf(app) }))
      const { token } = claimed.json()
      const context = await browser.newContext()
      const [appPage, thiefPage] = [await app?.open(context), await thief?.open(context)] as [Page, Page]
      const init = { headers: { authorization: `Bearer ${token}` } }

      const answer = (await fetchIn(appPage, `${url}/auth/whoami`, init)) as PageAnswer
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.text)).toMatchObject({ origin: originOf(app), scope: 'read', keyBound: false })

      const wrong = { headers: { authorization: `Bearer ${token.slice(0, -4)}AAAA` } }
      const refusal = (await fetchIn(appPage, `${url}/auth/whoami`, wrong)) as PageAnswer
      expect(refusal.status).toBe(401)
      expect(refusal.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
      expect(JSON.parse(refusal.text)).toMatchObject({ error: 'invalid_token', detail: expect.any(String) })

      expect(await fetchIn(thiefPage, `${url}/auth/whoami`, init)).toBe('TypeError')
      // A token in the query needs no preflight: the request arrives, and is refused for its origin.
      expect(await fetchIn(thiefPage, `${url}/auth/whoami?token=${token}`)).toBe('TypeError')
      const metrics = await target.send({ method: 'GET', path: '/metrics' })
      expect(metrics.text).toMatch(/claimgate_verifications_total\{outcome="allow",code=""\} 1\n/)
      expect(metrics.text).toMatch(
        /claimgate_verifications_total\{outcome="deny",code="origin_mismatch"\} 1\n/,
      )

      // A page must not have the secret: a claim from a page is refused, and the page cannot read the answer.
      const secret = { method: 'POST', body: new URLSearchParams({ token: credential.token }).toString() }
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      expect(await fetchIn(appPage, `${url}/auth/claim`, { ...secret, headers })).toBe('TypeError')
      await context.close()
    })
  })
})
