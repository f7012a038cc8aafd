// Starts a headless Chromium, and web sites on loopback origins for it to visit.

import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Path of the browser; undefined when it is missing, which skips the tests that need it. */
export const CHROMIUM: string | undefined =
  spawnSync('which', ['chromium'], { encoding: 'utf8' }).stdout?.trim() || undefined

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

/** Starts Chromium. The caller must close it. */
export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('there is no chromium on the path')
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

/** A web site with one empty page, for tests of `fetch` in a page. */
export interface Site {
  readonly origin: string
  open(browser: Browser | Awaited<ReturnType<Browser['newContext']>>): Promise<Page>
  stop(): Promise<void>
}

/** Starts a site at `http://<name>.localhost:<free port>`, which browsers treat as a secure context. */
export async function startSite(name: string): Promise<Site> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>A site</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://${name}.localhost:${(server.address() as AddressInfo).port}`
  return {
    origin,
    async open(browser) {
      const page = await browser.newPage()
      await page.goto(origin)
      return page
    },
    stop() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** What the script of a page can read of an answer. */
export interface PageAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
  /** The headers that CORS lets the script read. */
  readonly headers: Readonly<Record<string, string>>
}

/** Options of `fetch` that can be passed to a page. */
export interface PageInit {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly mode?: 'cors' | 'no-cors'
  readonly cache?: 'default' | 'force-cache' | 'no-cache'
}

/** Runs `fetch` in a page; resolves to the answer, or to the name of its error. */
export function fetchIn(page: Page, url: string, init: PageInit = {}): Promise<PageAnswer | string> {
  return page.evaluate(
    async ([input, options]) => {
      try {
        const response = await fetch(input, options)
        return {
          status: response.status,
          type: response.type,
          text: await response.text(),
          headers: Object.fromEntries(response.headers),
        }
      } catch (error) {
        return (error as Error).name
      }
    },
    [url, init] as const,
  )
}
