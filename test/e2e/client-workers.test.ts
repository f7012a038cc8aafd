// claimgate/browser in a Web Worker and in a Service Worker, which share token and key with the pages of their site.

import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { type ClientWorld, call, type Outcome, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import { describeInBrowsers, useClientPages } from './client-pages.ts'

const servers = useServers()

/** Globals of a page for starting workers. The TypeScript libraries of these tests do not declare them. */
interface WorkerGlobals {
  readonly Worker: new (
    url: string,
    options: object,
  ) => { postMessage(data: unknown, ports: unknown[]): void }
  readonly navigator: {
    readonly serviceWorker: {
      register(url: string, options: object): Promise<unknown>
      readonly ready: Promise<{
        readonly active: { postMessage(data: unknown, ports: unknown[]): void }
      }>
    }
  }
}

describeInBrowsers((launch) => {
  let world: ClientWorld
  let page: Page

  useClientPages(
    launch,
    () => servers.start(),
    (started) => {
      ;({ world, page } = started)
    },
  )

  /** Starts a worker that calls the API; resolves to the outcome of the call. */
  const callIn = (kind: string, options: object): Promise<Outcome> =>
    page.evaluate(
      async ([which, given]) => {
        const { Worker, navigator } = globalThis as unknown as WorkerGlobals
        const module = { type: 'module' }
        const { port1, port2 } = new MessageChannel()
        const heard = new Promise((resolve) => {
          port1.onmessage = ({ data }) => resolve(data)
        })
        if (which === 'Web Worker') new Worker('/worker.js', module).postMessage([given, '/data'], [port2])
        else {
          await navigator.serviceWorker.register('/worker.js', module)
          const { active } = await navigator.serviceWorker.ready
          active.postMessage([given, '/data'], [port2])
        }
        return heard as Promise<object>
      },
      [kind, options] as const,
    )

  describe.each(['Web Worker', 'Service Worker'])('a %s', (kind) => {
    test.each([false, true])('calls the API, dpop: %s', async (dpop) => {
      const outcome = await callIn(kind, { clientTokenUri: '/client-token', dpop })
      expect(outcome).toMatchObject({ value: { method: 'GET' } })
      const headers = world.api.seen[0]?.headers
      expect(headers?.origin).toBe(world.site.origin)
      expect(headers?.authorization).toMatch(dpop ? /^DPoP eyJ/ : /^Bearer eyJ/)
    })

    test('shares the token that it gets with its page', async () => {
      const options = { clientTokenUri: '/client-token', dpop: true }
      await startClient(page, options)
      const { value } = await call(page, 'get', '/data')
      world.revoked.add(value.jti)
      // The worker has no token yet, and requests one.
      const other = await callIn(kind, options)
      expect(other).toMatchObject({ value: { method: 'GET' } })
      expect(world.asked()).toHaveLength(2)
      expect((await call(page, 'get', '/data')).value.jti).toBe(other.value.jti)
      expect(world.asked()).toHaveLength(2)
    })
  })
})
