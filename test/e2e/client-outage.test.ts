// The browser door in bad times, in a real browser: the issuer away for a while, a backend that is down or asks to be
// left alone. Calls fail with what happened, no server is flooded, and everything recovers by itself.

import type { BrowserContext, Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type ClientWorld,
  call,
  type Outcome,
  type PageGlobals,
  startClient,
} from '../support/client-world.ts'
import { findFreePort } from '../support/ports.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import { CHROMIUM } from './chromium.ts'
import { useClientPages } from './client-pages.ts'

const servers = useServers()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let world: ClientWorld
  let issuer: RunningServer
  let start: () => Promise<RunningServer>
  let context: BrowserContext
  let page: Page
  const clientTokenUri = '/client-token?life=10'

  beforeAll(async () => {
    const dir = servers.makeFolder()
    const env = { PORT: String(await findFreePort()) }
    start = () => servers.start({ dir, env })
  })
  useClientPages(
    async () => {
      issuer = await start()
      return issuer
    },
    (pages) => {
      ;({ world, context, page } = pages)
    },
  )

  /** Calls until one ends as it should; gives how all ended. */
  async function callUntil(isDone: (outcome: Outcome) => boolean, limitMs: number): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    const end = performance.now() + limitMs
    while (performance.now() < end) {
      const outcome = await call(page, 'get', '/data')
      outcomes.push(outcome)
      if (isDone(outcome)) return outcomes
      await pause(100)
    }
    throw new Error(`no such outcome in ${limitMs} ms: ${JSON.stringify(outcomes.at(-1))}`)
  }

  test('the issuer goes away and comes back', async () => {
    await startClient(page, { clientTokenUri })
    // The API knows the keys from here on.
    await call(page, 'get', '/data')
    issuer.kill()
    await issuer.exited
    const began = performance.now()
    // The token works to its end, renewals failing behind it.
    const failed = await callUntil(({ error }) => error !== undefined, 15_000)
    expect(performance.now() - began).toBeGreaterThan(7000)
    expect(failed.at(-1)?.error).toMatchObject({
      name: 'DataClientError',
      status: 504,
      code: 'gateway_timeout',
      problem: { status: 504 },
      message: expect.stringContaining('the token endpoint answered 504'),
    })
    // The very last call may have come when its token had just ended.
    const statuses = world.api.seen.map(({ status }) => status)
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set([200]))
    // It is told, and asks ever less often, however much is called.
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 504 } })
    const heard = await page.evaluate(() => (globalThis as unknown as PageGlobals).heard)
    expect(heard.length).toBe(world.asked().length - 1)
    expect(heard[0]).toEqual({ status: 504, code: 'gateway_timeout' })
    await pause(4000)
    expect(world.asked().length).toBeLessThan(9)

    issuer = await start()
    const recovered = await callUntil(({ value }) => value !== undefined, 20_000)
    expect(recovered.at(-1)?.value).toMatchObject({ method: 'GET' })
  })

  test('a backend that is down when the page loads', async () => {
    const down = { status: 503, body: { error: 'unavailable' } }
    world.site.script.push(down)
    expect(await startClient(page, { clientTokenUri })).toMatchObject({
      error: { status: 503, code: 'unavailable' },
    })
    world.site.script.push(down, down, down)
    expect(await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })).toEqual({})
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 503, code: 'unavailable' } })
    await callUntil(({ value }) => value !== undefined, 15_000)
    // Without a call, too; the two clients' requests are four failures and a success.
    expect(world.asked().map(({ status }) => status)).toEqual([503, 503, 503, 503, 200])
  })

  test('a backend that cannot be reached at all', async () => {
    await context.route('**/client-token*', (route) => route.abort('connectionrefused'))
    expect(await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })).toEqual({})
    expect(await call(page, 'get', '/data')).toMatchObject({
      error: { status: 0, code: 'network_error', message: 'the token endpoint cannot be reached' },
    })
    await context.unroute('**/client-token*')
    // That the network is back, browsers tell.
    await page.evaluate('dispatchEvent(new Event("online"))')
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
  })

  test.each([429, 503])('a %d of the token endpoint is obeyed to the second', async (status) => {
    world.site.script.push({ status, headers: { 'retry-after': '3' }, body: { error: 'rate_limited' } })
    await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })
    const outcomes = await callUntil(({ value }) => value !== undefined, 10_000)
    expect(outcomes.length).toBeGreaterThan(10)
    for (const { error } of outcomes.slice(0, -1))
      expect(error).toMatchObject({ status, code: 'rate_limited' })
    // Waking up is no excuse.
    const [first, second] = world.asked()
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2995)
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(5000)
  })

  test('a renewal that is put off does not disturb the token that still works', async () => {
    await startClient(page, { clientTokenUri: '/client-token?life=20' })
    world.site.script.push({ status: 429, headers: { 'retry-after': '1' } })
    const end = performance.now() + 19_000
    while (performance.now() < end) {
      expect(await call(page, 'get', '/data')).toHaveProperty('value')
      await page.evaluate('dispatchEvent(new Event("online"))')
      await pause(100)
    }
    expect(world.asked().map(({ status }) => status)).toEqual([200, 429, 200])
    const [, second, third] = world.asked()
    expect((third?.at ?? 0) - (second?.at ?? 0)).toBeGreaterThanOrEqual(995)
  })

  test('a page that was signed out asks again when it is called, not before', async () => {
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
    await pause(3000)
    expect(world.asked()).toHaveLength(1)
    expect(await ask()).toBe('a token')
  })
})
