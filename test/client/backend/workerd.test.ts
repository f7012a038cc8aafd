// The endpoint, bundled, in a real workerd without Node compatibility: what the page gets, and what the issuer is asked.

import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { payloadOf, SITE } from '../../support/world.ts'
import { API, answer, closedUrl, expectNoSecret, JKT, TOKEN, useSimulatedIssuer, useWorld } from './issuer.ts'

const ENTRY = `
import { createClaimClient, createClientTokenEndpoint, loadConfig } from '../../../src/client/backend/index.ts'
let endpoint
export default {
  fetch(request, env) {
    endpoint ??= createClientTokenEndpoint(createClaimClient(loadConfig(env)), { authenticate: 'public', bindIp: true })
    return endpoint(request, { ip: request.headers.get('cf-connecting-ip') ?? undefined })
  },
}`

const world = useWorld()
const issuer = useSimulatedIssuer()
const running: Miniflare[] = []
let script: string

beforeAll(async () => {
  const bundle = await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    write: false,
  })
  script = bundle.outputFiles[0]?.text ?? ''
})
afterAll(() => Promise.all(running.map((miniflare) => miniflare.dispose())))

/** Starts a worker with these bindings and asks its endpoint. */
async function ask(bindings: Record<string, string>, body?: object): Promise<Response> {
  const settings = { CLAIMGATE_API_URL: API, CLAIMGATE_ALLOWED_ORIGINS: SITE }
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script,
      bindings: { ...settings, ...bindings },
      compatibilityDate: '2024-09-01',
      host: '127.0.0.1',
      port: 0,
    }),
  )
  running.push(miniflare)
  const headers = { origin: SITE, 'cf-connecting-ip': '192.0.2.7' }
  const init = { method: 'POST', headers, ...(body && { body: JSON.stringify(body) }) }
  return fetch(new URL('/api/client-token', await miniflare.ready), init)
}

test('gives a token that is bound to origin, address and key', async () => {
  const seen = await ask(
    { CLAIMGATE_ISSUER: world().issuer, CLAIMGATE_ACCOUNT_TOKEN: world().token },
    { jkt: JKT },
  )
  const text = await seen.text()
  expect(seen.status, text).toBe(200)
  const { token, tokenType, config } = JSON.parse(text)
  expect(payloadOf(token)).toMatchObject({ origin: SITE, ip: '192.0.2.7', cnf: { jkt: JKT } })
  expect([tokenType, config.baseUrl, config.clientTokenUri]).toEqual(['DPoP', API, '/api/client-token'])
  expectNoSecret(text, world())
})

test.each([
  ['refuses', 502, () => answer(401, { error: 'unauthorized' })],
  ['redirects', 502, () => answer(307, '', { location: '/elsewhere' })],
  ['hangs', 504, () => () => undefined],
])('when the issuer %s, the page gets %i', async (_, status, reply) => {
  issuer.reply = reply()
  issuer.asked.length = 0
  const startedAt = performance.now()
  const seen = await ask({ CLAIMGATE_ISSUER: issuer.url, CLAIMGATE_ACCOUNT_TOKEN: TOKEN })
  expect(seen.status).toBe(status)
  expect(performance.now() - startedAt).toBeLessThan(8000)
  expect(issuer.asked.map(({ path }) => path)).toEqual(['/auth/claim'])
  expectNoSecret(await seen.text())
})

test.each([
  [
    'an unreachable issuer',
    async () => ({ CLAIMGATE_ISSUER: await closedUrl(), CLAIMGATE_ACCOUNT_TOKEN: TOKEN }),
    504,
  ],
  ['no configuration', async () => ({}), 503],
])('answers with an error for %s', async (_, bindings, status) => {
  expect((await ask(await bindings())).status).toBe(status)
})
