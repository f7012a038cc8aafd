// claimgate/browser with `dpop`, in a real browser: the token is bound to a key that no script can extract, each request
// has its own proof, and the API accepts token and proof, also when the date of the page is wrong.

import * as oauth from 'oauth4webapi'
import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { type ClientWorld, call, type PageGlobals, startClient } from '../support/client-world.ts'
import { useServers } from '../support/server.ts'
import { payloadOf } from '../support/world.ts'
import { describeInBrowsers, useClientPages } from './client-pages.ts'

const servers = useServers()
const options = { clientTokenUri: '/client-token', dpop: true }

describeInBrowsers((launch) => {
  let world: ClientWorld
  let context: BrowserContext
  let page: Page

  useClientPages(
    launch,
    () => servers.start(),
    (started) => {
      ;({ world, context, page } = started)
    },
  )

  const tokens = () => world.api.seen.map(({ headers }) => headers.authorization?.replace(/^DPoP /, '') ?? '')
  const proofs = () => world.api.seen.map(({ headers }) => payloadOf(String(headers.dpop)))
  const statuses = () => world.api.seen.map(({ status }) => status)

  test('every request has its own proof for its method and URL, signed by the key that the token is bound to', async () => {
    expect(await startClient(page, options)).toEqual({})
    for (const path of ['/data?q=1#top', '/data/ä b', '/data']) {
      expect(await call(page, 'get', path)).toHaveProperty('value')
    }
    expect(await call(page, 'request', 'patch', '/data', { body: { a: 1 } })).toHaveProperty('value')
    expect(statuses()).toEqual([200, 200, 200, 200])
    const url = `${world.api.origin}/v1/data`
    expect(proofs()).toMatchObject([
      { htm: 'GET', htu: url },
      { htm: 'GET', htu: `${url}/%C3%A4%20b` },
      { htm: 'GET', htu: url },
      { htm: 'PATCH', htu: url },
    ])
    expect(new Set(proofs().map(({ jti }) => jti)).size).toBe(4)
    const [token = ''] = tokens()
    expect(payloadOf(token).cnf.jkt).toMatch(/^[\w-]{43}$/)
    expect(world.asked()).toHaveLength(1)
  })

  test('the key cannot be extracted, and is used again by later pages', async () => {
    await startClient(page, options)
    await call(page, 'get', '/data')
    const found = await page.evaluate(async () => {
      const opening = indexedDB.open('claimgate')
      await new Promise((resolve) => {
        opening.onsuccess = resolve
      })
      const store = opening.result.transaction('keys').objectStore('keys')
      const all = store.getAll()
      await new Promise((resolve) => {
        all.onsuccess = resolve
      })
      const [pair] = all.result as CryptoKeyPair[]
      const outcomes: string[] = []
      for (const format of ['jwk', 'pkcs8', 'raw'] as const) {
        const key = pair?.privateKey as CryptoKey
        await crypto.subtle.exportKey(format as 'pkcs8', key).then(
          () => outcomes.push(`${format} was exported`),
          (error) => outcomes.push(error.name),
        )
      }
      const serialized = JSON.stringify(all.result)
      opening.result.close()
      return { count: all.result.length, extractable: pair?.privateKey.extractable, outcomes, serialized }
    })
    expect(found).toEqual({
      count: 1,
      extractable: false,
      outcomes: ['InvalidAccessError', 'InvalidAccessError', 'InvalidAccessError'],
      serialized: '[{"privateKey":{},"publicKey":{}}]',
    })
    await page.reload()
    await page.waitForFunction('globalThis.claimgate')
    await startClient(page, options)
    await call(page, 'get', '/data')
    const keys = tokens().map((token) => payloadOf(token).cnf.jkt)
    expect(new Set(keys).size).toBe(1)
    expect(statuses()).toEqual([200, 200])
  })

  test('three tabs that start together share one key and one token', async () => {
    const pages = [page, await world.open(context), await world.open(context)]
    await Promise.all(pages.map((one) => startClient(one, options)))
    const calls = await Promise.all(pages.map((one) => call(one, 'get', '/data')))
    for (const one of calls) expect(one).toHaveProperty('value')
    expect(new Set(tokens()).size).toBe(1)
    expect([world.asked().length, statuses()]).toEqual([1, [200, 200, 200]])
  })

  test('a copied request is refused, and so is the token with a proof by another key', async () => {
    await startClient(page, options)
    await call(page, 'get', '/data')
    const headers = world.api.seen[0]?.headers
    const replay = (more: Record<string, string>) =>
      fetch(`${world.api.origin}/v1/data`, { headers: { origin: world.site.origin, ...more } })
    const authorization = String(headers?.authorization)
    for (const [more, code] of [
      [{ authorization, dpop: String(headers?.dpop) }, 'invalid_proof'],
      [{ authorization }, 'proof_required'],
      [{ authorization: authorization.replace('DPoP', 'Bearer') }, 'proof_required'],
    ] as const) {
      expect(await (await replay(more)).json()).toMatchObject({ status: 401, error: code })
    }
    // A new proof for the same request, signed by the thief's key.
    const thief = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const { origin } = world.site
    const asked = oauth.protectedResourceRequest(
      authorization.replace('DPoP ', ''),
      'GET',
      new URL(`${world.api.origin}/v1/data`),
      new Headers({ origin }),
      null,
      { DPoP: thief, [oauth.allowInsecureRequests]: true },
    )
    const refused = await asked.catch((error: oauth.WWWAuthenticateChallengeError) => error.response)
    expect(await refused.json()).toMatchObject({ status: 401, error: 'invalid_proof' })
  })

  test('an independent verifier accepts the client’s tokens with their proofs', async () => {
    await startClient(page, options)
    await call(page, 'get', '/data')
    const { authorization, dpop } = world.api.seen[0]?.headers ?? {}
    const headers = { authorization: String(authorization), dpop: String(dpop) }
    const request = new Request(`${world.api.origin}/v1/data`, { headers })
    const insecure = { [oauth.allowInsecureRequests]: true }
    const as = await oauth.processDiscoveryResponse(
      new URL(world.issuer.url),
      await oauth.discoveryRequest(new URL(world.issuer.url), { algorithm: 'oauth2', ...insecure }),
    )
    const claims = await oauth.validateJwtAccessToken(as, request, world.issuer.url, {
      requireDPoP: true,
      ...insecure,
    })
    expect(claims.cnf?.jkt).toMatch(/^[\w-]{43}$/)
  })

  test('after a refused proof the call is repeated once, with a new proof and the same token', async () => {
    await startClient(page, options)
    const refusal = {
      status: 401,
      headers: { 'www-authenticate': 'DPoP error="invalid_dpop_proof", algs="ES256"' },
      body: { error: 'invalid_proof' },
    }
    world.api.script.push(refusal)
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
    world.api.script.push(refusal, refusal)
    expect(await call(page, 'get', '/data')).toMatchObject({ error: { status: 401, code: 'invalid_proof' } })
    expect(statuses()).toEqual([401, 200, 401, 401])
    expect([new Set(tokens()).size, world.asked().length]).toEqual([1, 1])
    expect(new Set(proofs().map(({ jti }) => jti)).size).toBe(4)
  })

  test('a revoked token is replaced by one that is bound to the same key', async () => {
    await startClient(page, options)
    world.revoked.add((await call(page, 'get', '/data')).value.jti)
    expect(await call(page, 'get', '/data')).toHaveProperty('value')
    expect(statuses()).toEqual([200, 401, 200])
    expect(new Set(tokens().map((token) => payloadOf(token).cnf.jkt)).size).toBe(1)
  })

  test('no redirect is followed, because a proof is for one URL', async () => {
    await startClient(page, options)
    for (const path of ['/leave', '/moved']) {
      expect(await call(page, 'get', path)).toMatchObject({ error: { code: 'redirect_refused' } })
    }
    expect(world.thief.seen).toEqual([])
    expect(statuses()).toEqual([307, 307])
  })

  test.each([-3_600_000, 3_600_000])(
    'proofs are accepted when the page’s date is wrong by %d ms',
    async (shift) => {
      await context.addInitScript((ms) => {
        const real = Date.now
        Date.now = () => real() + ms
      }, shift)
      const wrong = await world.open(context)
      await startClient(wrong, options)
      expect(await call(wrong, 'get', '/data')).toHaveProperty('value')
      expect(statuses()).toEqual([200])
      expect(Math.abs((proofs()[0]?.iat ?? 0) - Date.now() / 1000)).toBeLessThan(10)
    },
  )

  test('after the page’s clock stopped for two minutes a call needs a second proof, but no second token', async () => {
    await context.addInitScript(() => {
      const real = performance.now.bind(performance)
      let lost = 0
      performance.now = () => real() - lost
      Object.assign(globalThis, {
        lose: (ms: number) => {
          lost += ms
        },
      })
    })
    const slow = await world.open(context)
    await startClient(slow, options)
    await slow.evaluate('lose(120_000)')
    expect(await call(slow, 'get', '/data')).toHaveProperty('value')
    expect(statuses()).toEqual([401, 200])
    expect(world.asked()).toHaveLength(1)
  })

  test('the client refuses a token that is not bound to a key', async () => {
    world.site.script.push({ status: 200, body: { token: 'eyJ.e30.x', expiresIn: 60, tokenType: 'Bearer' } })
    expect(await startClient(page, options)).toMatchObject({ error: { code: 'invalid_response' } })
  })

  test('without IndexedDB calls succeed too, with a key in memory', async () => {
    await context.addInitScript(() => {
      Object.defineProperty(globalThis, 'indexedDB', { value: undefined })
    })
    const bare = await world.open(context)
    expect(await startClient(bare, options)).toEqual({})
    expect(await call(bare, 'get', '/data')).toHaveProperty('value')
    expect(statuses()).toEqual([200])
  })

  test('a token source gives headers for other HTTP clients', async () => {
    const status = await page.evaluate(async (url) => {
      const { claimgate } = globalThis as unknown as PageGlobals
      const source = claimgate.createTokenSource({ clientTokenUri: '/client-token', dpop: true })
      const { headers } = await source.authorize('GET', url)
      source.close()
      return (await fetch(url, { headers })).status
    }, `${world.api.origin}/v1/data?x=1`)
    expect(status).toBe(200)
  })
})
