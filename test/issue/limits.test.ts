// Rate limits of the claim. A request with a right secret counts for its credential, whatever the answer; a 401 counts for
// the client's address; a refusal before the credential is checked does not count.

import { afterEach, describe, expect, test } from 'vitest'
import { createMemoryCounters } from '../../src/counters/memory.ts'
import { createMemoryLimits } from '../../src/counters/memory-limits.ts'
import { startMemory } from '../support/memory.ts'
import { createKeyClient, type OAuthService, startOAuth } from '../support/oauth-service.ts'
import { asserting, postForm } from '../support/oauth-wire.ts'
import type { WireAnswer, WireRequest } from '../support/wire.ts'
import { claimRequest, createWorld, expectProblem, SITE, type World } from '../support/world.ts'

let world: World
/** The socket's peer of the next request. */
let peer = ''

async function start(rateLimit: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  peer = '192.0.2.1'
  const replace = { peerOf: () => peer }
  world = await createWorld(await startMemory({ CLAIMGATE_RATE_LIMIT: rateLimit, ...env }, replace))
}

afterEach(() => world.stop())

const claim = (token: string, extra: Partial<WireRequest> = {}): Promise<WireAnswer> =>
  world.send(claimRequest({ token, origin: SITE }, extra))
const fail = (extra: Partial<WireRequest> = {}) => claim(world.wrong, extra)
const times = async (count: number, send: () => Promise<WireAnswer>): Promise<readonly number[]> => {
  const statuses: number[] = []
  for (let sent = 0; sent < count; sent += 1) statuses.push((await send()).status)
  return statuses
}
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** `r` and `t` of a RateLimit header. */
function limitOf(answer: WireAnswer): { r: number; t: number } {
  const match = /^"claim";r=(\d+);t=(\d+)$/.exec(answer.headers.get('ratelimit') ?? '')
  expect(match, `RateLimit: ${answer.headers.get('ratelimit')}`).not.toBeNull()
  return { r: Number(match?.[1]), t: Number(match?.[2]) }
}

function expectOverLimit(answer: WireAnswer, policy: string, windowSeconds: number): void {
  expectProblem(answer, 429, 'rate_limited', world)
  expect(answer.headers.get('ratelimit-policy')).toBe(policy)
  const { r, t } = limitOf(answer)
  expect(r).toBe(0)
  expect(t).toBeGreaterThanOrEqual(1)
  expect(t).toBeLessThanOrEqual(windowSeconds)
  expect(answer.headers.get('retry-after')).toBe(String(t))
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('www-authenticate')).toBeNull()
}

describe('successes, per credential', () => {
  test('each answer says what is left, then 429 with every header that a client needs', async () => {
    await start('3/60')
    for (const left of [2, 1, 0]) {
      const answer = await claim(world.token)
      expect(answer.status).toBe(200)
      expect(limitOf(answer).r).toBe(left)
      expect(limitOf(answer).t).toBeLessThanOrEqual(60)
      expect(limitOf(answer).t).toBeGreaterThan(50)
      expect(answer.headers.get('retry-after')).toBeNull()
    }
    for (let sent = 0; sent < 3; sent += 1) expectOverLimit(await claim(world.token), '"claim";q=3;w=60', 60)
  })

  test('requests from all addresses share one count', async () => {
    await start('3/60')
    const statuses: number[] = []
    for (const last of [1, 2, 3, 4]) {
      peer = `192.0.2.${last}`
      statuses.push((await claim(world.token)).status)
    }
    expect(statuses).toEqual([200, 200, 200, 429])
  })

  test('another credential has a separate count', async () => {
    await start('3/60')
    expect(await times(4, () => claim(world.token))).toEqual([200, 200, 200, 429])
    expect(await times(4, () => claim(world.open))).toEqual([200, 200, 200, 429])
  })

  test('both paths and every form of the credential share one count', async () => {
    await start('3/60')
    const bearer = { headers: { authorization: `Bearer ${world.token}` } }
    const query = { method: 'POST', path: `/api/auth/claim?origin=${SITE}` }
    expect((await world.send({ ...query, ...bearer })).status).toBe(200)
    expect((await world.send({ ...query, path: `${query.path}&token=${world.token}` })).status).toBe(200)
    expect(limitOf(await claim(world.token)).r).toBe(0)
  })

  /** Faults of a request with a right secret, and the answer. */
  test.each<[object, number]>([
    [{}, 422],
    [{ origin: SITE, ip: '' }, 422],
    [{ origin: 'https://other.example' }, 403],
    [{ origin: SITE, scope: 'admin' }, 403],
  ])('%j counts like a success, and is 429 over the limit', async (body, status) => {
    await start('3/60')
    const send = () => world.send(claimRequest({ token: world.token, ...body }))
    expect(await times(2, send)).toEqual([status, status])
    expect(limitOf(await claim(world.token)).r).toBe(0)
    expectOverLimit(await send(), '"claim";q=3;w=60', 60)
    expect(await times(4, fail)).toEqual([401, 401, 401, 429])
  })
})

describe('failures, per client address', () => {
  test('over the limit the answer is 429 in place of 401', async () => {
    await start('3/60')
    for (let sent = 0; sent < 3; sent += 1) expectProblem(await fail(), 401, 'unauthorized', world)
    expectOverLimit(await fail(), '"claim";q=3;w=60', 60)
    expectOverLimit(await claim('garbage'), '"claim";q=3;w=60', 60)
    expectOverLimit(await world.send(claimRequest({})), '"claim";q=3;w=60', 60)
  })

  test('every 401 counts: wrong, misspelt, missing', async () => {
    await start('3/60')
    await fail()
    await claim('garbage')
    await world.send(claimRequest({}))
    expect((await fail()).status).toBe(429)
  })

  test('a right secret works, however many requests of its address failed', async () => {
    await start('3/60')
    expect(await times(20, fail)).toContain(429)
    expect(await times(3, () => claim(world.token))).toEqual([200, 200, 200])
  })

  test('wrong secrets do not count for the credential that they name', async () => {
    await start('3/60')
    await times(20, fail)
    expect(limitOf(await claim(world.token)).r).toBe(2)
  })

  test('successes do not count for the address', async () => {
    await start('3/60')
    await times(5, () => claim(world.token))
    expect(await times(4, fail)).toEqual([401, 401, 401, 429])
  })

  const typed = (type: string) => ({ headers: { 'content-type': type } })
  test.each<[number, (world: World) => WireRequest]>([
    [403, ({ wrong }) => claimRequest({ token: wrong }, { headers: { origin: SITE } })],
    [400, ({ wrong }) => claimRequest({}, { body: `{"token":"${wrong}"` })],
    [400, ({ wrong }) => claimRequest({ token: wrong }, { path: `/auth/claim?token=${wrong}x` })],
    [405, ({ wrong }) => ({ method: 'GET', path: `/auth/claim?token=${wrong}` })],
    [413, ({ wrong }) => claimRequest({ token: wrong, pad: 'x'.repeat(17_000) })],
    [415, ({ wrong }) => claimRequest({ token: wrong }, typed('text/plain'))],
  ])('%i does not count as a failure', async (status, request) => {
    await start('3/60')
    expect(await times(10, () => world.send(request(world)))).toEqual(new Array(10).fill(status))
    expect(await times(4, fail)).toEqual([401, 401, 401, 429])
  })

  test.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff:ffff:ffff:ffff', true],
    ['2001:db8:0:1::1', '2001:DB8:0:1::1', true],
    ['2001:db8:0:1::1', '2001:db8:0:fe::1', true],
    ['2001:db8:0:1::1', '2001:db8:0:101::1', false],
    ['::1', '127.0.0.1', false],
  ])('the peers %s and %s count as one client: %s', async (one, other, areOne) => {
    await start('2/60')
    peer = one
    expect(await times(3, fail)).toEqual([401, 401, 429])
    peer = other
    expect((await fail()).status).toBe(areOne ? 429 : 401)
  })

  test('an X-Forwarded-For of an untrusted peer does not give a new count', async () => {
    await start('2/60')
    const statuses: number[] = []
    for (const last of [1, 2, 3]) {
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': `203.0.113.${last}` }
      statuses.push((await fail({ headers })).status)
    }
    expect(statuses).toEqual([401, 401, 429])
  })

  test('behind a trusted proxy the address of the client counts, not that of the proxy', async () => {
    await start('2/60', { CLAIMGATE_TRUSTED_PROXIES: '192.0.2.1' })
    const behind = (client: string) => () =>
      fail({ headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.51.100.9, ${client}` } })
    expect(await times(3, behind('203.0.113.1'))).toEqual([401, 401, 429])
    expect(await times(3, behind('203.0.113.2'))).toEqual([401, 401, 429])
  })
})

describe('the window', () => {
  test('a new window starts when the last one is over', async () => {
    await start('2/1')
    expect(await times(3, () => claim(world.token))).toEqual([200, 200, 429])
    expect(await times(3, fail)).toEqual([401, 401, 429])
    const { t } = limitOf(await claim(world.token))
    expect(t).toBe(1)
    await sleep(t * 1000 + 50)
    expect(limitOf(await claim(world.token)).r).toBe(1)
    expect(await times(2, fail)).toEqual([401, 401])
  })

  test('waiting for Retry-After is enough, however many requests were sent meanwhile', async () => {
    await start('1/2')
    await claim(world.token)
    await sleep(700)
    const refused = await claim(world.token)
    const waited = Number(refused.headers.get('retry-after')) * 1000 + 50
    expect(waited).toBeLessThanOrEqual(2050)
    const end = Date.now() + waited
    for (let sent = 0; sent < 5; sent += 1) {
      expect((await claim(world.token)).status).toBe(429)
      await sleep(100)
    }
    await sleep(end - Date.now())
    expect((await claim(world.token)).status).toBe(200)
  })
})

test('with CLAIMGATE_RATE_LIMIT=off nothing is counted, and there are no headers', async () => {
  await start('off')
  const answer = await claim(world.token)
  expect(answer.headers.get('ratelimit')).toBeNull()
  expect(answer.headers.get('ratelimit-policy')).toBeNull()
  expect(new Set(await times(100, () => claim(world.token)))).toEqual(new Set([200]))
  expect(new Set(await times(100, fail))).toEqual(new Set([401]))
})

describe('wrong secrets from more addresses than the counter holds', () => {
  const REMEMBERED = 20

  async function startSmall(): Promise<OAuthService> {
    const counters = {
      ...createMemoryCounters(),
      openLimits: () => createMemoryLimits({ max: REMEMBERED }),
    }
    const env = { CLAIMGATE_RATE_LIMIT: '3/60' }
    const service = await startOAuth(env, { peerOf: () => peer, counters })
    world = service
    return service
  }

  async function flood(): Promise<void> {
    for (let sent = 0; sent < 3 * REMEMBERED; sent += 1) {
      peer = `198.51.100.${sent}`
      expect((await fail()).status).toBe(401)
    }
  }

  test('do not give a new window to a credential over its limit', async () => {
    await startSmall()
    expect(await times(4, () => claim(world.token))).toEqual([200, 200, 200, 429])
    await flood()
    expectOverLimit(await claim(world.token), '"claim";q=3;w=60', 60)
  })

  test('do not give a new window to a client whose assertions are over the limit', async () => {
    const client = await createKeyClient(await startSmall())
    const introspect = async () => {
      const members = asserting(await client.sign(), { token: 'x' })
      return world.send(postForm('/oauth/introspect', members))
    }
    expect(await times(4, introspect)).toEqual([200, 200, 200, 429])
    await flood()
    expect((await introspect()).status).toBe(429)
  })
})
