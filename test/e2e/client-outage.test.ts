// claimgate/browser while the issuer is down, in a real browser: calls fail with the cause, no server gets too many requests,
// and calls succeed again without the page's help.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ClientWorld, call, callUntil, type PageGlobals, startClient } from '../support/client-world.ts'
import { findFreePort } from '../support/ports.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'
import { useClientPages } from './client-pages.ts'

const servers = useServers()

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let world: ClientWorld
  let issuer: RunningServer
  let start: () => Promise<RunningServer>
  let page: Page
  const clientTokenUri = '/client-token?life=10'

  beforeAll(async () => {
    const dir = servers.makeFolder()
    const env = { PORT: String(await findFreePort()) }
    start = () => servers.start({ dir, env })
  })
  useClientPages(
    launchChromium,
    async () => {
      issuer = await start()
      return issuer
    },
    (pages) => {
      ;({ world, page } = pages)
    },
  )

  test('while the issuer is down calls fail with the cause, and they succeed again after its restart', async () => {
    await startClient(page, { clientTokenUri })
    // With the first call the API fetches the issuer's keys, so it can verify tokens while the issuer is down.
    await call(page, 'get', '/data')
    issuer.kill()
    await issuer.exited
    const began = performance.now()
    // The token works until it expires, while renewals fail.
    const failed = await callUntil(page, ({ error }) => error !== undefined, 15_000)
    expect(performance.now() - began).toBeGreaterThan(7000)
    expect(failed.at(-1)?.error).toMatchObject({
      name: 'DataClientError',
      status: 504,
      code: 'gateway_timeout',
      problem: { status: 504 },
      message: expect.stringContaining('the token endpoint answered 504'),
    })
    // The API may have refused the last call, because the token had just expired.
    const statuses = world.api.seen.map(({ status }) => status)
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set([200]))
    // `onError` gets each failure, and token requests become less frequent, however many calls the page makes.
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 504 } })
    const heard = await page.evaluate(() => (globalThis as unknown as PageGlobals).heard)
    expect(heard.length).toBe(world.asked().length - 1)
    expect(heard[0]).toEqual({ status: 504, code: 'gateway_timeout' })
    await sleep(4000)
    expect(world.asked().length).toBeLessThan(9)

    issuer = await start()
    const recovered = await callUntil(page, ({ value }) => value !== undefined, 40_000)
    expect(recovered.at(-1)?.value).toMatchObject({ method: 'GET' })
  })
})
