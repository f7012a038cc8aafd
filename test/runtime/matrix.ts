// The tests that every runtime must pass: rows with one request each, and tests that need several requests.

import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRowRunner, type RuntimeOptions } from '../support/rows.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, Target, WireAnswer, WireRequest } from '../support/wire.ts'
import {
  claimRequest,
  claimToken,
  createAccount,
  createWorld,
  expectProblem,
  payloadOf,
  SITE,
  type World,
} from '../support/world.ts'
import { describeAdmin } from './admin-tests.ts'
import { describeAifabrix } from './aifabrix-rows.ts'
import { orderRows, type Row, sourceRows } from './claim-rows.ts'
import { describeMultiset } from './multiset-tests.ts'
import { describeOAuth } from './oauth-tests.ts'
import { parameterRows } from './parameter-rows.ts'
import { askRow, boundRows, extractRows, formatRows, type WhoamiRow } from './whoami-rows.ts'

/** Defines the tests of the runtime that `start` starts. Prints how many rows it runs. */
export function describeRuntime(name: string, options: RuntimeOptions, start: () => Promise<Target>): void {
  const runner = createRowRunner(options)
  describe(name, () => {
    let target: Target | undefined
    let world: World
    let earlyPreflight: WireAnswer
    beforeAll(async () => {
      console.info(`${name}: ${runner.countRows()}`)
      target = await start()
      // `createWorld` adds an account that allows `*`. This preflight is sent before, while no account allows its origin.
      await createAccount(target, { name: 'First', allowedOrigins: [SITE] })
      earlyPreflight = await target.send(preflight('https://evil.example'))
      world = await createWorld(target)
    })
    afterAll(() => target?.stop())

    for (const [group, rows] of [
      ['claim: sources', sourceRows],
      ['claim: order', orderRows],
      ['claim: parameters', parameterRows],
    ] as const) {
      runner.describe(group, rows, async (row) =>
        expectClaim(row, await world.send(row.request(world)), world),
      )
    }

    for (const [group, rows] of [
      ['whoami: extract', extractRows],
      ['whoami: changed tokens', formatRows],
      ['whoami: bounds', boundRows],
    ] as const) {
      runner.describe(group, rows, async (row) => expectVerdict(row, await askRow(row, world), world))
    }

    test('OPTIONS of a claim: 204, Allow, no CORS', async () => {
      const headers = { origin: SITE, 'access-control-request-method': 'POST' }
      const answer = await world.send({ method: 'OPTIONS', path: '/auth/claim', headers })
      expect(answer.status).toBe(204)
      expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
      expectNoCors(answer)
    })

    test('a 405 lists the allowed methods', async () => {
      const answer = await world.send({ method: 'DELETE', path: '/auth/claim' })
      expectProblem(answer, 405, 'method_not_allowed', world)
      expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
    })

    test('header and claims of a token are exactly those of the contract', async () => {
      const token = await claimToken(world, {
        ip: ['10.0.0.1', '2001:db8::/32'],
        expiresIn: 60,
        scope: 'read',
      })
      expect(Object.keys(decodeProtectedHeader(token)).sort()).toEqual(['alg', 'kid', 'typ'])
      expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
      const claims = payloadOf(token)
      expect(claims).toEqual({
        iss: world.issuer,
        aud: world.issuer,
        sub: world.accountId,
        client_id: world.clientId,
        jti: expect.stringMatching(/^[0-9A-Za-z_-]{16,}$/),
        iat: expect.any(Number),
        exp: claims.iat + 60,
        scope: 'read',
        origin: SITE,
        ip: ['10.0.0.1', '2001:db8::/32'],
      })
      expect(Number.isInteger(claims.iat)).toBe(true)
    })

    test('tokens of the same second have different jti', async () => {
      const tokens = await Promise.all(Array.from({ length: 20 }, () => claimToken(world)))
      expect(new Set(tokens.map((token) => payloadOf(token).jti)).size).toBe(20)
    })

    test('a token with few claims stays under 600 characters', async () => {
      expect((await claimToken(world, { ip: '203.0.113.250', scope: 'read' })).length).toBeLessThan(600)
    })

    test('whoami answers with the claims', async () => {
      const token = await claimToken(world, { scope: 'read' })
      const answer = await world.send(whoami(token))
      const claims = payloadOf(token)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.json()).toEqual({
        sub: world.accountId,
        clientId: world.clientId,
        jti: claims.jti,
        origin: SITE,
        ip: null,
        scope: 'read',
        expiresAt: new Date(claims.exp * 1000).toISOString().replace('.000', ''),
        keyBound: false,
      })
    })

    test('whoami: an allowed origin may read answers and refusals, other origins may not', async () => {
      const good = await world.send(whoami(await claimToken(world)))
      expect(good.headers.get('access-control-allow-origin')).toBe(SITE)
      const refused = await world.send({ method: 'GET', path: '/auth/whoami', headers: { origin: SITE } })
      expect(refused.status).toBe(401)
      expect(refused.headers.get('access-control-allow-origin')).toBe(SITE)
      expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
      expect(refused.headers.get('vary')).toBe('Origin')
      expect(refused.headers.get('access-control-allow-credentials')).toBeNull()
      const other = await world.send({ method: 'GET', path: '/auth/whoami', headers: { origin: 'null' } })
      expectNoCors(other)
      expect(other.headers.get('vary')).toBe('Origin')
    })

    test('whoami: a preflight from an origin that an account allows', async () => {
      const yes = await world.send(preflight('http://localhost:5173'))
      expect(yes.status).toBe(204)
      expect(yes.headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
      expect(yes.headers.get('access-control-allow-methods')).toBe('GET')
      expect(yes.headers.get('access-control-allow-headers')).toBe(
        'Authorization, Content-Type, DPoP, X-Client-Token, traceparent, tracestate, baggage, sentry-trace',
      )
      expect(yes.headers.get('access-control-max-age')).toBe('7200')
      expect(yes.headers.get('vary')).toBe('Origin')
    })

    test('whoami: a preflight from an origin that no account allows', () =>
      expectPreflightRefused(earlyPreflight))

    test.each([
      'null',
      'https://WWW.example.com',
      `${SITE}/`,
      `${SITE}, ${SITE}`,
      'capacitor://stranger',
      'file://',
    ])('whoami: a preflight from %s, which * does not cover', async (origin) => {
      expectPreflightRefused(await world.send(preflight(origin)))
    })

    describeAdmin(() => world, runner)
    describeOAuth(() => world, runner)
    describeMultiset(() => world, runner)
    describeAifabrix(() => world, runner)

    test('the JWK Set is public and cacheable, and has an ETag', async () => {
      const answer = await world.send({ method: 'GET', path: '/.well-known/jwks.json' })
      expect(answer.headers.get('cache-control')).toBe('public, max-age=300, stale-while-revalidate=600')
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      for (const key of answer.json().keys) {
        expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      }
      expect(answer.json().keys.length).toBe(2)
      const etag = answer.headers.get('etag') as string
      const again = await world.send({
        method: 'GET',
        path: '/.well-known/jwks.json',
        headers: { 'if-none-match': etag },
      })
      expect(again.status).toBe(304)
    })

    test('a secret in a browser is in the audit log with its credential', async () => {
      const browser = { headers: { 'content-type': 'application/json', origin: SITE } }
      await world.send(claimRequest({ token: world.token, origin: SITE }, browser))
      const answer = await world.send({
        method: 'GET',
        path: '/admin/audit?limit=5',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      })
      expect(answer.json().entries[0]).toMatchObject({ action: 'secret_in_browser', target: world.clientId })
    })

    test.each([
      '/nowhere',
      '//admin',
      '/%61dmin/accounts',
      '/admin%2Faccounts',
      '/admin/..;/x',
      '/admin/nowhere',
    ])('unauthenticated %s is 401 or 404', async (path) => {
      const answer = await world.send({ method: 'GET', path })
      expect([401, 404]).toContain(answer.status)
    })
  })
}

function preflight(origin: string): WireRequest {
  const asks = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
  return { method: 'OPTIONS', path: '/auth/whoami', headers: { origin, ...asks } }
}

function expectPreflightRefused(answer: WireAnswer): void {
  expect([answer.status, answer.text]).toEqual([204, ''])
  expectNoCors(answer)
  expect(answer.headers.get('vary')).toBe('Origin')
}

function whoami(token: string): WireRequest {
  return { method: 'GET', path: '/auth/whoami', headers: { origin: SITE, authorization: `Bearer ${token}` } }
}

function expectClaim(row: Row, answer: WireAnswer, world: World): void {
  expectNoCors(answer)
  if (Array.isArray(row.expect)) {
    const [status, code, ...parameters] = row.expect as [number, string, ...string[]]
    const problem = expectProblem(answer, status, code, world)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    if (status === 422) {
      const named = problem.errors.map((error: { parameter: string }) => error.parameter)
      expect(named.sort()).toEqual([...parameters].sort())
    }
    return
  }
  expect(answer.status, answer.text).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  const body = answer.json()
  expect(body).toMatchObject(row.expect)
  expect(payloadOf(body.token)).toMatchObject(row.claims ?? {})
  expectAnswerMatchesToken(body)
}

/** Expects the members of an answer to match the claims of its token. */
function expectAnswerMatchesToken(body: Json): void {
  const claims = payloadOf(body.token)
  const expiry = new Date(claims.exp * 1000).toISOString()
  expect(body.tokenType).toBe(claims.cnf === undefined ? 'Bearer' : 'DPoP')
  expect(body.expiresIn).toBe(claims.exp - claims.iat)
  expect(body.expiresAt).toBe(expiry.replace('.000', ''))
  const [year, month, day] = expiry.slice(0, 10).split('-')
  expect(body.expiration).toBe(`${month}-${day}-${year} ${expiry.slice(11, 16)}`)
  for (const name of ['origin', 'ip', 'scope']) expect(body[name]).toEqual(claims[name])
}

function expectVerdict(row: WhoamiRow, answer: WireAnswer, world: World): void {
  if (row.expect === 200) {
    expect(answer.status, answer.text).toBe(200)
    return
  }
  const [status, code, challenge = ''] = row.expect
  expectProblem(answer, status, code, world)
  expect(answer.headers.get('www-authenticate') ?? '').toContain(challenge)
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

function expectNoCors(answer: WireAnswer): void {
  const names = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
  expect(names).toEqual([])
}
