// claimgate/browser while the customer's backend is down or asks to wait, in a real browser: calls fail with the cause, the
// backend gets few requests, and calls succeed again without the page's help.

import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { type ClientWorld, call, callUntil, type PageGlobals, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'
import { useClientPages } from './client-pages.ts'

const servers = useServers()

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let world: ClientWorld
  let context: BrowserContext
  let page: Page
  const clientTokenUri = '/client-token?life=10'

  useClientPages(
    launchChromium,
    () => servers.start(),
    (pages) => {
      ;({ world, context, page } = pages)
    },
  )

  test('when the backend is down as the page loads, calls succeed once it is back', async () => {
    const down = { status: 503, body: { error: 'unavailable' } }
    world.site.script.push(down)
    expect(await startClient(page, { clientTokenUri })).toMatchObject({
      error: { status: 503, code: 'unavailable' },
    })
    world.site.script.push(down, down, down)
    expect(await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })).toEqual({})
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 503, code: 'unavailable' } })
    await callUntil(page, ({ value }) => value !== undefined, 40_000)
    // The first client made the first request. The second repeated its request until it succeeded.
    expect(world.asked().map(({ status }) => status)).toEqual([503, 503, 503, 503, 200])
  })

  test('when the backend cannot be reached, calls fail with network_error and succeed once the network is back', async () => {
    await context.route('**/client-token*', (route) => route.abort('connectionrefused'))
    expect(await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })).toEqual({})
    expect(await call(page, 'get', '/data')).toMatchObject({
      error: { status: 0, code: 'network_error', message: 'the token endpoint cannot be reached' },
    })
    await context.unroute('**/client-token*')
    // Browsers report when the network is back.
    await page.evaluate('dispatchEvent(new Event("online"))')
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
  })

  test.each([429, 503])(
    'after a %d the token endpoint is not requested before its Retry-After',
    async (status) => {
      world.site.script.push({ status, headers: { 'retry-after': '3' }, body: { error: 'rate_limited' } })
      await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })
      const outcomes = await callUntil(page, ({ value }) => value !== undefined, 10_000)
      expect(outcomes.length).toBeGreaterThan(10)
      for (const { error } of outcomes.slice(0, -1))
        expect(error).toMatchObject({ status, code: 'rate_limited' })
      // The calls of the page, one about every 100 ms, do not shorten the wait.
      const [first, second] = world.asked()
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2995)
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(5000)
    },
  )

  test('while a renewal is delayed, calls succeed with the token that is still valid', async () => {
    await startClient(page, { clientTokenUri: '/client-token?life=20' })
    world.site.script.push({ status: 429, headers: { 'retry-after': '1' } })
    const end = performance.now() + 19_000
    while (performance.now() < end) {
      expect(await call(page, 'get', '/data')).toHaveProperty('value')
      await page.evaluate('dispatchEvent(new Event("online"))')
      await sleep(100)
    }
    expect(world.asked().map(({ status }) => status)).toEqual([200, 429, 200])
    const [, second, third] = world.asked()
    expect((third?.at ?? 0) - (second?.at ?? 0)).toBeGreaterThanOrEqual(995)
  })

  test('after a 401 of the token endpoint a token is requested again only when the page asks for one', async () => {
    await startClient(page, { clientTokenUri })
    await page.evaluate(async () => {
      const globals = globalThis as unknown as PageGlobals
      globals.client.close()
      globals.source = globals.claimgate.createTokenSource({ clientTokenUri: '/client-token' })
    })
    world.clear()
    world.site.script.push({ status: 401, body: { error: 'unauthorized' } })
    const ask = () =>
      page.evaluate(() =>
        (globalThis as unknown as PageGlobals).source.getToken().then(
          () => 'a token',
          (error) => `${error.status} ${error.code}`,
        ),
      )
    expect(await ask()).toBe('401 unauthorized')
    await sleep(3000)
    expect(world.asked()).toHaveLength(1)
    expect(await ask()).toBe('a token')
  })
})
