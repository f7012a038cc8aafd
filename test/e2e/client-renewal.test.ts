// claimgate/browser over time, in a real browser: tokens that live for twelve seconds are renewed before they expire, also
// with a wrong date, in several tabs, and after the machine slept. The clock tolerance of the API is 0.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { describe, test } from 'vitest'
import { type ClientWorld, call, type PageGlobals, type Seen, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'
import { useClientBrowser } from './client-pages.ts'

const servers = useServers()
const HOUR = 3_600_000
const LIFE = 12

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Shifts the `Date` of a page by one of these numbers of milliseconds. Every third of a second it uses the next one. */
function moveDate(shifts: readonly number[]) {
  const Real = Date
  const shift = () => shifts[Math.floor(performance.now() / 333) % shifts.length] ?? 0
  globalThis.Date = class extends Real {
    constructor(...parts: []) {
      if (parts.length === 0) super(Real.now() + shift())
      else super(...parts)
    }
    static override now = () => Real.now() + shift()
  } as DateConstructor
}

/** Gives a page `fallAsleep` and `wakeUp`. Between the two its clock and timers stop, as when the machine sleeps. */
function stopClock() {
  const real = performance.now.bind(performance)
  const set = setTimeout
  let lost = 0
  let asleepSince: number | undefined
  performance.now = () => (asleepSince ?? real()) - lost
  globalThis.setTimeout = ((work: () => void, ms = 0) => {
    const due = performance.now() + ms
    const fire = () => (performance.now() >= due - 1 ? work() : set(fire, 50))
    return set(fire, ms)
  }) as typeof setTimeout
  Object.assign(globalThis, {
    fallAsleep: () => {
      asleepSince = real()
    },
    wakeUp: () => {
      lost += real() - (asleepSince ?? 0)
      asleepSince = undefined
    },
  })
}

/** Stops all scripts of a page, as browsers do to hidden tabs. Resolves to a function that lets them continue. */
async function freeze(page: Page): Promise<() => Promise<void>> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Debugger.enable')
  await devtools.send('Debugger.pause')
  return async () => {
    await devtools.send('Debugger.resume')
    await devtools.send('Debugger.disable')
  }
}

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let browser: Browser
  let world: ClientWorld

  useClientBrowser(
    launchChromium,
    () => servers.start(),
    (started) => {
      ;({ browser, world } = started)
    },
  )

  /** URI of the token endpoint of one test. Tests run concurrently, so each has its own URI, and its own path at the API. */
  const uriOf = (who: string) => `/client-token?life=${LIFE}&who=${who}`
  const askedBy = (who: string) => world.asked().filter(({ url }) => url.endsWith(`=${who}`))
  const callsOf = (who: string) => world.api.seen.filter(({ url }) => url === `/v1/${who}`)
  const statusesOf = (who: string) => [...new Set(callsOf(who).map(({ status }) => status))]
  const gapsOf = (seen: readonly Seen[]) => seen.slice(1).map(({ at }, index) => at - (seen[index]?.at ?? 0))

  async function openPage(who: string, context?: BrowserContext): Promise<Page> {
    const page = await world.open(context ?? (await browser.newContext()))
    await startClient(page, { clientTokenUri: uriOf(who) })
    return page
  }

  /** Calls the API every 150 ms for `ms` milliseconds; resolves to the errors. */
  const callFor = (page: Page, who: string, ms: number): Promise<readonly string[]> =>
    page.evaluate(
      async ([path, until]) => {
        const { client } = globalThis as unknown as PageGlobals
        const errors: string[] = []
        let isOver = false
        setTimeout(() => {
          isOver = true
        }, until)
        while (!isOver) {
          await client.get(path).catch((error) => errors.push(String(error)))
          await new Promise((resolve) => setTimeout(resolve, 150))
        }
        return errors
      },
      [who, ms] as const,
    )

  describe.concurrent('a token of twelve seconds', () => {
    test.for([
      ['right', undefined],
      ['behind', [-HOUR]],
      ['ahead', [HOUR]],
      ['jumping', [HOUR, 0, -HOUR, 24 * HOUR]],
    ] as const)(
      'is renewed before it ends, while the page’s date is %s',
      async ([who, shifts], { expect }) => {
        const context = await browser.newContext()
        if (shifts) await context.addInitScript(moveDate, shifts)
        const page = await openPage(who, context)
        expect(await callFor(page, who, 22_000)).toEqual([])
        expect(statusesOf(who)).toEqual([200])
        expect(callsOf(who).length).toBeGreaterThan(30)
        const gaps = gapsOf(askedBy(who))
        for (const gap of gaps) expect(gap).toBeLessThan(11_500)
        if (who === 'jumping') {
          // Each leap may mean that the machine slept, and costs at most one renewal. There are three leaps a second.
          expect(gaps.length).toBeLessThan(66)
          return
        }
        expect(gaps).toHaveLength(2)
        for (const gap of gaps) expect(gap).toBeGreaterThan(8_000)
      },
    )

    test('is requested and renewed by one of two tabs, for both', async ({ expect }) => {
      const context = await browser.newContext()
      const pages = [await world.open(context), await world.open(context)]
      await Promise.all(pages.map((page) => startClient(page, { clientTokenUri: uriOf('tabs') })))
      const errors = await Promise.all(pages.map((page) => callFor(page, 'tabs', 22_000)))
      expect(errors).toEqual([[], []])
      expect(statusesOf('tabs')).toEqual([200])
      expect(askedBy('tabs')).toHaveLength(3)
      // Together the two tabs used three tokens, so they share them.
      expect(new Set(callsOf('tabs').map(({ headers }) => headers.authorization)).size).toBe(3)
    })

    test('is renewed by the remaining tabs when a tab is closed', async ({ expect }) => {
      const context = await browser.newContext()
      const [first, second] = [await openPage('left', context), await openPage('left', context)]
      await Promise.all([callFor(first, 'left', 2000), callFor(second, 'left', 2000)])
      await first.close()
      expect(await callFor(second, 'left', 14_000)).toEqual([])
      expect(statusesOf('left')).toEqual([200])
    })

    test('is renewed also without Web Locks and BroadcastChannel', async ({ expect }) => {
      const context = await browser.newContext()
      await context.addInitScript(() => {
        Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
        Reflect.deleteProperty(globalThis, 'BroadcastChannel')
      })
      const page = await openPage('alone', context)
      expect(await callFor(page, 'alone', 13_000)).toEqual([])
      expect([statusesOf('alone'), askedBy('alone').length]).toEqual([[200], 2])
    })

    test('that expired while the page was frozen is replaced', async ({ expect }) => {
      const page = await openPage('frozen')
      const thaw = await freeze(page)
      await pause(14_000)
      expect(askedBy('frozen')).toHaveLength(1)
      await thaw()
      expect(await call(page, 'get', 'frozen')).toHaveProperty('value')
      expect([statusesOf('frozen'), askedBy('frozen').length]).toEqual([[200], 2])
    })

    test.for([
      ['visibilitychange', [200]],
      ['pageshow', [200]],
      ['online', [200]],
      ['focus', [200]],
      // Not an event that the client listens to: the call itself notices that the date has leapt.
      ['silence', [200]],
    ] as const)(
      'that expired while the machine slept is replaced; event after waking: %s',
      async ([event, statuses], { expect }) => {
        const context = await browser.newContext()
        await context.addInitScript(stopClock)
        const page = await openPage(event, context)
        await page.evaluate('fallAsleep()')
        await pause(14_000)
        expect(askedBy(event)).toHaveLength(1)
        await page.evaluate('wakeUp()')
        const target = event === 'visibilitychange' ? 'document' : 'window'
        await page.evaluate(`${target}.dispatchEvent(new Event('${event}'))`)
        expect(await call(page, 'get', event)).toHaveProperty('value')
        expect([statusesOf(event), askedBy(event).length]).toEqual([statuses, 2])
      },
    )

    test('is not used by a frozen tab after it expired', async ({ expect }) => {
      const context = await browser.newContext()
      const [awake, frozen] = [await openPage('told', context), await openPage('told', context)]
      const before = askedBy('told').length
      const thaw = await freeze(frozen)
      // The awake tab sends its new token to the frozen tab, which receives it after the token has expired.
      await callFor(awake, 'told', 11_500)
      expect(askedBy('told')).toHaveLength(before + 1)
      await awake.close()
      await pause(12_500)
      await thaw()
      expect(await callFor(frozen, 'told', 1000)).toEqual([])
      expect([statusesOf('told'), askedBy('told').length]).toEqual([[200], before + 2])
    })

    test('is requested by another tab when the tab that is requesting it freezes', async ({ expect }) => {
      const context = await browser.newContext()
      const [frozen, awake] = [await world.open(context), await world.open(context)]
      const asked = Promise.withResolvers<void>()
      await frozen.route('**/client-token*', async (route) => {
        asked.resolve()
        await pause(2000)
        await route.continue()
      })
      const baseUrl = `${world.api.origin}/v1`
      const starting = startClient(frozen, { clientTokenUri: uriOf('turn'), baseUrl })
      await asked.promise
      const thaw = await freeze(frozen)
      const began = performance.now()
      expect(await startClient(awake, { clientTokenUri: uriOf('turn') })).toEqual({})
      // A tab waits 2 s for its turn.
      expect(performance.now() - began).toBeGreaterThan(1500)
      expect(performance.now() - began).toBeLessThan(8000)
      expect(await call(awake, 'get', 'turn')).toHaveProperty('value')
      await thaw()
      expect(await starting).toEqual({})
      await callFor(frozen, 'turn', 3000)
      expect(await call(frozen, 'get', 'turn')).toHaveProperty('value')
    })

    test('of a closed client is not renewed', async ({ expect }) => {
      const page = await openPage('closed')
      await page.evaluate(() => (globalThis as unknown as PageGlobals).client.close())
      await pause(13_000)
      expect(askedBy('closed')).toHaveLength(1)
    })
  })
})
