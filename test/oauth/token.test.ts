// The token endpoint: proofs, limits, metrics, and what happens when something is down. Its parameters are tested as rows on
// every runtime, in test/runtime.

import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Counters } from '../../src/counters/counters.ts'
import { createMemoryCounters } from '../../src/counters/memory.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import {
  ask,
  askBy,
  createKeyClient,
  getToken,
  type OAuthService,
  post,
  startOAuth,
} from '../support/oauth-service.ts'
import { asMain, asserting, basicOf, expectRefusal, expectSealed } from '../support/oauth-wire.ts'
import { payloadOf } from '../support/world.ts'

let world: OAuthService
const start = async (...parameters: Parameters<typeof startOAuth>): Promise<void> => {
  world = await startOAuth(...parameters)
}
afterEach(() => world.stop())

const fails = (): ReturnType<typeof ask> =>
  ask(world, {}, { authorization: basicOf(world.clientId, 'wrong') })
const statusesOf = async (count: number, send: () => ReturnType<typeof ask>): Promise<number[]> => {
  const statuses: number[] = []
  for (let sent = 0; sent < count; sent += 1) statuses.push((await send()).status)
  return statuses
}

describe('a proof', () => {
  const keys = generateKeyPair('ES256')
  /** A valid proof, with these members replaced. */
  const prove = async (claims: object = {}): Promise<string> => {
    const { privateKey, publicKey } = await keys
    const iat = Math.floor(Date.now() / 1000)
    const good = { jti: crypto.randomUUID(), htm: 'POST', htu: `${world.issuer}/oauth/token`, iat }
    return new SignJWT({ ...good, ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey) })
      .sign(privateKey)
  }
  const withProof = (dpop: string) => ({ ...asMain(world), dpop })

  test('binds the token to its key', async () => {
    await start()
    const jkt = await calculateJwkThumbprint(await exportJWK((await keys).publicKey))
    const answer = await ask(world, { origin: 'http://localhost' }, withProof(await prove()))
    expect(answer.json()).toMatchObject({ token_type: 'DPoP', expires_in: 1800, scope: 'read write' })
    const token = answer.json().access_token
    expect(payloadOf(token)).toMatchObject({ cnf: { jkt }, origin: 'http://localhost' })
    const seen = await post(world, '/oauth/introspect', { token })
    expect(seen.json()).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } })
    expect((await post(world, '/oauth/revoke', { token })).status).toBe(200)
    expect((await post(world, '/oauth/introspect', { token })).json()).toEqual({ active: false })
  })

  test('is used up by the token, not by a request that was refused', async () => {
    await start()
    const proof = await prove()
    expectRefusal(await ask(world, { ip: '' }, withProof(proof)), 400, 'invalid_request', world)
    expectRefusal(await ask(world, {}, { dpop: proof }), 401, 'invalid_client', world)
    expect((await ask(world, {}, withProof(proof))).json().token_type).toBe('DPoP')
    expectRefusal(await ask(world, {}, withProof(proof)), 400, 'invalid_dpop_proof', world)
  })

  test('is ignored at the other endpoints', async () => {
    await start()
    const seen = await post(world, '/oauth/introspect', { token: 'x' }, withProof('x'))
    expect(seen.json()).toEqual({ active: false })
  })

  test('may come with an assertion', async () => {
    await start()
    const client = await createKeyClient(world)
    const answer = await ask(world, asserting(await client.sign({ jti: 'x' })), {
      dpop: await prove({ jti: 'x' }),
    })
    expect(answer.json().token_type).toBe('DPoP')
  })

  test.each([
    ['another method', () => ({ htm: 'GET' })],
    ['another URL', () => ({ htu: 'https://other.example/oauth/token' })],
    ['another endpoint', () => ({ htu: `${world.issuer}/oauth/revoke` })],
    ['an iat 90 s ago', () => ({ iat: Math.floor(Date.now() / 1000) - 90 })],
    ['no jti', () => ({ jti: undefined })],
  ])('with %s is refused, and no token is issued', async (_, change) => {
    await start()
    expectRefusal(await ask(world, {}, withProof(await prove(change()))), 400, 'invalid_dpop_proof', world)
    expect((await world.deps.metrics.readTotals()).issued).toBe(0)
  })

  test.each(['x', ''])('%j is not ignored', async (dpop) => {
    await start()
    expectRefusal(await ask(world, {}, withProof(dpop)), 400, 'invalid_dpop_proof', world)
  })

  test('two proofs in one request are refused', async () => {
    await start()
    const dpop = [await prove(), await prove()]
    expectRefusal(await ask(world, {}, { ...asMain(world), dpop }), 400, 'invalid_dpop_proof', world)
  })

  test('that cannot be checked at the moment is 503', async () => {
    const down: Counters = {
      ...createMemoryCounters(),
      openOneTime: () => ({ use: () => Promise.reject(new Error('down')) }),
    }
    await start({}, { counters: down })
    const answer = await ask(world, {}, withProof(await prove()))
    expectRefusal(answer, 503, 'temporarily_unavailable', world)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})

describe('limits', () => {
  test('each success says what is left, then 429 in the format of OAuth', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    expect((await ask(world)).headers.get('ratelimit')).toMatch(/^"claim";r=1;t=\d+$/)
    expect((await ask(world)).headers.get('ratelimit')).toMatch(/^"claim";r=0;t=\d+$/)
    const answer = await ask(world)
    expectRefusal(answer, 429, 'rate_limited', world)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d?$/)
    expect(answer.headers.get('ratelimit-policy')).toBe('"claim";q=2;w=60')
    expect(answer.headers.get('ratelimit')).toMatch(/^"claim";r=0;t=\d+$/)
  })

  test.each<[string, () => ReturnType<typeof ask>]>([
    ['a scope it does not hold', () => ask(world, { scope: 'admin' })],
    ['an empty address', () => ask(world, { ip: '' })],
    ['another grant', () => ask(world, { grant_type: 'password' })],
    ['an origin that is not allowed', () => ask(world, { origin: 'https://other.example' })],
    ['a bad proof', () => ask(world, {}, { ...asMain(world), dpop: 'x' })],
  ])('a request of a right client with %s counts for its credential', async (_, send) => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    expect(await statusesOf(3, send)).toEqual([400, 400, 429])
    expectRefusal(await ask(world), 429, 'rate_limited', world)
    expect(await statusesOf(3, fails)).toEqual([401, 401, 429])
  })

  test('revoking and introspecting with a secret do not count', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    expect(await statusesOf(5, () => post(world, '/oauth/introspect', { token: 'x' }))).toEqual(
      new Array(5).fill(200),
    )
    expect(await statusesOf(5, () => post(world, '/oauth/revoke', { token: 'x' }))).toEqual(
      new Array(5).fill(200),
    )
    expect((await ask(world)).headers.get('ratelimit')).toMatch(/^"claim";r=1;/)
  })

  test('a client over its limit is refused before its assertion is used up', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/1' })
    const client = await createKeyClient(world)
    const [first, second, third] = [await client.sign(), await client.sign(), await client.sign()]
    expect(await statusesOf(1, () => askBy(world, first))).toEqual([200])
    expect(await statusesOf(1, () => askBy(world, second, { scope: 'admin' }))).toEqual([400])
    expectRefusal(await askBy(world, third), 429, 'rate_limited', world)
    await new Promise((resolve) => setTimeout(resolve, 1050))
    expect(await statusesOf(2, () => askBy(world, third))).toEqual([200, 401])
  })

  test('assertions at the other endpoints have a separate count', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    const client = await createKeyClient(world)
    const examine = async (path: string) =>
      (await post(world, path, asserting(await client.sign(), { token: 'x' }), {})).status
    expect([await examine('/oauth/introspect'), await examine('/oauth/revoke')]).toEqual([200, 200])
    expect([await examine('/oauth/introspect'), await examine('/oauth/revoke')]).toEqual([429, 429])
    expect((await askBy(world, await client.sign())).status).toBe(200)
  })

  test('refused clients share one count at all endpoints, and do not block right ones', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '3/60' })
    const client = await createKeyClient(world)
    expect(await statusesOf(1, fails)).toEqual([401])
    expect((await post(world, '/oauth/revoke', { token: 'x' }, {})).status).toBe(401)
    expect((await askBy(world, 'garbage')).status).toBe(401)
    expectRefusal(await fails(), 429, 'rate_limited', world)
    expectRefusal(await post(world, '/oauth/introspect', { token: 'x' }, {}), 429, 'rate_limited', world)
    expect((await ask(world)).status).toBe(200)
    expect((await askBy(world, await client.sign())).status).toBe(200)
    expect((await post(world, '/oauth/introspect', { token: 'x' })).status).toBe(200)
  })

  test.each<[number, () => ReturnType<typeof ask>]>([
    [400, () => ask(world, { scope: ['x', 'y'] }, {})],
    [400, () => ask(world, {}, { origin: 'https://a.example', authorization: 'Basic' })],
    [400, () => ask(world, { client_secret: 'x' })],
    [413, () => ask(world, { pad: 'x'.repeat(17_000) }, {})],
  ])('%i does not count as a failure', async (status, send) => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    expect(await statusesOf(5, send)).toEqual(new Array(5).fill(status))
    expect(await statusesOf(3, fails)).toEqual([401, 401, 429])
  })
})

test('metrics count issued tokens and refusals of the token endpoint, not introspection', async () => {
  await start()
  const token = await getToken(world)
  await fails()
  await ask(world, { scope: 'admin' })
  await post(world, '/oauth/introspect', { token })
  await post(world, '/oauth/introspect', { token }, {})
  await post(world, '/oauth/revoke', { token }, {})
  expect(await world.deps.metrics.readTotals()).toEqual({
    issued: 1,
    verified: 0,
    refused: { invalid_client: 1, invalid_scope: 1 },
    wouldBlock: {},
  })
  const text = await world.deps.metrics.render()
  expect(text).toContain('claimgate_tokens_issued_total{door="oauth"} 1')
  expect(text).toContain('claimgate_refusals_total{door="oauth",code="invalid_client"} 1')
})

test('the use of a right credential is noted, at every endpoint', async () => {
  await start()
  await fails()
  await ask(world, { scope: 'admin' })
  await post(world, '/oauth/introspect', { token: 'x' })
  await post(world, '/oauth/revoke', { token: 'x' })
  expect(world.uses).toEqual(new Array(3).fill(world.clientId))
})

describe('when something is down', () => {
  const broken = (error: Error) => {
    const storage = createCachedStorage(createMemoryStorage())
    const findCredential = vi.fn(() => Promise.reject(error))
    return { storage: { ...storage, findCredential } }
  }

  test.each(['/oauth/token', '/oauth/revoke', '/oauth/introspect'])(
    '%s answers 503 without a database',
    async (path) => {
      await start({}, broken(new StorageError('down')))
      const client = {
        clientId: 'x',
        sign: async () => `${btoa('{"alg":"ES256"}')}.${btoa('{"sub":"x"}')}.AAAA`,
      }
      for (const answer of [
        await post(world, path, { grant_type: 'client_credentials' }),
        await post(
          world,
          path,
          {
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: (await client.sign()).replaceAll('=', ''),
          },
          {},
        ),
      ]) {
        expectRefusal(answer, 503, 'temporarily_unavailable', world)
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      }
    },
  )

  test('an internal error is 500 and does not show its cause', async () => {
    await start({}, broken(new Error('the secret of it')))
    const answer = await ask(world)
    expectRefusal(answer, 500, 'server_error', world)
    expect(answer.text).not.toContain('the secret of it')
  })

  test('a read-only database: assertions are 503, secrets get tokens', async () => {
    const storage = createCachedStorage({
      ...createMemoryStorage(),
      useAssertion: () => Promise.reject(new StorageError('the disk is full')),
    })
    await start({}, { storage })
    const client = await createKeyClient(world)
    const answer = await askBy(world, await client.sign())
    expectRefusal(answer, 503, 'temporarily_unavailable', world)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    expect((await ask(world)).status).toBe(200)
  })

  test('an assertion that the database already has: refused, and no use is noted', async () => {
    const storage = createCachedStorage({ ...createMemoryStorage(), useAssertion: async () => false })
    await start({}, { storage })
    const client = await createKeyClient(world)
    expectRefusal(await askBy(world, await client.sign()), 401, 'invalid_client', world)
    expect(world.uses).toEqual([])
  })
})

test('every answer has no-store and no CORS headers', async () => {
  await start()
  expectSealed(await ask(world))
  expectSealed(await world.send({ method: 'OPTIONS', path: '/oauth/token' }))
})
