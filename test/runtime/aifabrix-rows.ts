// AI Fabrix' endpoint on one runtime: id and secret in two headers, the answer that its client reads, every refusal.

import { describe, expect, test } from 'vitest'
import { createSecret, parseAccountToken } from '../../src/signing/secret.ts'
import type { RowRunner, RuntimeRow } from '../support/rows.ts'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { expectProblem, payloadOf, SITE, type World } from '../support/world.ts'

const PATH = '/api/v1/auth/token'
const JSON_TYPE = { 'content-type': 'application/json' }

interface AifabrixRow extends RuntimeRow {
  readonly request: (world: World) => WireRequest
  /** 200, or the status and code of a refusal. */
  readonly expect: readonly [status: number, code: string] | 200
}

/** A request with the id and secret of the world's account. Headers that are undefined are left out. */
const ask =
  (headers: Readonly<Record<string, string | undefined>> = {}, extra: Partial<WireRequest> = {}) =>
  ({ clientId, clientSecret }: World): WireRequest => {
    const all = { 'x-client-id': clientId, 'x-client-secret': clientSecret, ...headers }
    const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return { method: 'POST', path: PATH, headers: Object.fromEntries(sent), ...extra }
  }

const UNAUTHORIZED = [401, 'unauthorized'] as const
const IN_BROWSER = [403, 'secret_in_browser'] as const
const TOO_LARGE = [413, 'payload_too_large'] as const
const LARGE = 'x'.repeat(16_385)

const rows: readonly AifabrixRow[] = [
  { rule: 'no body and no media type', everywhere: true, request: ask(), expect: 200 },
  { rule: 'a JSON media type and no body', request: ask(JSON_TYPE), expect: 200 },
  {
    rule: 'a JSON media type and an empty body',
    everywhere: true,
    request: ask(JSON_TYPE, { body: '' }),
    expect: 200,
  },
  {
    rule: 'malformed JSON in the body is ignored',
    request: ask(JSON_TYPE, { body: '{"expiresIn":' }),
    expect: 200,
  },
  {
    rule: 'a text body',
    request: ask({ 'content-type': 'text/plain' }, { body: 'x' }),
    expect: 200,
  },
  {
    rule: 'a body of exactly 16384 bytes, chunked',
    everywhere: true,
    request: ask(JSON_TYPE, { body: LARGE.slice(1), chunked: true }),
    expect: 200,
  },
  {
    rule: 'a body of 16385 bytes, with Content-Length',
    everywhere: true,
    request: ask(JSON_TYPE, { body: LARGE }),
    expect: TOO_LARGE,
  },
  {
    rule: 'a body of 16385 bytes, chunked',
    everywhere: true,
    request: ask({}, { body: LARGE, chunked: true }),
    expect: TOO_LARGE,
  },
  {
    rule: 'the size is checked before id and secret',
    request: ask({ 'x-client-secret': 'wrong' }, { body: LARGE }),
    expect: TOO_LARGE,
  },
  {
    rule: 'Sec-Fetch-Mode alone does not count as a browser',
    request: ask({ 'sec-fetch-mode': 'cors', 'user-agent': 'node' }),
    expect: 200,
  },
  {
    rule: 'neither id nor secret',
    everywhere: true,
    request: () => ({ method: 'POST', path: PATH }),
    expect: UNAUTHORIZED,
  },
  { rule: 'no id', request: ask({ 'x-client-id': undefined }), expect: UNAUTHORIZED },
  { rule: 'no secret', request: ask({ 'x-client-secret': undefined }), expect: UNAUTHORIZED },
  {
    rule: 'a wrong secret',
    everywhere: true,
    request: ask({ 'x-client-secret': createSecret() }),
    expect: UNAUTHORIZED,
  },
  { rule: 'an unknown id', request: ask({ 'x-client-id': 'ctrl-dev-my-app' }), expect: UNAUTHORIZED },
  {
    rule: 'two secret headers',
    everywhere: true,
    request: ({ clientId, clientSecret }) => ({
      method: 'POST',
      path: PATH,
      headers: { 'x-client-id': clientId, 'x-client-secret': [clientSecret, clientSecret] },
    }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'the account token as Bearer',
    request: ({ token }) => ({ method: 'POST', path: PATH, headers: { authorization: `Bearer ${token}` } }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'id and secret only in the body',
    request: ({ clientId, clientSecret }) => ({
      method: 'POST',
      path: PATH,
      headers: JSON_TYPE,
      body: JSON.stringify({ clientId, clientSecret }),
    }),
    expect: UNAUTHORIZED,
  },
  { rule: 'a page (Origin)', everywhere: true, request: ask({ origin: SITE }), expect: IN_BROWSER },
  { rule: 'a page whose Origin is null', request: ask({ origin: 'null' }), expect: IN_BROWSER },
  {
    rule: 'a page (Sec-Fetch-Site)',
    everywhere: true,
    request: ask({ 'sec-fetch-site': 'same-origin' }),
    expect: IN_BROWSER,
  },
  {
    rule: 'the browser is checked before the size',
    request: ask({ origin: SITE }, { body: LARGE }),
    expect: IN_BROWSER,
  },
  {
    rule: 'the browser is checked before id and secret',
    request: ask({ origin: SITE, 'x-client-secret': undefined }),
    expect: IN_BROWSER,
  },
  { rule: 'GET', everywhere: true, request: ask({}, { method: 'GET' }), expect: [405, 'method_not_allowed'] },
  {
    rule: 'the method is checked before the browser',
    request: ask({ origin: SITE }, { method: 'DELETE' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'POST /api/v1/logs, which miso-client also calls',
    everywhere: true,
    request: ask(JSON_TYPE, { path: '/api/v1/logs', body: '{"level":"info"}' }),
    expect: [404, 'not_found'],
  },
]

/** Defines the tests of the endpoint. `getWorld` is called when the tests run. */
export function describeAifabrix(getWorld: () => World, runner: RowRunner): void {
  describe('aifabrix', () => {
    runner.describe('one request', rows, async (row) => {
      const world = getWorld()
      const request = row.request(world)
      const answer = await world.send(request)
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
      if (row.expect === 200) {
        expect(expectToken(answer).expiresIn).toBe(1800)
        return
      }
      const [status, code] = row.expect
      expectProblem(answer, status, code, world)
      if (request.path !== PATH) return
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
      expect(answer.headers.get('allow')).toBe(status === 405 ? 'POST, OPTIONS' : null)
    })

    test('the token has every scope of the credential and no origin', async () => {
      const world = getWorld()
      const claims = payloadOf(expectToken(await world.send(ask()(world))).token)
      expect(claims).toEqual({
        iss: world.issuer,
        aud: world.issuer,
        sub: world.accountId,
        client_id: world.clientId,
        jti: expect.any(String),
        iat: expect.any(Number),
        exp: claims.iat + 1800,
        scope: 'read write',
      })
    })

    test("the account's maxTtl limits the lifetime", async () => {
      const world = getWorld()
      const pair = parseAccountToken(world.open)
      const headers = { 'x-client-id': pair?.clientId, 'x-client-secret': pair?.clientSecret }
      expect(expectToken(await world.send(ask(headers)(world))).expiresIn).toBe(600)
    })

    test('OPTIONS: 204, Allow, no CORS', async () => {
      const headers = { origin: SITE, 'access-control-request-method': 'POST' }
      const answer = await getWorld().send({ method: 'OPTIONS', path: PATH, headers })
      expect([answer.status, answer.text, answer.headers.get('allow')]).toEqual([204, '', 'POST, OPTIONS'])
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    })
  })
}

/** Token and lifetime (seconds) as miso-client reads them from a 200. Expects the rest of the answer to match the token. */
function expectToken(answer: WireAnswer): { readonly token: string; readonly expiresIn: number } {
  expect([answer.status, answer.headers.get('content-type')], answer.text).toEqual([200, 'application/json'])
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const body: Json = answer.json()
  const token = body.data?.token ?? body.token
  const expiresIn = body.data?.expiresIn ?? body.expiresIn
  const { iat, exp } = payloadOf(token)
  const expiresAt = new Date(exp * 1000).toISOString().replace('.000', '')
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  const data = { token, expiresIn: exp - iat, expiresAt }
  expect(body).toEqual({ success: true, data, ...data, timestamp })
  expect(Math.abs(Date.parse(body.timestamp) - iat * 1000)).toBeLessThanOrEqual(1000)
  return { token, expiresIn }
}
