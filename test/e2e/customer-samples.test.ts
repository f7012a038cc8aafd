// The samples of a customer's client-token endpoint in other languages, each as a real process in front of a real issuer:
// what they answer.

import { createServer, type Server } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { admin } from '../support/admin-api.ts'
import { isRunnable, type RunningSample, samples, startSample } from '../support/customer-samples.ts'
import { createMaker } from '../support/dpop-maker.ts'
import { listenFree } from '../support/ports.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'

const SITE = 'https://www.example.com'
const API = 'https://api.example.com/v1'

const servers = useServers()
let issuer: RunningServer
let accountToken: string
/** Passes requests on to the issuer, or gives the answer that a test has set. */
let front: Server
let frontUrl: string
let scripted: { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | undefined

beforeAll(async () => {
  issuer = await servers.start()
  const { credential } = await admin(issuer.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE], scopes: ['read'] },
    status: 201,
  })
  accountToken = credential.token
  front = createServer(async (request, response) => {
    if (scripted !== undefined) {
      response.writeHead(scripted.status, scripted.headers).end('{"detail":"scripted"}')
      return
    }
    const { host: _, ...headers } = request.headers
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const answer = await fetch(issuer.url + request.url, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: Buffer.concat(parts),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  frontUrl = `http://127.0.0.1:${await listenFree(front)}`
})
afterAll(() => void front?.close())
afterEach(() => {
  scripted = undefined
})

describe.each(samples)('$language', (sample) => {
  const isMissing = !isRunnable(sample)
  let running: RunningSample

  beforeAll(async () => {
    if (!isMissing)
      running = await startSample(sample, { issuer: frontUrl, accountToken, site: SITE, api: API })
  })
  afterAll(() => running?.stop())

  const ask = async (headers: Readonly<Record<string, string>>, body?: string): Promise<Json> => {
    const sent = new Headers({ origin: SITE, cookie: 'a=b; session=1', ...headers })
    if (sent.get('origin') === '') sent.delete('origin')
    const answer = await fetch(`${running.origin}/api/client-token`, {
      method: 'POST',
      headers: sent,
      ...(body !== undefined && { body }),
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    return { status: answer.status, body: await answer.json(), wait: answer.headers.get('retry-after') }
  }

  test.skipIf(isMissing)(
    'gives a signed-in visitor a token for the site, and says where the API is',
    async () => {
      const { status, body } = await ask({})
      expect([status, body.tokenType, body.config]).toEqual([200, 'Bearer', { baseUrl: API }])
      expect(payloadOf(body.token).origin).toBe(SITE)
      expect(body.expiresIn).toBeGreaterThan(60)
      expect(Object.keys(body).sort()).toEqual(['config', 'expiresIn', 'token', 'tokenType'])
    },
  )

  test.skipIf(isMissing)('binds the token to the key of the browser', async () => {
    const { jkt } = await createMaker('ES256')
    const { status, body } = await ask(
      { 'content-type': 'application/json' },
      JSON.stringify({ jkt, other: 1 }),
    )
    expect([status, body.tokenType, payloadOf(body.token).cnf]).toEqual([200, 'DPoP', { jkt }])
  })

  test
    .skipIf(isMissing)
    .each<[string, Readonly<Record<string, string>>, string | undefined, readonly [number, string]]>([
      ['another origin', { origin: 'https://evil.example' }, undefined, [403, 'origin_not_allowed']],
      ['a request without an origin', { origin: '' }, undefined, [403, 'origin_required']],
      ['a visitor who is not signed in', { cookie: '' }, undefined, [401, 'unauthorized']],
      ['a body that is not JSON', {}, '{', [400, 'invalid_request']],
      ['a body that is not an object', {}, '[1]', [400, 'invalid_request']],
      ['a key that the issuer refuses', {}, '{"jkt":"short"}', [502, 'bad_gateway']],
    ])('refuses %s', async (_, headers, body, expected) => {
    const { status, body: answer } = await ask(headers, body)
    expect([status, answer]).toEqual([expected[0], { error: expected[1] }])
  })

  test.skipIf(isMissing).each([
    [{ status: 429, headers: { 'retry-after': '17' } }, [503, 'unavailable', '17']],
    [{ status: 503, headers: { 'retry-after': '3' } }, [503, 'unavailable', '3']],
    [{ status: 401 }, [502, 'bad_gateway', null]],
    [{ status: 500 }, [502, 'bad_gateway', null]],
  ] as const)('passes on no more than it has to of %o', async (answer, expected) => {
    scripted = answer
    const { status, body, wait } = await ask({})
    expect([status, body.error, wait]).toEqual(expected)
  })

  test.skipIf(isMissing)('follows no redirect, because the secret would go along', async () => {
    const visited: string[] = []
    const other = createServer((request, response) => {
      visited.push(`${request.method} ${request.url}`)
      response.end('{}')
    })
    scripted = { status: 307, headers: { location: `http://127.0.0.1:${await listenFree(other)}/` } }
    expect((await ask({})).status).toBe(502)
    scripted = { ...scripted, status: 302 }
    expect((await ask({})).status).toBe(502)
    expect(visited).toEqual([])
    other.close()
  })

  test.skipIf(isMissing)('writes why the issuer refused to its log, without the secret', async () => {
    await ask({}, '{"jkt":"short"}')
    await expect.poll(running.output).toContain('no client token: 422')
    expect(running.output()).not.toContain('cgk_')
  })
})
