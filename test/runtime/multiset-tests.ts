// MultiSet's endpoint on one runtime: its rows, which pages may read the answers, and from which origin the token works.

import { beforeAll, describe, expect, test } from 'vitest'
import { createSecret } from '../../src/signing/secret.ts'
import {
  BACKEND_SITE,
  basicRows,
  bodyRows,
  OPEN,
  PAGE,
  type People,
  page,
  pageRows,
} from '../support/multiset-rows.ts'
import type { RowRunner } from '../support/rows.ts'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { APP, createAccount, payloadOf, type World } from '../support/world.ts'

/** Defines the tests of the endpoint. `getWorld` is called when the tests run. */
export function describeMultiset(getWorld: () => World, runner: RowRunner): void {
  describe('multiset', () => {
    let people: People
    let accountId: string
    beforeAll(async () => {
      const patterns = [PAGE, 'https://*.wild-page.example', APP]
      const prototype = await createAccount(getWorld(), {
        name: 'Prototype',
        allowedOrigins: patterns,
        scopes: ['read', 'write'],
        browserPrototype: true,
      })
      const plain = await createAccount(getWorld(), { name: 'Backend', allowedOrigins: [PAGE, BACKEND_SITE] })
      accountId = prototype.account.id
      people = {
        prototype: prototype.credential,
        backend: plain.credential,
        wrong: { clientId: prototype.credential.clientId, clientSecret: createSecret() },
        token: plain.credential.token,
      }
    })

    for (const [group, rows] of [
      ['bodies', bodyRows],
      ['Basic', basicRows],
      ['pages', pageRows],
    ] as const) {
      runner.describe(group, rows, async (row) => {
        const request = row.request(people)
        const answer = await getWorld().send(request)
        expectReadable(answer, request)
        if (row.expect !== null && typeof row.expect === 'object') {
          expectRefusal(answer, request, row.expect, people)
        } else expect(payloadOf(expectToken(answer)).origin ?? null).toBe(row.expect)
      })
    }

    test('a token for a page has every scope of the credential and works only from that page', async () => {
      const { send, issuer } = getWorld()
      const token = expectToken(await send(page(PAGE)(people)))
      expect(payloadOf(token)).toMatchObject({
        iss: issuer,
        sub: accountId,
        client_id: people.prototype.clientId,
        scope: 'read write',
        origin: PAGE,
      })
      const whoami = async (origin: string): Promise<number> => {
        const headers = { authorization: `Bearer ${token}`, origin }
        return (await send({ method: 'GET', path: '/auth/whoami', headers })).status
      }
      expect(await whoami(PAGE)).toBe(200)
      expect(await whoami('http://localhost:5173')).toBe(401)
    })

    test.each(OPEN)('a preflight from %s, which a prototype allows', async (origin) => {
      const answer = await getWorld().send(preflight(origin))
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(corsOf(answer)).toEqual({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'Authorization, Content-Type',
        'access-control-max-age': '7200',
      })
      expect(answer.headers.get('vary')).toBe('Origin')
    })

    test.each([
      BACKEND_SITE,
      'https://other.example',
      'null',
      `${PAGE}/`,
      'https://localhost:5173',
      'garbage',
    ])('a preflight from %s, which no prototype allows', async (origin) => {
      const answer = await getWorld().send(preflight(origin))
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(corsOf(answer)).toEqual({})
      expect(answer.headers.get('vary')).toBe('Origin')
    })

    test('OPTIONS without the headers of a preflight: 204, Allow', async () => {
      const answer = await getWorld().send({ method: 'OPTIONS', path: '/m2m/token' })
      expect([answer.status, answer.text, answer.headers.get('allow')]).toEqual([204, '', 'POST, OPTIONS'])
      expect(corsOf(answer)).toEqual({})
    })
  })
}

function preflight(origin: string): WireRequest {
  const asks = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  }
  return { method: 'OPTIONS', path: '/v1/m2m/token', headers: { origin, ...asks } }
}

function corsOf({ headers }: WireAnswer): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))
}

/** Expects that a page may read the answer exactly if a prototype allows its origin. */
function expectReadable(answer: WireAnswer, { headers = {} }: WireRequest): void {
  expect(answer.headers.get('vary')).toBe('Origin')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('x-request-id')).toBeTruthy()
  const isOpen = typeof headers.origin === 'string' && OPEN.includes(headers.origin)
  const exposed = 'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id'
  expect(corsOf(answer)).toEqual(
    isOpen ? { 'access-control-allow-origin': headers.origin, 'access-control-expose-headers': exposed } : {},
  )
}

function expectRefusal(
  answer: WireAnswer,
  { headers = {} }: WireRequest,
  [status, code]: readonly [number, string],
  people: People,
): void {
  expect([answer.status, answer.headers.get('content-type')], answer.text).toEqual([
    status,
    'application/json',
  ])
  expect(answer.json()).toEqual({ error: expect.stringMatching(/^[^{}]{10,}$/), code })
  for (const { clientSecret } of [people.prototype, people.backend, people.wrong]) {
    expect(answer.text).not.toContain(clientSecret)
  }
  const challenge = status === 401 && headers.origin === undefined ? 'Basic realm="claimgate"' : null
  expect(answer.headers.get('www-authenticate')).toBe(challenge)
  if (status === 405) expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
}

/** The token of a 200. Expects the rest of the answer to match it. */
function expectToken(answer: WireAnswer): string {
  expect([answer.status, answer.headers.get('content-type')], answer.text).toEqual([200, 'application/json'])
  const body: Json = answer.json()
  const { iat, exp } = payloadOf(body.token)
  expect(body).toEqual({
    token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    expiresOn: `${new Date(exp * 1000).toISOString().slice(0, 19)}Z`,
    access_token: body.token,
    token_type: 'Bearer',
    expires_in: 1800,
  })
  expect(exp - iat).toBe(1800)
  return body.token
}
