// A page without a bundler: the browser client from the issuer's /sdk.js, in Chromium.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { CHROMIUM, launchChromium, type Site, startSite } from './chromium.ts'

describe.skipIf(CHROMIUM === undefined)('a page of another origin', () => {
  let issuer: RunningServer
  let site: Site
  let browser: Browser

  beforeAll(async () => {
    issuer = await startServer()
    site = await startSite('shop')
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await site?.stop()
    await issuer?.stop()
  })

  test('imports the client from the issuer, which sets no global', async () => {
    const page = await site.open(browser)
    // As text, because Vitest replaces a dynamic import in code.
    const found = await page.evaluate(`(async () => {
      const before = Object.keys(globalThis).length
      const sdk = await import('${issuer.url}/sdk.js')
      const options = { clientTokenUri: '/no-such-endpoint' }
      const error = await sdk.autoInitializeDataClient(options).catch((thrown) => thrown)
      return {
        names: Object.keys(sdk).sort(),
        isOurs: error instanceof sdk.DataClientError,
        globals: Object.keys(globalThis).length - before,
      }
    })()`)
    expect(found).toEqual({
      names: ['DataClientError', 'autoInitializeDataClient', 'createTokenSource'],
      isOurs: true,
      globals: 0,
    })
  })

  test('an import in a module script works as README shows it', async () => {
    const page = await site.open(browser)
    await page.addScriptTag({
      type: 'module',
      content: `import { createTokenSource } from '${issuer.url}/sdk.js'
        document.title = typeof createTokenSource`,
    })
    await expect.poll(() => page.title()).toBe('function')
  })
})
