// claimgate/browser where things are not as in a laboratory: several visitors in one browser, an API with 401s of its own,
// storage that is broken or never answers, frames without a URL.

import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { type ClientWorld, call, type PageGlobals, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { describeInBrowsers, useClientPages } from './client-pages.ts'

const servers = useServers()
const clientTokenUri = '/client-token'

describeInBrowsers((launch) => {
  let world: ClientWorld
  let context: BrowserContext
  let page: Page
  useClientPages(
    launch,
    () => servers.start(),
    (started) => {
      ;({ world, context, page } = started)
    },
  )
  const asked = () => world.asked().length
  const tokens = () => world.api.seen.map(({ headers }) => headers.authorization)

  describe('sessions', () => {
    test('tabs of one session share a token, tabs of different sessions do not', async () => {
      const pages = [page, await world.open(context), await world.open(context)]
      await Promise.all(
        pages.map(async (one, index) => {
          await startClient(one, { clientTokenUri, session: index < 2 ? 'ann' : 'bob' })
        }),
      )
      for (const one of pages) await call(one, 'get', '/data')
      expect(asked()).toBe(2)
      const [ann, again, bob] = tokens()
      expect(again).toBe(ann)
      expect(bob).not.toBe(ann)
    })

    test.each(['', 'x'.repeat(201), 5, ['ann']])(
      'a session must be 1 to 200 characters: %j',
      async (session) => {
        const { error } = await startClient(page, { clientTokenUri, session: session as string })
        expect(error).toMatchObject({ name: 'TypeError', message: expect.stringContaining('session') })
        expect(asked()).toBe(0)
      },
    )

    test('invalidate() also disowns the answer that is under way', async () => {
      const token = await page.evaluate(async () => {
        const { claimgate } = globalThis as unknown as PageGlobals
        const source = claimgate.createTokenSource({
          clientTokenUri: '/client-token',
          fetch: async (...request) => {
            const answer = await fetch(...request)
            await new Promise((resolve) => setTimeout(resolve, 300))
            return answer
          },
        })
        const waiting = source.getToken()
        await new Promise((resolve) => setTimeout(resolve, 100))
        source.invalidate()
        const [first, second] = [await waiting, await source.getToken()]
        return [first === second, first]
      })
      expect(asked()).toBe(2)
      expect(token[0]).toBe(true)
      expect(payloadOf(String(token[1])).origin).toBe(world.site.origin)
    })

    test('a page that its endpoint refused takes no token of another tab', async () => {
      const baseUrl = `${world.api.origin}/v1`
      const other = await world.open(context)
      await startClient(page, { clientTokenUri, baseUrl })
      await page.evaluate(() => {
        const { claimgate } = globalThis as unknown as PageGlobals
        const source = claimgate.createTokenSource({ clientTokenUri: '/client-token' })
        Object.assign(globalThis, { source })
      })
      const getToken = () =>
        page.evaluate(() =>
          (globalThis as unknown as PageGlobals).source.getToken().catch(({ status }) => status),
        )
      await page.evaluate(() => (globalThis as unknown as PageGlobals).client.close())
      await page.evaluate(() => (globalThis as unknown as PageGlobals).source.invalidate())
      world.site.script.push({ status: 403, body: { error: 'not_you' } })
      expect(await getToken()).toBe(403)
      await startClient(other, { clientTokenUri, baseUrl })
      await call(other, 'get', '/data')
      expect(await getToken()).toBe(403)
    })
  })

  describe('a 401 that is not about the token', () => {
    test.each<[string, object]>([
      ['a code that contains one of ours', { body: { error: 'mail_token_expired' } }],
      ['a sentence', { body: { message: 'the other service said invalid_token' } }],
      [
        'a code of its own, with a challenge of ours',
        {
          body: { error: 'login_required' },
          headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        },
      ],
      [
        'a challenge of another scheme',
        { headers: { 'www-authenticate': 'Basic realm="error=invalid_token"' } },
      ],
    ])('reaches the caller, and nothing is repeated: %s', async (_, answer) => {
      await startClient(page, { clientTokenUri })
      world.api.script.push({ status: 401, ...answer })
      expect(await call(page, 'post', '/data', { pay: 1 })).toMatchObject({ error: { status: 401 } })
      expect([world.api.seen.length, asked()]).toEqual([1, 1])
    })

    test.each(['token_expired', 'token_revoked', 'ip_mismatch', 'invalid_token'])(
      'is repeated when the body says %s',
      async (error) => {
        await startClient(page, { clientTokenUri })
        world.api.script.push({ status: 401, body: { error } })
        expect(await call(page, 'get', '/data')).toHaveProperty('value')
        expect([world.api.seen.length, asked()]).toEqual([2, 2])
      },
    )
  })

  test('an aborted call rejects with the reason, also before a token has come', async () => {
    const outcome = await page.evaluate(async () => {
      const { claimgate } = globalThis as unknown as PageGlobals
      const unhandled: string[] = []
      addEventListener('unhandledrejection', (event) =>
        unhandled.push(String((event as unknown as Json).reason)),
      )
      const client = await claimgate.autoInitializeDataClient({ clientTokenUri: '/client-token' })
      const reason = new Error('left the page')
      const error = await client
        .get('/data', { signal: AbortSignal.abort(reason) })
        .catch((thrown) => thrown as Error)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return [(error as Error).message, unhandled]
    })
    expect(outcome).toEqual(['left the page', []])
  })

  describe('with dpop', () => {
    test.each<[string, string]>([
      ['an object', '({})'],
      ['a text', '"key"'],
      [
        'half a pair',
        'crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]).then(({ privateKey }) => ({ privateKey }))',
      ],
      [
        'a pair of another curve',
        'crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, false, ["sign"])',
      ],
      [
        'a pair that can be extracted',
        'crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"])',
      ],
    ])('a stored key that cannot be used is replaced: %s', async (_, stored) => {
      await page.evaluate(`(async () => {
        const opening = indexedDB.open('claimgate', 1)
        opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
        await new Promise((resolve) => { opening.onsuccess = resolve })
        const value = await ${stored}
        const putting = opening.result.transaction('keys', 'readwrite').objectStore('keys').put(value, 'dpop')
        await new Promise((resolve) => { putting.onsuccess = resolve })
        opening.result.close()
      })()`)
      for (let tab = 0; tab < 2; tab += 1) {
        const one = await world.open(context)
        expect(await startClient(one, { clientTokenUri, dpop: true })).toEqual({})
        expect(await call(one, 'get', '/data')).toHaveProperty('value')
      }
      const keys = tokens().map((token) => payloadOf(token ?? '').cnf.jkt)
      expect(new Set(keys).size).toBe(1)
    })

    test.each<[string, string]>([
      ['IndexedDB', 'indexedDB.open = () => ({})'],
      ['Web Locks', 'navigator.locks.request = () => new Promise(() => {})'],
    ])('calls succeed within seconds when %s never answers', async (_, breakIt) => {
      await page.evaluate(breakIt)
      const startedAt = performance.now()
      expect(await startClient(page, { clientTokenUri, dpop: true })).toEqual({})
      expect(await call(page, 'get', '/data')).toHaveProperty('value')
      expect(performance.now() - startedAt).toBeLessThan(8000)
    })
  })

  test('in a frame without a URL of its own, paths belong to the page around it', async () => {
    const outcome = await page.evaluate(async () => {
      const { document } = globalThis as Json
      const frame = document.createElement('iframe')
      frame.srcdoc = '<p>a widget</p>'
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
      document.body.append(frame)
      await loaded
      const module = await frame.contentWindow.eval(`import('${location.origin}/client.js')`)
      const client = await module.autoInitializeDataClient({ clientTokenUri: '/client-token' })
      return client.get('/data')
    })
    expect(outcome).toMatchObject({ method: 'GET' })
  })
})
