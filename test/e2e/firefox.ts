// Starts a headless Firefox through WebDriver BiDi. Its pages have those methods of Playwright's pages that the tests of
// claimgate/browser call, because Playwright cannot drive the Firefox that Debian ships.

import { spawnSync } from 'node:child_process'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import puppeteer from 'puppeteer-core'

/** Path of the browser; undefined when it is missing, which skips the tests that need it. */
export const FIREFOX: string | undefined =
  spawnSync('which', ['firefox-esr'], { encoding: 'utf8' }).stdout?.trim() || undefined

type Script = Parameters<BrowserContext['addInitScript']>

/** Starts Firefox with a new profile. The caller must close it. Its contexts can do what {@link FirefoxContext} names. */
export async function launchFirefox(): Promise<Browser> {
  if (FIREFOX === undefined) throw new Error('there is no firefox-esr on the path')
  const firefox = await puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true })
  const browser: FirefoxBrowser = {
    async newContext() {
      const context = await firefox.createBrowserContext()
      const scripts: Script[] = []
      const made: FirefoxContext = {
        async newPage() {
          const page = await context.newPage()
          for (const [script, argument] of scripts)
            await page.evaluateOnNewDocument(script as string, argument)
          return page as unknown as Page
        },
        async addInitScript(...script: Script) {
          scripts.push(script)
          return { dispose: async () => undefined } as Awaited<ReturnType<BrowserContext['addInitScript']>>
        },
        async addCookies(cookies) {
          for (const { name, value, url = '' } of cookies) {
            await context.setCookie({ name, value, domain: new URL(url).hostname, path: '/' })
          }
        },
        close: () => context.close(),
      }
      return made as BrowserContext
    },
    close: () => firefox.close(),
  }
  return browser as Browser
}

type FirefoxBrowser = Pick<Browser, 'newContext' | 'close'>
type FirefoxContext = Pick<BrowserContext, 'newPage' | 'addInitScript' | 'addCookies' | 'close'>
