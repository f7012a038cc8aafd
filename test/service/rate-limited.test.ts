// Limits over HTTP: proofs of one key, and wrong admin tokens.

import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import type { Counters } from '../../src/counters/counters.ts'
import { createMemoryCounters } from '../../src/counters/memory.ts'
import { createMaker } from '../support/dpop-maker.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { WireAnswer } from '../support/wire.ts'
import { claimToken, createWorld, SITE } from '../support/world.ts'

let service: MemoryService
afterEach(() => service.stop())

/** Starts the service behind a trusted proxy, so that a test chooses the client's address. */
async function start(env: Record<string, string> = {}): Promise<void> {
  service = await startMemory({ CLAIMGATE_TRUSTED_PROXIES: 'loopback', ...env })
}

function ask(path: string, token: string | undefined, from = '192.0.2.1'): Promise<WireAnswer> {
  const headers = {
    'x-forwarded-for': from,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  return service.send({ method: 'GET', path, headers })
}

async function countRefused(): Promise<string | undefined> {
  return /^claimgate_admin_refused_total (\d+)$/m.exec(await service.deps.metrics.render())?.[1]
}

describe('wrong admin tokens', () => {
  test('are refused with 429 after 20 a minute from one address, at /admin and /metrics together; the right one still works', async () => {
    await start({ CLAIMGATE_METRICS: 'admin' })
    expect(await countRefused()).toBe('0')
    for (let sent = 0; sent < 20; sent += 1) {
      const path = ['/admin/accounts', '/metrics', '/admin/nothing'][sent % 3] ?? ''
      expect((await ask(path, `wrong ${sent}`)).status).toBe(401)
    }
    for (const path of ['/admin/accounts', '/metrics']) {
      const over = await ask(path, 'wrong again')
      expect([over.status, over.json().error]).toEqual([429, 'rate_limited'])
      expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(Number(over.headers.get('retry-after'))).toBeLessThanOrEqual(60)
      expect((await ask(path, 'wrong', '192.0.2.2')).status).toBe(401)
      expect((await ask(path, ADMIN_TOKEN)).status).toBe(200)
    }
    expect(await countRefused()).toBe('24')
    const warnings = service.lines.filter((line) => line.includes('wrong admin tokens'))
    expect(warnings).toHaveLength(1)
    expect(JSON.parse(warnings[0] ?? '')).toMatchObject({ count: 1, address: '192.0.2.0/24' })
  })

  test('are counted by IPv6 /56; a request without a token is not counted', async () => {
    await start()
    for (let sent = 0; sent < 20; sent += 1) {
      expect((await ask('/admin/keys', 'wrong', `2001:db8:0:11${sent + 10}::1`)).status).toBe(401)
    }
    expect((await ask('/admin/keys', 'wrong', '2001:db8:0:11ff:ffff::1')).status).toBe(429)
    expect((await ask('/admin/keys', undefined, '2001:db8:0:11ff:ffff::1')).status).toBe(401)
    expect((await ask('/admin/keys', 'wrong', '2001:db8:0:1200::1')).status).toBe(401)
  })
})

describe('a key with too many proofs', () => {
  test.each([
    ['/auth/whoami', 'GET'],
    ['/auth/verify', 'GET'],
    ['/oauth/token', 'POST'],
  ])('%s answers 429 with Retry-After', async (path, method) => {
    const full: Counters = {
      ...createMemoryCounters(),
      openOneTime: () => ({ use: async () => ({ kind: 'tenant_full', retryAfterSeconds: 33 }) }),
    }
    service = await startMemory({}, { counters: full })
    const world = await createWorld(service)
    const maker = await createMaker('ES256')
    const token = await claimToken(world, { jkt: maker.jkt })
    const isToken = path === '/oauth/token'
    const basic = Buffer.from(`${world.clientId}:${world.clientSecret}`).toString('base64')
    const answer = await service.send({
      method,
      path,
      ...(isToken && { body: 'grant_type=client_credentials' }),
      headers: {
        ...(isToken
          ? { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${basic}` }
          : { authorization: `DPoP ${token}`, origin: SITE }),
        dpop: maker.proof({
          htm: method,
          htu: service.issuer + path,
          iat: Math.floor(Date.now() / 1000),
          ath: isToken ? undefined : createHash('sha256').update(token).digest('base64url'),
        }),
      },
    })
    expect([answer.status, answer.json().error]).toEqual([429, 'rate_limited'])
    expect(answer.headers.get('retry-after')).toBe('33')
    expect(answer.headers.get('www-authenticate')).toBeNull()
  })
})
