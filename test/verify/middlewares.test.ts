// What all three middlewares do alike: which origins may call, scopes of a route, a shared verifier, and what they say when
// something of the developer's is missing or fails.

import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  type ClaimAuthOptions,
  type ClaimVariables,
  claimAuth,
  requireScope,
} from '../../src/verify/middleware/hono.ts'
import { createVerifier } from '../../src/verify/verifier.ts'
import { createMaker, hashToken } from '../support/dpop-maker.ts'
import { type Guarded, type GuardedApi, MIDDLEWARES, startGuarded } from '../support/guarded.ts'
import { createMint, now, RULES, SITE } from '../support/mint.ts'

const mint = createMint('ES256')
const base = { ...RULES, jwks: { keys: [mint.jwk] } }
const OTHER = 'https://shop.example'

const running: GuardedApi[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const api of running.splice(0)) await api.stop()
})

describe.each(MIDDLEWARES)('%s', (name) => {
  async function start(options: Guarded): Promise<GuardedApi> {
    const api = await startGuarded(name, options)
    running.push(api)
    return api
  }
  const bearing = (token: string, origin = SITE) => ({ authorization: `Bearer ${token}`, origin })
  const outcomeOf = async (asked: ReturnType<GuardedApi['ask']>) => {
    const { status, text } = await asked
    return status < 400 ? [status, text] : [status, JSON.parse(text).error]
  }

  test('passes a right token, and gives the handler its claims', async () => {
    const api = await start(base)
    expect(await outcomeOf(api.ask({ headers: bearing(mint.token({ sub: 'acct_7' })) }))).toEqual([
      200,
      'acct_7',
    ])
    expect(await outcomeOf(api.ask({ headers: { origin: SITE } }))).toEqual([401, 'missing_token'])
  })

  describe('origins', () => {
    const token = mint.token({ origin: OTHER })

    test('without the option, pages of every origin read every answer', async () => {
      const api = await start(base)
      for (const headers of [bearing(token, OTHER), { origin: OTHER }]) {
        const answer = await api.ask({ headers })
        expect(answer.headers.get('access-control-allow-origin')).toBe(OTHER)
      }
    })

    test.each<[string, object]>([
      ['a list', { allowedOrigins: [SITE] }],
      ['a list whose entry ends with a slash', { allowedOrigins: [`${SITE}/`] }],
      ['a function', { allowedOrigins: async (origin: string) => origin === SITE }],
    ])('%s: a right token of another origin gets 403', async (_, more) => {
      const api = await start({ ...base, ...more } as Guarded)
      const refused = await api.ask({ headers: bearing(token, OTHER) })
      expect([refused.status, JSON.parse(refused.text).error]).toEqual([403, 'origin_not_allowed'])
      expect(refused.headers.get('access-control-allow-origin')).toBe(null)
      expect(refused.text).not.toContain(SITE)
      // A wrong token is refused for that, and a token of another origin for the comparison.
      expect(await outcomeOf(api.ask({ headers: bearing('x', OTHER) }))).toEqual([401, 'invalid_token'])
      expect(await outcomeOf(api.ask({ headers: bearing(mint.token(), OTHER) }))).toEqual([
        401,
        'origin_mismatch',
      ])
      expect(await outcomeOf(api.ask({ headers: bearing(mint.token()) }))).toEqual([200, 'acct_1'])
    })

    test.each<[string, object]>([
      ['without the option', {}],
      ['"*"', { allowedOrigins: '*' }],
      ['a list with "*"', { allowedOrigins: ['*'] }],
    ])('%s: a token without an origin passes from a page that has none to name', async (_, more) => {
      const api = await start({ ...base, require: [], ...more } as Guarded)
      const headers = bearing(mint.token({ origin: undefined }), 'null')
      expect(await outcomeOf(api.ask({ headers }))).toEqual([200, 'acct_1'])
    })

    test('report mode lets it pass, and cors: false does not look', async () => {
      const reporting = await start({ ...base, allowedOrigins: [SITE], mode: 'report' })
      const reported = await reporting.ask({ headers: bearing(token, OTHER) })
      expect([reported.status, reported.headers.get('claimgate-would-block')]).toEqual([
        200,
        'origin_not_allowed',
      ])
      const without = await start({ ...base, cors: false })
      expect((await without.ask({ headers: bearing(token, OTHER) })).status).toBe(200)
    })

    test('a preflight of an allowed origin gets 204 with the method, also where no route has OPTIONS', async () => {
      const api = await start({ ...base, allowedOrigins: [SITE] })
      const headers = { origin: SITE, 'access-control-request-method': 'POST' }
      const answer = await api.ask({ method: 'OPTIONS', headers })
      expect(answer.status).toBe(204)
      expect(answer.headers.get('access-control-allow-origin')).toBe(SITE)
      const allowed = answer.headers.get('access-control-allow-headers')?.split(', ')
      expect(allowed).toEqual(
        expect.arrayContaining(['DPoP', 'traceparent', 'tracestate', 'baggage', 'sentry-trace']),
      )
      expect(await outcomeOf(api.ask({ method: 'OPTIONS', headers: { origin: SITE } }))).toEqual([
        401,
        'missing_token',
      ])
    })
  })

  describe('requireScope', () => {
    const path = '/api/admin'

    test('passes a token with all scopes; names what is missing, and in the challenge all', async () => {
      const api = await start(base)
      const right = bearing(mint.token({ scope: 'admin read' }))
      expect(await outcomeOf(api.ask({ path, headers: right }))).toEqual([200, 'admin'])
      const answer = await api.ask({ path, headers: bearing(mint.token({ scope: 'read write' })) })
      expect(answer.status).toBe(403)
      expect(JSON.parse(answer.text)).toMatchObject({
        error: 'insufficient_scope',
        detail: 'the token lacks the scope admin',
        requestId: answer.headers.get('x-request-id'),
      })
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_scope", scope="read admin"',
      )
      expect(answer.headers.get('access-control-allow-origin')).toBe(SITE)
    })

    test('report mode lets a token without the scope pass', async () => {
      const api = await start({ ...base, mode: 'report' })
      const answer = await api.ask({ path, headers: bearing(mint.token({ scope: 'read' })) })
      expect([answer.status, answer.headers.get('claimgate-would-block')]).toEqual([
        200,
        'insufficient_scope',
      ])
    })

    test('without claimAuth the answer is 500, and console.error says what is missing', async () => {
      const error = vi.spyOn(console, 'error').mockReturnValue()
      const api = await start(undefined)
      expect((await api.ask({ path, headers: bearing(mint.token()) })).status).toBe(500)
      expect(error).toHaveBeenCalledWith(expect.stringContaining('claimAuth'))
    })
  })

  describe('a shared verifier', () => {
    test('judges for several APIs, and its rules count for each', async () => {
      const onDecision = vi.fn()
      const verifier = createVerifier({ ...base, onDecision })
      const apis = await Promise.all([start({ verifier }), start({ verifier, allowedOrigins: [SITE] })])
      for (const api of apis) {
        expect(await outcomeOf(api.ask({ headers: bearing(mint.token()) }))).toEqual([200, 'acct_1'])
      }
      expect(onDecision).toHaveBeenCalledTimes(2)
      verifier.close()
      for (const api of apis) {
        expect(await outcomeOf(api.ask({ headers: bearing(mint.token()) }))).toEqual([503, 'unavailable'])
      }
    })

    test.each<[string, () => object]>([
      ['clockTolerance', () => ({ verifier: createVerifier(base), clockTolerance: 1 })],
      ['issuer', () => ({ verifier: createVerifier(base), issuer: 'https://a.example' })],
      ['verifier', () => ({ verifier: { verify: async () => ({}) } })],
      ['verifier', () => ({ verifier: null })],
      ['verifier', () => ({ ...base, verifier: 5 })],
    ])('%s beside it, or in its place, is a TypeError', async (option, make) => {
      await expect(start(make() as Guarded)).rejects.toThrow(new RegExp(`^${option}: `))
    })
  })
})

describe('a request that passes several checks', () => {
  const apiOrigin = 'https://api.example.com'

  async function makeProven(): Promise<Request> {
    const maker = await createMaker('ES256')
    const token = mint.token({ cnf: { jkt: maker.jkt } })
    const url = `${apiOrigin}/api/things`
    const init: RequestInit & { readonly duplex: 'half' } = {
      method: 'POST',
      body: new Blob(['text']).stream(),
      duplex: 'half',
      headers: {
        authorization: `DPoP ${token}`,
        origin: SITE,
        dpop: maker.proof({ htm: 'POST', htu: url, ath: hashToken(token), iat: now() }),
      },
    }
    return new Request(url, init)
  }
  const createApp = (options: Guarded, ...more: MiddlewareHandler[]) =>
    new Hono<{ Variables: ClaimVariables }>().post(
      '/api/things',
      claimAuth(options as ClaimAuthOptions),
      ...more,
      (context) => context.text('passed'),
    )
  // Hono's bodyLimit replaces `c.req.raw` by a copy, to count the bytes of a stream.
  const replaceRaw = bodyLimit({ maxSize: 1000 })

  test('a proof that one check accepted is no replay for the next with the same object', async () => {
    const verifier = createVerifier({ ...base, apiOrigin })
    const request = await makeProven()
    const copy = request.clone()
    expect((await verifier.verify(request)).cnf).toBeDefined()
    expect((await verifier.verify(request)).cnf).toBeDefined()
    await expect(verifier.verify(copy)).rejects.toMatchObject({ code: 'invalid_proof' })
  })

  test('nor for claimAuth and the verifier in its handler, also when a Hono middleware replaced the object', async () => {
    const verifier = createVerifier({ ...base, apiOrigin })
    const request = await makeProven()
    const replay = request.clone()
    const again = claimAuth({ verifier })
    const verify: MiddlewareHandler = async (context, next) => {
      await verifier.verify(context.req.raw)
      await next()
    }
    const app = createApp({ verifier }, verify, replaceRaw, again)
    expect((await app.fetch(request)).status).toBe(200)
    expect((await app.fetch(replay)).status).toBe(401)
  })

  test('report mode holds for requireScope, also when a Hono middleware replaced the object', async () => {
    const app = createApp({ ...base, apiOrigin, mode: 'report' }, replaceRaw, requireScope('admin'))
    const answer = await app.fetch(await makeProven())
    expect([answer.status, answer.headers.get('claimgate-would-block')]).toEqual([200, 'insufficient_scope'])
  })
})

test('claimgate/fastify protects the routes of the context it is registered in, and no others', async () => {
  const api = await startGuarded('fastify', base)
  running.push(api)
  expect(await api.ask({ path: '/open' })).toMatchObject({ status: 200, text: 'open' })
  expect((await api.ask({ path: '/api/things' })).status).toBe(401)
})
