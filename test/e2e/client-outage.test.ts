// claimgate/browser during outages, in a real browser: the issuer stops for a while, the backend is down or asks to wait.
// Calls fail with the cause, no server gets too many requests, and everything recovers without the page.

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

  /** Calls until an outcome satisfies `isDone`; resolves to all outcomes. */
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

  test('while the issuer is down calls fail with the cause, and they succeed again after its restart', async () => {
    await startClient(page, { clientTokenUri })
    // From here on the API has the keys of the issuer.
    await call(page, 'get', '/data')
    issuer.kill()
    await issuer.exited
    const began = performance.now()
    // The token works until it expires, while renewals fail.
    const failed = await callUntil(({ error }) => error !== undefined, 15_000)
    expect(performance.now() - began).toBeGreaterThan(7000)
    expect(failed.at(-1)?.error).toMatchObject({
      name: 'DataClientError',
      status: 504,
      code: 'gateway_timeout',
      problem: { status: 504 },
      message: expect.stringContaining('the token endpoint answered 504'),
    })
    // The last call may have been made when the token had just expired.
    const statuses = world.api.seen.map(({ status }) => status)
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set([200]))
    // The page is told of each failure, and requests become less frequent, however many calls there are.
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

  test('when the backend is down as the page loads, calls succeed once it is back', async () => {
    const down = { status: 503, body: { error: 'unavailable' } }
    world.site.script.push(down)
    expect(await startClient(page, { clientTokenUri })).toMatchObject({
      error: { status: 503, code: 'unavailable' },
    })
    world.site.script.push(down, down, down)
    expect(await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })).toEqual({})
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 503, code: 'unavailable' } })
    await callUntil(({ value }) => value !== undefined, 15_000)
    // Renewals go on without calls; the requests of the two clients are four failures and a success.
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

  test.each([429, 503])('the Retry-After of a %d of the token endpoint is obeyed', async (status) => {
    world.site.script.push({ status, headers: { 'retry-after': '3' }, body: { error: 'rate_limited' } })
    await startClient(page, { clientTokenUri, baseUrl: `${world.api.origin}/v1` })
    const outcomes = await callUntil(({ value }) => value !== undefined, 10_000)
    expect(outcomes.length).toBeGreaterThan(10)
    for (const { error } of outcomes.slice(0, -1))
      expect(error).toMatchObject({ status, code: 'rate_limited' })
    // Waking up does not shorten the wait.
    const [first, second] = world.asked()
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2995)
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(5000)
  })

  test('a delayed renewal does not affect the token that still works', async () => {
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

  test('a signed-out page requests a token again only when it is called', async () => {
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
