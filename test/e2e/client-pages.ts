// Set-up of the tests of claimgate/browser: one browser and one client world for a file, and a new browser context with a
// page of the site for each test.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type ClientWorld, startClientWorld } from '../support/client-world.ts'
import type { RunningServer } from '../support/server.ts'
import { launchChromium } from './chromium.ts'

export interface ClientBrowser {
  readonly browser: Browser
  readonly world: ClientWorld
}

export interface ClientPages extends ClientBrowser {
  readonly context: BrowserContext
  readonly page: Page
}

/** Starts a browser and a client world before the tests of this block, passes them to `onStart`, and stops them at the end. */
export function useClientBrowser(
  startIssuer: () => Promise<RunningServer>,
  onStart: (started: ClientBrowser) => void,
): void {
  let started: ClientBrowser | undefined
  beforeAll(async () => {
    const browser = await launchChromium()
    started = { browser, world: await startClientWorld(await startIssuer()) }
    onStart(started)
  })
  afterAll(async () => {
    await started?.browser.close()
    await started?.world.stop()
  })
}

/**
 * Like {@link useClientBrowser}. In addition it opens a new browser context with a page before each test, clears the records
 * of the servers, and passes everything to `onEach`.
 */
export function useClientPages(
  startIssuer: () => Promise<RunningServer>,
  onEach: (pages: ClientPages) => void,
): void {
  let started: ClientBrowser
  let context: BrowserContext
  useClientBrowser(startIssuer, (all) => {
    started = all
  })
  beforeEach(async () => {
    const { browser, world } = started
    context = await browser.newContext()
    const page = await world.open(context)
    world.clear()
    onEach({ browser, world, context, page })
  })
  afterEach(() => context.close())
}
