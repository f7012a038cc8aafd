// Forward auth for a peer that is not a trusted proxy. claimgate decides about the peer's own request. If the peer describes
// another request in headers, its request is refused and logged.

import { beforeEach, describe, expect, test, vi } from 'vitest'
import { startMemory } from '../support/memory.ts'
import { claimToken, expectProblem, payloadOf } from '../support/world.ts'
import { anonymous, CLIENT, expectPass, type Headers, useForwardAuth } from './forward-auth.ts'

const STRANGER = '203.0.113.99'
const auth = useForwardAuth()

beforeEach(() => {
  auth.peer = STRANGER
})

/** Signs a token of the account that lacks the claims with these names. */
async function signWithout(...names: string[]): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = { ...payloadOf(auth.token), iat: now, exp: now + 60 }
  for (const name of names) delete (claims as Record<string, unknown>)[name]
  return auth.service.deps.keyRing.sign(JSON.stringify(claims))
}

describe('headers that describe another request', () => {
  const names = [
    'x-original-method',
    'X-Original-URI',
    'x-forwarded-method',
    'X-Forwarded-Uri',
    'x-forwarded-host',
  ]
  const rows = names.flatMap((name) => ['OPTIONS', '/orders', ''].map((value) => [name, value] as const))

  test.each(rows)('%s: "%s" is 401, even with a valid token', async (name, value) => {
    const answer = await auth.ask('/auth/verify', { [name]: value })
    expectProblem(answer, 401, 'invalid_request', auth.world)
    expect(answer.text).not.toContain(STRANGER)
    expect([...answer.headers.keys()].filter((one) => one.startsWith('x-claim'))).toEqual([])
  })

  test('a preflight that describes another request is not answered as one', async () => {
    const headers = { 'access-control-request-method': 'PUT', 'x-original-method': 'OPTIONS' }
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await auth.ask('/auth/verify/orders', anonymous(headers), method)
      expectProblem(answer, 401, 'invalid_request', auth.world)
    }
  })

  test.each(['x-forwarded-for', 'x-forwarded-proto', 'x-real-ip', 'via', 'forwarded'])(
    '%s, which proxies always add, changes nothing',
    async (name) => {
      expectPass(await auth.ask('/auth/verify', { [name]: name === 'forwarded' ? 'for=192.0.2.1' : 'https' }))
    },
  )
})

describe('the log line', () => {
  test('names the peer’s whole address, the variable and the number of refusals, at most once a minute', async () => {
    let now = Date.UTC(2031, 3, 5)
    let peer = '::ffff:203.0.113.99'
    const service = await startMemory({}, { now: () => now, peerOf: () => peer })
    const send = (headers: Headers) => service.send({ method: 'GET', path: '/auth/verify', headers })
    const lines = () =>
      service.lines
        .filter((line) => line.includes('CLAIMGATE_TRUSTED_PROXIES'))
        .map((line) => JSON.parse(line))
        .map(({ level, peer: from, count }) => [level, from, count])
    await send({ 'x-forwarded-proto': 'https' })
    expect(lines()).toEqual([])
    for (let n = 0; n < 3; n += 1) await send({ 'x-original-uri': '/a?token=secret' })
    expect(lines()).toEqual([['warn', '203.0.113.99', 1]])
    now += 59_999
    peer = '2001:db8::7'
    await send({ 'x-forwarded-host': '' })
    expect(lines()).toHaveLength(1)
    now += 1
    await send({ 'x-forwarded-host': '' })
    expect(lines()).toEqual([
      ['warn', '203.0.113.99', 1],
      ['warn', '2001:db8::7', 4],
    ])
    now -= 3_600_000
    await send({ 'x-forwarded-host': '' })
    expect(lines()).toHaveLength(3)
    expect(service.lines.join()).not.toContain('secret')
    await service.stop()
  })

  test.each([
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['2001:DB8:0::7', '2001:db8::7'],
    [undefined, 'unknown'],
  ])('names the peer %s as %s', async (peer, named) => {
    const service = await startMemory({}, { peerOf: () => peer })
    await service.send({ method: 'GET', path: '/auth/verify', headers: { 'x-forwarded-uri': '' } })
    const line = service.lines.find((one) => one.includes('CLAIMGATE_TRUSTED_PROXIES')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', peer: named, count: 1 })
    await service.stop()
  })

  test('is not written for a trusted proxy', async () => {
    const warn = vi.spyOn(auth.service.deps.log, 'warn')
    auth.peer = '10.0.0.1'
    expectPass(await auth.ask('/auth/verify', { 'x-original-uri': '/orders' }))
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('options', () => {
  const evil = { origin: 'https://evil.example' }
  const rows: readonly [path: string, headers: Headers, expected: 200 | readonly [number, string]][] = [
    ['/auth/verify', {}, 200],
    ['/auth/verify?scope=read', {}, 200],
    ['/auth/verify?scope=admin', {}, [403, 'insufficient_scope']],
    ['/auth/verify?require=origin', {}, 200],
    ['/auth/verify?require=key', {}, [401, 'proof_required']],
    ['/auth/verify?require=ip', {}, [401, 'ip_mismatch']],
    ['/auth/verify?audience=https://auth.example.com', {}, 200],
    ['/auth/verify?missingOrigin=allow', { origin: [] }, [401, 'origin_required']],
    ['/auth/verify?missingOrigin=allow', {}, 200],
    ['/auth/verify?mode=report', evil, [401, 'origin_mismatch']],
    ['/auth/verify?mode=off', {}, 200],
    ['/auth/verify?tokenSources=nonsense', {}, 200],
    ['/auth/verify?apiOrigin=nonsense', {}, 200],
    ['/auth/verify?tickets=on', {}, 200],
    ['/auth/verify?unknown=1', {}, [401, 'invalid_request']],
    ['/auth/verify?token=x', {}, [401, 'invalid_request']],
    ['/auth/verify?scope=', {}, [401, 'invalid_request']],
    ['/auth/verify?require=', {}, [401, 'invalid_request']],
    ['/auth/verify?require=none,ip', {}, [401, 'invalid_request']],
    ['/auth/verify?audience=https://elsewhere.example', {}, [401, 'invalid_request']],
    ['/auth/verify?audience=', {}, [401, 'invalid_request']],
    // On a longer path the query is the client's.
    ['/auth/verify/orders?unknown=1&scope=admin', {}, 200],
  ]
  test.each(rows)('%s with %j', async (path, headers, expected) => {
    const answer = await auth.ask(path, headers)
    if (expected === 200) expectPass(answer)
    else expectProblem(answer, ...expected, auth.world)
  })

  test.each(['none', 'none&scope=read', 'ip', 'key'])(
    'require=%s does not let a token without an origin pass',
    async (bound) => {
      const authorization = `Bearer ${await signWithout('origin')}`
      const answer = await auth.ask(`/auth/verify?require=${bound}`, { authorization })
      expectProblem(answer, 401, 'origin_required', auth.world)
    },
  )

  test.each(['scope=read+', 'require=ip&', 'mode=report&'])(
    '60 000 characters of %s are refused before they are parsed',
    async (one) => {
      const path = `/auth/verify?${one.repeat(60_000 / one.length)}scope=read`
      expectProblem(await auth.ask(path), 401, 'invalid_request', auth.world)
    },
  )

  test('an unknown option is not logged', async () => {
    const before = auth.service.lines.length
    await auth.ask('/auth/verify?nonsense=1')
    const added = auth.service.lines.slice(before).filter((line) => !line.includes('"debug"'))
    expect(added).toEqual([])
  })
})

test('the address of the socket counts, not the one in headers', async () => {
  const bound = { authorization: `Bearer ${await claimToken(auth.world, { ip: CLIENT })}` }
  expectProblem(await auth.ask('/auth/verify', bound), 401, 'ip_mismatch', auth.world)
})

test('a token in the query does not count, at /auth/verify and on longer paths', async () => {
  for (const path of [
    `/auth/verify?tokenSources=query&scope=read`,
    `/auth/verify/orders?token=${auth.token}`,
  ]) {
    expectProblem(await auth.ask(path, anonymous()), 401, 'missing_token', auth.world)
  }
})
