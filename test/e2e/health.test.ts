// Liveness, readiness and metrics, and what works while the database is down.

import { describe, expect, test, vi } from 'vitest'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN, HAS_IPV6, useServers } from '../support/server.ts'
import { sendToSocket, type WireAnswer } from '../support/wire.ts'
import { claimRequest, claimToken, createWorld, expectProblem, SITE, type World } from '../support/world.ts'

const { start } = useServers()

type Get = (path: string, headers?: Record<string, string>) => Promise<WireAnswer>

function getFrom(service: Pick<World, 'send'>): Get {
  return (path, headers = {}) => service.send({ method: 'GET', path, headers })
}

/** Reads /metrics. The keys are series as Prometheus writes them, such as `name{a="b"}`. */
async function readMetrics(service: Pick<World, 'send'>): Promise<ReadonlyMap<string, number>> {
  const { text } = await getFrom(service)('/metrics')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  )
}

describe('/healthz and /readyz', () => {
  test('answer 200 on a running server', async () => {
    const server = await start()
    const get = getFrom({ send: (request) => sendToSocket(server.url, request) })
    const health = await get('/healthz')
    expect([health.status, health.headers.get('content-type'), health.text]).toEqual([
      200,
      'application/json',
      '{"status":"ok"}',
    ])
    const ready = await get('/readyz')
    expect(ready.status).toBe(200)
    expect(ready.json()).toEqual({ status: 'ready', checks: { database: 'ok', keys: 'ok' } })
    expect(ready.headers.get('cache-control')).toBe('no-store')
  })

  test('while stopping: /healthz 200, /readyz 503', async () => {
    const service = await startMemory({}, { isStopping: () => true })
    const get = getFrom(service)
    expect((await get('/healthz')).status).toBe(200)
    const ready = await get('/readyz')
    expect(ready.status).toBe(503)
    expect(ready.json()).toEqual({ status: 'unready', checks: { database: 'ok', keys: 'ok' } })
  })

  test('a database that has never answered fails the check after two seconds', async () => {
    const storage = {
      ...createCachedStorage(createMemoryStorage()),
      ping: () => new Promise<void>(() => undefined),
    }
    const get = getFrom(await startMemory({}, { storage }))
    vi.useFakeTimers()
    try {
      const asked = get('/readyz')
      let isAnswered = false
      void asked.then(() => {
        isAnswered = true
      })
      await vi.advanceTimersByTimeAsync(1900)
      expect(isAnswered).toBe(false)
      await vi.advanceTimersByTimeAsync(200)
      const ready = await asked
      expect(ready.status).toBe(503)
      expect(ready.json()).toEqual({ status: 'unready', checks: { database: 'failed', keys: 'ok' } })
    } finally {
      vi.useRealTimers()
    }
  })
})

interface Outage {
  readonly world: World
  readonly service: MemoryService
  /** Makes every call of the database reject from now on, and cached records too old to issue tokens from. */
  begin(): void
  end(): void
}

/** A service whose database can be made to fail. */
async function prepareOutage(): Promise<Outage> {
  let isDown = false
  let passedMs = 0
  const inner: Storage = new Proxy(createMemoryStorage(), {
    get: (target, name: keyof Storage) =>
      isDown ? () => Promise.reject(new StorageError('the database is away')) : target[name],
  })
  const service = await startMemory(
    {},
    { storage: createCachedStorage(inner, { now: () => performance.now() + passedMs }) },
  )
  return {
    world: await createWorld(service),
    service,
    begin() {
      isDown = true
      passedMs = 60_000
    },
    end() {
      isDown = false
    },
  }
}

describe('while the database is down', () => {
  test('issuing is 503 with Retry-After, verification and keys work, and the service recovers by itself', async () => {
    const { world, begin, end } = await prepareOutage()
    const get = getFrom(world)
    const token = await claimToken(world)
    const asPage = { authorization: `Bearer ${token}`, origin: SITE }
    const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const claim = () => world.send(claimRequest({ token: world.token, origin: SITE }))
    expect((await get('/auth/whoami', asPage)).status).toBe(200)

    begin()
    for (const answer of [await claim(), await get('/admin/accounts', asAdmin)]) {
      expectProblem(answer, 503, 'unavailable', world)
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(answer.text).not.toContain('away')
    }
    expect((await claim()).headers.get('cache-control')).toBe('no-store')
    expect((await get('/auth/whoami', asPage)).status).toBe(200)
    // Tokens are still verified: an invalid one is refused.
    expectProblem(
      await get('/auth/whoami', { ...asPage, origin: 'https://evil.example' }),
      401,
      'origin_mismatch',
      world,
    )
    expect((await get('/.well-known/jwks.json')).status).toBe(200)
    expect((await get('/healthz')).status).toBe(200)
    const ready = await get('/readyz')
    expect(ready.status).toBe(200)
    expect(ready.json()).toEqual({ status: 'degraded', checks: { database: 'failed', keys: 'ok' } })
    expect((await readMetrics(world)).get('claimgate_dependency_up{check="database"}')).toBe(0)

    end()
    expect((await claim()).status).toBe(200)
    expect((await get('/readyz')).json()).toMatchObject({ status: 'ready' })
    expect((await readMetrics(world)).get('claimgate_dependency_up{check="database"}')).toBe(1)
  })
})

describe('who may read /metrics', () => {
  const REMOTE = '203.0.113.7'
  const PROXY = '127.0.0.3'
  const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` }
  // mode, socket peer, headers, status
  test.each<[string, string, Record<string, string>, number]>([
    ['loopback', '127.0.0.1', {}, 200],
    ['loopback', '127.9.9.9', {}, 200],
    ['loopback', '::1', {}, 200],
    ['loopback', '::ffff:127.0.0.1', {}, 200],
    ['loopback', REMOTE, {}, 404],
    ['loopback', REMOTE, asAdmin, 404],
    ['loopback', '::ffff:203.0.113.7', {}, 404],
    ['loopback', REMOTE, { 'x-forwarded-for': '127.0.0.1' }, 404],
    // A proxy on this machine forwards the request of another machine.
    ['loopback', PROXY, {}, 404],
    ['loopback', '127.0.0.1', { forwarded: 'for=127.0.0.1' }, 404],
    ['loopback', '127.0.0.1', { 'x-forwarded-for': '127.0.0.1' }, 404],
    ['loopback', '127.0.0.1', { 'x-forwarded-host': 'localhost' }, 404],
    ['loopback', '127.0.0.1', { 'x-forwarded-proto': 'http' }, 404],
    ['loopback', '127.0.0.1', { 'x-real-ip': '' }, 404],
    ['loopback', '127.0.0.1', { via: '1.1 edge' }, 404],
    ['admin', '127.0.0.1', {}, 401],
    ['admin', REMOTE, asAdmin, 200],
    ['admin', REMOTE, { authorization: `bearer  ${ADMIN_TOKEN}` }, 200],
    ['admin', REMOTE, { authorization: `Bearer ${ADMIN_TOKEN}x` }, 401],
    ['admin', REMOTE, { authorization: `Basic ${ADMIN_TOKEN}` }, 401],
    ['public', REMOTE, {}, 200],
    ['off', '127.0.0.1', asAdmin, 404],
  ])('%s, from %s with %o: %i', async (mode, peer, headers, status) => {
    const service = await startMemory(
      { CLAIMGATE_METRICS: mode, CLAIMGATE_TRUSTED_PROXIES: `${PROXY},${REMOTE}` },
      { peerOf: () => peer },
    )
    const answer = await getFrom(service)('/metrics', headers)
    expect(answer.status).toBe(status)
    if (status === 200) {
      expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(answer.text).toContain('# TYPE claimgate_tokens_issued_total counter')
      return
    }
    expect(answer.json().error).toBe(status === 401 ? 'unauthorized' : 'not_found')
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
    expect(answer.text).not.toContain('claimgate_')
  })

  test('admin without an admin token: 404 for every request', async () => {
    const service = await startMemory({ CLAIMGATE_METRICS: 'admin', CLAIMGATE_ADMIN_TOKEN: '' })
    for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Bearer null' }]) {
      expect((await getFrom(service)('/metrics', headers)).status).toBe(404)
    }
  })

  test('loopback: Host must also be a loopback name or address', async () => {
    const { url } = await start()
    const ask = async (host: string): Promise<number> =>
      (await sendToSocket(url, { method: 'GET', path: '/metrics', headers: { host } })).status
    for (const host of ['localhost', 'localhost:80', '127.0.0.1', '[::1]:8787'])
      expect(await ask(host)).toBe(200)
    for (const host of ['auth.example.com', '203.0.113.7', 'localhost.example.com']) {
      expect(await ask(host)).toBe(404)
    }
  })

  test.skipIf(!HAS_IPV6)(
    'a socket for IPv6 and IPv4 (needs IPv6): /metrics accepts a loopback IPv4 client, whose address is IPv4-mapped',
    async () => {
      const env = { HOST: '::', CLAIMGATE_ISSUER: 'https://auth.example.com' }
      const { url } = await start({ env })
      const base = url.replace('[::1]', '127.0.0.1')
      expect((await sendToSocket(base, { method: 'GET', path: '/metrics' })).status).toBe(200)
    },
  )
})

describe('the metrics', () => {
  test('count tokens, verdicts by code, secrets in browsers and times; no label has a value from a request', async () => {
    const service = await startMemory()
    const world = await createWorld(service)
    const get = getFrom(world)
    const whoami = (headers: Record<string, string>) => get('/auth/whoami', headers)
    const before = await readMetrics(world)
    for (const name of [
      'claimgate_tokens_issued_total{door="claim"}',
      'claimgate_secret_in_browser_total{door="oauth"}',
      'claimgate_verifications_total{outcome="allow",code=""}',
      'claimgate_verifications_total{outcome="deny",code="missing_token"}',
      'claimgate_verifications_total{outcome="would_block",code="origin_mismatch"}',
    ]) {
      expect([name, before.get(name)]).toEqual([name, 0])
    }

    const token = await claimToken(world)
    await claimToken(world, { expiresIn: 60 })
    await whoami({ authorization: `Bearer ${token}`, origin: SITE })
    await whoami({ authorization: `Bearer ${token}`, origin: 'https://marked.example' })
    await whoami({ authorization: `Bearer ${token}` })
    await whoami({ authorization: 'Bearer marked.marked.marked' })
    await whoami({})
    expect((await world.send(claimRequest({ token: world.wrong, origin: SITE }))).status).toBe(401)
    const inPage = claimRequest({ token: world.token, origin: SITE })
    for (const origin of [SITE, 'https://marked.example']) {
      expect((await world.send({ ...inPage, headers: { ...inPage.headers, origin } })).status).toBe(403)
    }
    await world.send({ method: 'MARKED', path: '/marked/marked?marked=marked' })
    await get('/admin/accounts/marked', { authorization: `Bearer ${ADMIN_TOKEN}` })

    const after = await readMetrics(world)
    const expected = {
      'claimgate_tokens_issued_total{door="claim"}': 2,
      'claimgate_verifications_total{outcome="allow",code=""}': 1,
      'claimgate_verifications_total{outcome="deny",code="origin_mismatch"}': 1,
      'claimgate_verifications_total{outcome="deny",code="origin_required"}': 1,
      'claimgate_verifications_total{outcome="deny",code="invalid_token"}': 1,
      'claimgate_verifications_total{outcome="deny",code="missing_token"}': 1,
      'claimgate_secret_in_browser_total{door="claim"}': 2,
      'claimgate_request_duration_seconds_count{route="claim",status="200"}': 2,
      'claimgate_request_duration_seconds_count{route="claim",status="401"}': 1,
      'claimgate_request_duration_seconds_count{route="claim",status="403"}': 2,
      'claimgate_request_duration_seconds_count{route="none",status="404"}': 1,
    }
    for (const [name, value] of Object.entries(expected))
      expect([name, after.get(name)]).toEqual([name, value])

    const { text } = await get('/metrics')
    for (const value of [
      'marked',
      'MARKED',
      'example.com',
      world.clientId,
      world.accountId,
      token,
      '127.0.0.1',
    ]) {
      expect(text).not.toContain(value)
    }
  })

  test('get no new series from a thousand unknown paths', async () => {
    const service = await startMemory()
    const get = getFrom(service)
    await get('/nowhere')
    const before = (await readMetrics(service)).size
    await Promise.all(Array.from({ length: 1000 }, (_, index) => get(`/nowhere/${index}`)))
    // GET /metrics itself adds a few series.
    await readMetrics(service)
    const known = await readMetrics(service)
    expect(known.size - before).toBeLessThanOrEqual(20)
    expect(known.get('claimgate_request_duration_seconds_count{route="none",status="404"}')).toBe(1001)
  })
})
