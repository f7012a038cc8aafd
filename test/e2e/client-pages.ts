// Set-up of the tests of claimgate/browser: one browser and one client world for a file, and a new browser context with a
// page of the site for each test.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest'
import { type ClientWorld, startClientWorld } from '../support/client-world.ts'
import type { RunningServer } from '../support/server.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'
import { FIREFOX, launchFirefox } from './firefox.ts'

export interface ClientBrowser {
  readonly browser: Browser
  readonly world: ClientWorld
}

export interface ClientPages extends ClientBrowser {
  readonly context: BrowserContext
  readonly page: Page
}

/** Starts a browser, which the caller must close. */
export type Launch = () => Promise<Browser>

const BROWSERS = [
  { name: 'Chromium', path: CHROMIUM, debianPackage: 'chromium', launch: launchChromium },
  { name: 'Firefox', path: FIREFOX, debianPackage: 'firefox-esr', launch: launchFirefox },
] as const

/** Defines the same tests for each browser. They are skipped, and named at the end of the run, where it is not installed. */
export function describeInBrowsers(define: (launch: Launch) => void): void {
  for (const { name, path, debianPackage, launch } of BROWSERS) {
    describe.skipIf(path === undefined)(`in ${name} (Debian package ${debianPackage})`, () => define(launch))
  }
}

/** Starts a browser and a client world before the tests of this block, passes them to `onStart`, and stops them at the end. */
export function useClientBrowser(
  launch: Launch,
  startIssuer: () => Promise<RunningServer>,
  onStart: (started: ClientBrowser) => void,
): void {
  let started: ClientBrowser | undefined
  beforeAll(async () => {
    const browser = await launch()
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
  launch: Launch,
  startIssuer: () => Promise<RunningServer>,
  onEach: (pages: ClientPages) => void,
): void {
  let started: ClientBrowser
  let context: BrowserContext
  useClientBrowser(launch, startIssuer, (all) => {
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
