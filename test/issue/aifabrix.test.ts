// AI Fabrix' endpoint in one process: secrets in pages, limits, lifetimes and a database that is down.

import { afterEach, describe, expect, test } from 'vitest'
import { createSecret } from '../../src/signing/secret.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import type { WireAnswer, WireRequest } from '../support/wire.ts'
import { createAccount, createWorld, expectProblem, payloadOf, SITE, type World } from '../support/world.ts'
import { readAudit, readCount } from './records-of-pages.ts'

let service: MemoryService
let world: World

async function start(...options: Parameters<typeof startMemory>): Promise<void> {
  service = await startMemory(...options)
  world = await createWorld(service)
}
afterEach(() => service.stop())

interface Pair {
  readonly clientId: string
  readonly clientSecret: string
}

const ask = (
  { clientId, clientSecret }: Pair,
  headers: Record<string, string> = {},
  extra: Partial<WireRequest> = {},
): Promise<WireAnswer> =>
  service.send({
    method: 'POST',
    path: '/api/v1/auth/token',
    headers: { 'x-client-id': clientId, 'x-client-secret': clientSecret, ...headers },
    ...extra,
  })
const wrong = (): Pair => ({ clientId: world.clientId, clientSecret: createSecret() })

describe('secrets in pages', () => {
  test.each([
    ['Origin', { origin: SITE }],
    ['Origin: null', { origin: 'null' }],
    ['Sec-Fetch-Site', { 'sec-fetch-site': 'same-origin' }],
  ])('detected by %s: counted, and audited when the secret is right', async (_, headers) => {
    await start()
    expectProblem(await ask(wrong(), headers), 403, 'secret_in_browser', world)
    expect([await readCount(service, 'aifabrix'), await readAudit(service)]).toEqual([1, []])
    expectProblem(await ask(world, headers, { body: 'x'.repeat(20_000) }), 403, 'secret_in_browser', world)
    expect(await readCount(service, 'aifabrix')).toBe(2)
    const detail = { door: 'aifabrix', account: world.accountId }
    expect(await readAudit(service)).toEqual([expect.objectContaining({ target: world.clientId, detail })])
    expect(service.lines.join('\n')).not.toContain(world.clientSecret)
  })

  test.each([
    ['OPTIONS', 204],
    ['GET', 405],
  ])('%s from a page is answered with %i, and is neither counted nor audited', async (method, status) => {
    await start()
    expect((await ask(world, { origin: SITE }, { method })).status).toBe(status)
    expect([await readCount(service, 'aifabrix'), await readAudit(service)]).toEqual([0, []])
  })

  test('the body of a request from a page is not read', async () => {
    await start()
    expect(await readsBody('/api/v1/auth/token', { origin: SITE })).toBe(false)
    expect(await readsBody('/api/v1/auth/token', {})).toBe(true)
  })
})

test('POST /api/v1/logs is a 404 that reads neither body nor database', async () => {
  const inner = createMemoryStorage()
  const asked: string[] = []
  const spied = new Proxy(createCachedStorage(inner), {
    get(store, name) {
      asked.push(String(name))
      return Reflect.get(store, name)
    },
  })
  await start({}, { storage: spied })
  asked.length = 0
  expect(await readsBody('/api/v1/logs', { 'x-client-id': world.clientId })).toBe(false)
  expect(asked).toEqual([])
})

/** Posts a body that never ends. Resolves to whether the service read from it. */
async function readsBody(path: string, headers: Record<string, string>): Promise<boolean> {
  let pulled = 0
  const body = new ReadableStream(
    {
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1024))
      },
    },
    { highWaterMark: 0 },
  )
  const init = { method: 'POST', headers, body, duplex: 'half' }
  const answer = await service.app.fetch(new Request(service.issuer + path, init as RequestInit))
  expect(answer.status).toBeGreaterThanOrEqual(400)
  return pulled > 0
}

test.each<[Record<string, string>, number | null, number]>([
  [{}, null, 1800],
  [{ CLAIMGATE_TOKEN_TTL: '60' }, null, 60],
  [{ CLAIMGATE_TOKEN_TTL: '7200' }, 3600, 3600],
  [{ CLAIMGATE_TOKEN_TTL: '60' }, 600, 60],
])('configured with %o, account limit %s s: a token of %i s', async (env, maxTtl, expected) => {
  await start(env)
  const { credential } = await createAccount(service, { name: 'A', allowedOrigins: [SITE], maxTtl })
  const body = (await ask(credential)).json()
  const { iat, exp } = payloadOf(body.token)
  expect([exp - iat, body.expiresIn, body.data.expiresIn]).toEqual([expected, expected, expected])
})

test('successes count for the credential, 401s for the address', async () => {
  await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
  for (const left of [1, 0]) {
    expect((await ask(world)).headers.get('ratelimit')).toMatch(new RegExp(`^"claim";r=${left};t=\\d+$`))
  }
  const over = await ask(world)
  expectProblem(over, 429, 'rate_limited', world)
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
  await ask(wrong(), { origin: SITE })
  for (const status of [401, 401, 429]) expect((await ask(wrong())).status).toBe(status)
})

test('an account that requires an origin gets 422, which counts for its credential', async () => {
  await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
  const made = { name: 'Pages only', allowedOrigins: [SITE], requireOrigin: true }
  const { credential } = await createAccount(service, made)
  for (let sent = 0; sent < 2; sent += 1) {
    const problem = expectProblem(await ask(credential), 422, 'invalid_request', world)
    expect(problem.errors).toEqual([{ parameter: 'origin', message: expect.stringContaining('required') }])
  }
  expectProblem(await ask(credential), 429, 'rate_limited', world)
})

test('a database that is down: 503 with Retry-After', async () => {
  const inner = createMemoryStorage()
  let isDown = false
  const storage = createCachedStorage(
    {
      ...inner,
      findCredential: (id) => (isDown ? Promise.reject(new StorageError('down')) : inner.findCredential(id)),
    },
    { ttlMs: 0 },
  )
  await start({}, { storage })
  expect((await ask(world)).status).toBe(200)
  isDown = true
  const answer = await ask(world)
  expectProblem(answer, 503, 'unavailable', world)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  isDown = false
  expect((await ask(world)).status).toBe(200)
})
