// Remote keys and the feed in a real workerd. There a request must not await a promise of another request, and its work is
// cancelled when it ends.

import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  body,
  cleanUp,
  createSigner,
  FEED,
  hang,
  type Issuer,
  JWKS,
  json,
  late,
  type Signer,
  startIssuer,
  timed,
} from '../support/issuer.ts'
import { now, RULES, SITE } from '../support/mint.ts'

const ENTRY = `
import { ClaimError, createVerifier } from '../../src/verify/verifier.ts'
let verifier
export default {
  async fetch(request, { ISSUER }) {
    const revocation = { url: ISSUER + '${FEED}', onStale: 'refuse' }
    verifier ??= createVerifier({ ...${JSON.stringify(RULES)}, jwksUri: ISSUER + '${JWKS}', revocation })
    try {
      await verifier.verify(request)
      return new Response('allowed')
    } catch (error) {
      return new Response(error instanceof ClaimError ? error.code : 'a fault: ' + error)
    }
  },
}`

let script: string
let es: Signer
let ed: Signer
const running: Miniflare[] = []

beforeAll(async () => {
  const bundle = await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  })
  script = bundle.outputFiles[0]?.text ?? ''
  es = await createSigner('ES256')
  ed = await createSigner('EdDSA')
})
afterAll(() => Promise.all(running.map((miniflare) => miniflare.dispose())))

cleanUp()

async function start(): Promise<{
  readonly issuer: Issuer
  readonly ask: (token: string, signal?: AbortSignal) => Promise<string>
  /** Sends `count` concurrent requests and resolves to the set of their results. */
  readonly askTogether: (count: number, token: string) => Promise<Set<string>>
}> {
  const issuer = await startIssuer([es.jwk])
  issuer.answers.set(JWKS, late(200, json({ keys: [es.jwk] })))
  issuer.answers.set(FEED, late(200, body(await es.list([]))))
  const bindings = { ISSUER: issuer.url }
  const options = {
    modules: true,
    script,
    bindings,
    compatibilityDate: '2026-10-01',
    host: '127.0.0.1',
    port: 0,
  }
  const miniflare = new Miniflare(convertV4MiniflareOptions(options))
  running.push(miniflare)
  const url = await miniflare.ready
  const ask = async (token: string, signal: AbortSignal | null = null): Promise<string> => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}`, origin: SITE }, signal })
    return response.text()
  }
  return {
    issuer,
    ask,
    askTogether: async (count, token) =>
      new Set(await Promise.all(Array.from({ length: count }, () => ask(token)))),
  }
}

test('a cold isolate, a new key, a revocation: concurrent requests cause one fetch', async () => {
  const { issuer, askTogether } = await start()
  expect(await askTogether(20, await es.token())).toEqual(new Set(['allowed']))
  expect([issuer.askedFor(JWKS).length, issuer.askedFor(FEED).length]).toEqual([1, 1])

  issuer.answers.set(JWKS, late(200, json({ keys: [es.jwk, ed.jwk] })))
  expect(await askTogether(20, await ed.token())).toEqual(new Set(['allowed']))
  expect(issuer.askedFor(JWKS)).toHaveLength(2)

  const before = issuer.askedFor(FEED).length
  const list = await es.list([{ jti: 'jti-1', before: now() + 1, until: now() + 900 }])
  const token = await es.token()
  issuer.answers.set(FEED, late(200, body(list)))
  await sleep(2100)
  expect(await askTogether(20, token)).toEqual(new Set(['token_revoked']))
  expect(issuer.askedFor(FEED).length - before).toBe(1)
})

test('a list of 100 000 entries takes effect, and requests wait less than four seconds for it', async () => {
  const { issuer, ask, askTogether } = await start()
  const token = await es.token()
  expect(await ask(token)).toBe('allowed')
  const entry = { before: now() + 1, until: now() + 900 }
  const many = Array.from({ length: 100_000 }, (_, index) => ({ ...entry, jti: `jti-of-a-token-${index}` }))
  issuer.answers.set(FEED, body(await es.list([...many, { ...entry, jti: 'jti-1' }])))
  await sleep(2100)
  const { ms } = await timed(askTogether(10, token))
  expect(ms).toBeLessThan(4000)
  // On a busy machine the request that reads the list can end before it has read it all. Then the next one reads it.
  await expect.poll(() => ask(token), { timeout: 4000 }).toBe('token_revoked')
  expect(await ask(await es.token({ jti: 'jti-2' }))).toBe('allowed')
})

test('a feed that hangs, or a request cancelled during its poll, delays others only briefly', async () => {
  const { issuer, ask, askTogether } = await start()
  const token = await es.token()
  expect(await ask(token)).toBe('allowed')
  const good = issuer.answers.get(FEED) ?? hang
  issuer.answers.set(FEED, hang)
  await sleep(2100)
  const hanging = await timed(askTogether(10, token))
  expect(hanging.value).toEqual(new Set(['allowed']))
  expect(hanging.ms).toBeLessThan(1500)

  await sleep(2100)
  await expect(ask(token, AbortSignal.timeout(100))).rejects.toThrow()
  issuer.answers.set(FEED, good)
  const after = await timed(askTogether(10, token))
  expect(after.value).toEqual(new Set(['allowed']))
  expect(after.ms).toBeLessThan(1500)
})

test('while keys cannot be fetched, concurrent requests get unavailable within seven seconds', async () => {
  const { issuer, askTogether } = await start()
  issuer.answers.set(JWKS, hang)
  const { value, ms } = await timed(askTogether(10, await es.token()))
  expect(value).toEqual(new Set(['unavailable']))
  expect(ms).toBeLessThan(7000)
  issuer.answers.set(JWKS, json({ keys: [es.jwk] }))
  await sleep(1000)
  expect(await askTogether(5, await es.token())).toEqual(new Set(['allowed']))
})
