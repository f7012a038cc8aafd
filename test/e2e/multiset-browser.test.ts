// The browser sample of MultiSet's document, run in a real Chromium, with only the host replaced. A credential with
// `browserPrototype` gets a token that is bound to the origin of the page. Any other secret is refused with an error that
// the page can read.

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { admin, whoami } from '../support/admin-api.ts'
import { browserSample, MULTISET_HOST } from '../support/multiset-samples.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { CHROMIUM, launchChromium, type Site, startSite } from './chromium.ts'

const { start } = useServers()

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let server: RunningServer
  let browser: Browser
  let shop: Site
  let stranger: Site
  let [prototype, plain, remote]: Json[] = []
  let page: Page

  beforeAll(async () => {
    browser = await launchChromium()
    shop = await startSite('shop')
    stranger = await startSite('stranger')
    server = await start()
    const create = (body: object) => admin(server.url, 'POST', '/accounts', { body, status: 201 })
    prototype = await create({ name: 'Demo', allowedOrigins: [shop.origin], browserPrototype: true })
    plain = await create({ name: 'Shop', allowedOrigins: [shop.origin] })
    const { credential } = await admin(server.url, 'POST', `/accounts/${prototype.account.id}/credentials`, {
      body: { browserPrototype: true, allowLocalhost: false },
      status: 201,
    })
    remote = { credential }
  })
  afterAll(async () => {
    await browser?.close()
    await shop?.stop()
    await stranger?.stop()
  })
  beforeEach(async () => {
    const context = await browser.newContext()
    page = await context.newPage()
    return () => context.close()
  })

  /** Runs the sample in a page; resolves to its result, or to the message of its error. */
  async function runSample(at: string, made: Json): Promise<Json> {
    await page.goto(at)
    await page.addScriptTag({ content: browserSample.replace(MULTISET_HOST, server.url) })
    const { clientId, clientSecret } = made.credential
    return page.evaluate(
      async ([id, secret]) => {
        const run = (globalThis as Json).generateToken
        return run(id, secret).catch((error: Error) => ({ thrown: `${error.name}: ${error.message}` }))
      },
      [clientId, clientSecret] as const,
    )
  }
  const localhost = () => shop.origin.replace('shop.localhost', 'localhost')

  test('a credential with browserPrototype gets a token bound to the origin of the page', async () => {
    const { token, expiresOn } = await runSample(shop.origin, prototype)
    const { origin, iat, exp } = payloadOf(token)
    expect({ origin, lifetime: exp - iat }).toEqual({ origin: shop.origin, lifetime: 1800 })
    expect(Date.parse(expiresOn)).toBe(exp * 1000)
    expect(await whoami(server.url, token, shop.origin)).toBe('200')
    expect(await whoami(server.url, token, stranger.origin)).toBe('401 origin_mismatch')
  })

  test('a page on localhost gets a token on any port, unless the credential has allowLocalhost: false', async () => {
    const { token } = await runSample(localhost(), prototype)
    expect(payloadOf(token).origin).toBe(localhost())
    const { thrown } = await runSample(localhost(), remote)
    expect(thrown).toMatch(/^Error: .*origin/)
  })

  test('a secret that is not for pages is refused, and the page can read why', async () => {
    const { thrown } = await runSample(shop.origin, plain)
    expect(thrown).toMatch(/^Error: ./)
    expect(thrown).not.toMatch(/Failed to fetch/)
    const { entries } = await admin(server.url, 'GET', '/audit')
    expect(entries[0]).toMatchObject({
      action: 'secret_in_browser',
      target: plain.credential.id,
      detail: { door: 'multiset' },
    })
  })

  test('a wrong secret is refused, and the page can read why', async () => {
    const { thrown } = await runSample(shop.origin, { credential: { clientId: 'abc', clientSecret: 'def' } })
    expect(thrown).toMatch(/^Error: ./)
    expect(thrown).not.toMatch(/Failed to fetch/)
  })

  test('a page of another origin can read nothing', async () => {
    const { thrown } = await runSample(stranger.origin, prototype)
    expect(thrown).toBe('TypeError: Failed to fetch')
  })
})
