// A page with claimgate/browser whose backend is a sample of test/examples/customer: it calls the API with a bearer token, and
// with tokens bound to its key.

import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClientWorld, call, startClient } from '../support/client-world.ts'
import { isRunnable, type RunningSample, samples, startSample } from '../support/customer-samples.ts'
import { useServers } from '../support/server.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'
import { useClientPages } from './client-pages.ts'

const servers = useServers()

describe.skipIf(CHROMIUM === undefined)('in Chromium', () => {
  let world: ClientWorld
  let context: BrowserContext
  let page: Page

  useClientPages(
    launchChromium,
    () => servers.start(),
    (started) => {
      ;({ world, context, page } = started)
    },
  )

  const signIn = () =>
    context.addCookies([{ name: 'session', value: '1', url: world.site.origin, sameSite: 'Lax' }])
  const schemes = () => world.api.seen.map(({ headers }) => headers.authorization?.split(' ')[0])

  const running: RunningSample[] = []
  let starting: Promise<void> | undefined

  /** Starts all samples, each behind a path of the site. */
  async function startSamples(): Promise<void> {
    const settings = {
      issuer: world.issuer.url,
      accountToken: world.accountToken,
      site: world.site.origin,
      api: `${world.api.origin}/v1`,
    }
    for (const sample of samples.filter(isRunnable)) {
      const started = await startSample(sample, settings)
      running.push(started)
      world.backends.set(`/${sample.language}`, started.origin)
    }
  }
  beforeEach(async () => {
    starting ??= startSamples()
    await starting
  })
  afterAll(() => {
    for (const { stop } of running) stop()
  })

  describe.each(samples)('$language', (sample) => {
    const clientTokenUri = `/${sample.language}/api/client-token`

    test.skipIf(!isRunnable(sample)).each([false, true])('a page calls the API, dpop: %o', async (dpop) => {
      await signIn()
      expect(await startClient(page, { clientTokenUri, dpop })).toEqual({})
      for (const path of ['/data', '/data?page=2']) {
        expect(await call(page, 'get', path)).toHaveProperty('value')
      }
      expect(schemes()).toEqual(dpop ? ['DPoP', 'DPoP'] : ['Bearer', 'Bearer'])
      expect(world.api.seen.map(({ status }) => status)).toEqual([200, 200])
    })

    test.skipIf(!isRunnable(sample))(
      'the page of a visitor who is not signed in learns that from the endpoint',
      async () => {
        const { error } = await startClient(page, { clientTokenUri })
        expect(error).toMatchObject({ status: 401, code: 'unauthorized' })
        expect(world.api.seen).toEqual([])
      },
    )
  })
})
