// Decisions of a verifier: when it calls the developer's functions, what their failures mean, how it handles malformed
// request objects, and which parts of a request it reads.

import { Hono } from 'hono'
import { describe, expect, test, vi } from 'vitest'
import { claimAuth, claimCors } from '../../src/verify/middleware/hono.ts'
import { ClaimError, createVerifier, type Decision, type VerifierOptions } from '../../src/verify/verifier.ts'
import { createMaker, HTU, hashToken } from '../support/dpop-maker.ts'
import { AUDIENCE, fillTokens, ISSUER, PARTNER, SITE, SUBJECT } from './cases.ts'
import { createIssuer } from './mint.ts'

const issuer = await createIssuer('jwks')
const tokens = await issuer.mintAll()

type Rules = Partial<VerifierOptions>
const optionsOf = (rules: Rules = {}) =>
  ({ issuer: ISSUER, audience: AUDIENCE, ...issuer.keys, ...rules }) as VerifierOptions
const createWith = (rules?: Rules) => createVerifier(optionsOf(rules))

const ask = (headers: Readonly<Record<string, string>>) =>
  new Request('https://api.example.com/things', {
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, fillTokens(value, tokens)]),
    ),
  })
const good = () => ask({ origin: SITE, authorization: 'Bearer {good}' })

/** The code of the refusal, or undefined when the request passes. An error other than ClaimError fails the test. */
async function codeOf(verifying: Promise<unknown>): Promise<string | undefined> {
  try {
    await verifying
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError)
    return (error as ClaimError).code
  }
}

const boom = () => {
  throw new Error('boom')
}
const reject = async () => {
  throw new Error('boom')
}
type Settle = (value: unknown) => void
/** Creates a function that returns a thenable: an object with `then` that is not a Promise, such as a query builder. */
const thenable = (then: (resolve: Settle, reject: Settle) => void) => () => ({ then })
const resolveTo = (value: unknown) => thenable((resolve) => resolve(value))
const resolveLater = (value: unknown) => thenable((resolve) => setTimeout(resolve, 1, value))
const rejectThenable = thenable((_, reject) => reject(new Error('boom')))
const throwInThen = thenable(boom)

describe('onDecision', () => {
  const rows: readonly (readonly [
    string,
    Rules,
    Readonly<Record<string, string>>,
    Omit<Decision, 'requestId'>,
  ])[] = [
    ['extract', {}, { origin: SITE }, { outcome: 'deny', code: 'missing_token', step: 'extract' }],
    [
      'extract',
      {},
      { authorization: 'Bearer a', 'x-client-token': 'b' },
      { outcome: 'deny', code: 'invalid_request', step: 'extract' },
    ],
    [
      'format',
      {},
      { authorization: 'Bearer {padded}' },
      { outcome: 'deny', code: 'invalid_token', step: 'format' },
    ],
    [
      'signature',
      {},
      { authorization: 'Bearer {forged}' },
      { outcome: 'deny', code: 'invalid_token', step: 'signature' },
    ],
    [
      'claims',
      {},
      { authorization: 'Bearer {expired}' },
      { outcome: 'deny', code: 'token_expired', step: 'claims' },
    ],
    [
      'revocation',
      { revocation: () => true },
      { authorization: 'Bearer {good}' },
      { outcome: 'deny', code: 'token_revoked', step: 'revocation' },
    ],
    [
      'revocation',
      { revocation: boom },
      { authorization: 'Bearer {good}' },
      { outcome: 'deny', code: 'unavailable', step: 'revocation' },
    ],
    [
      'origin',
      {},
      { authorization: 'Bearer {good}' },
      { outcome: 'deny', code: 'origin_required', step: 'origin' },
    ],
    [
      'address',
      {},
      { origin: SITE, authorization: 'Bearer {elsewhere}' },
      { outcome: 'deny', code: 'ip_mismatch', step: 'address' },
    ],
    [
      'key',
      {},
      { origin: SITE, authorization: 'Bearer {keyBound}' },
      { outcome: 'deny', code: 'proof_required', step: 'key' },
    ],
    [
      'scope',
      { scope: 'admin' },
      { origin: SITE, authorization: 'Bearer {good}' },
      { outcome: 'deny', code: 'insufficient_scope', step: 'scope' },
    ],
    ['nothing', {}, { origin: SITE, authorization: 'Bearer {good}' }, { outcome: 'allow' }],
  ]
  /** Whether the token was valid, so that the decision contains its claims. */
  const hasClaims = ({ step }: Omit<Decision, 'requestId'>) =>
    !['extract', 'format', 'signature', 'claims'].includes(step ?? '')
  const claims = expect.objectContaining({ sub: SUBJECT, iss: ISSUER })

  test.each(rows)('is called with the step that refuses: %s %o %o', async (_, rules, headers, expected) => {
    const decisions: Decision[] = []
    const verifier = createWith({ ...rules, onDecision: (decision) => decisions.push(decision) })
    const whole = {
      ...expected,
      ...(hasClaims(expected) && { claims }),
      requestId: expect.stringMatching(/^[\da-f-]{36}$/),
    }
    for (const times of [1, 2]) {
      expect(await codeOf(verifier.verify(ask(headers), { ip: '198.51.100.1' }))).toBe(expected.code)
      expect(decisions).toEqual(Array(times).fill(whole))
    }
  })

  test.each(rows)('report mode: %s %o %o', async (_, rules, headers, expected) => {
    const decisions: Decision[] = []
    const verifier = createWith({
      ...rules,
      mode: 'report',
      onDecision: (decision) => decisions.push(decision),
    })
    const isBound = ['origin', 'address', 'key', 'scope'].includes(expected.step ?? '')
    const code = await codeOf(verifier.verify(ask(headers), { ip: '198.51.100.1' }))
    expect(code).toBe(isBound ? undefined : expected.code)
    expect(decisions).toEqual([
      {
        ...expected,
        ...(isBound && { outcome: 'would_block' }),
        ...(hasClaims(expected) && { claims }),
        requestId: expect.any(String),
      },
    ])
  })

  test.each([boom, reject, rejectThenable, throwInThen])(
    'a function that fails does not change the verdict: %s',
    async (onDecision) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      const verifier = createWith({ onDecision })
      expect(await codeOf(verifier.verify(good()))).toBeUndefined()
      expect(await codeOf(verifier.verify(ask({})))).toBe('missing_token')
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', unhandled)
      expect(unhandled).not.toHaveBeenCalled()
    },
  )

  test('is called once for a request through a middleware, and not for a preflight', async () => {
    const onDecision = vi.fn()
    const app = new Hono().use(claimAuth({ ...optionsOf({ onDecision }), allowedOrigins: [SITE] }))
    app.get('/things', (c) => c.text(''))
    expect((await app.request(good())).status).toBe(200)
    expect(onDecision).toHaveBeenCalledTimes(1)
    const headers = { origin: SITE, 'access-control-request-method': 'GET' }
    expect((await app.request('/things', { method: 'OPTIONS', headers })).status).toBe(204)
    expect(onDecision).toHaveBeenCalledTimes(1)
  })
})

describe('functions that the developer gives', () => {
  /** Functions whose answer is not a yes: false, a value that is not a boolean, or a failure. */
  const refusing = [
    () => false,
    async () => false,
    boom,
    reject,
    () => 1,
    () => 'yes',
    () => ({}),
    async () => 'yes',
    () => undefined,
    resolveTo(false),
    resolveTo('yes'),
    rejectThenable,
    throwInThen,
  ]
  const accepting = [() => true, async () => true, resolveTo(true), resolveLater(true)]

  test.each(refusing)('authorize refuses unless the result is true: %s', async (authorize) => {
    expect(await codeOf(createWith({ authorize: authorize as () => boolean }).verify(good()))).toBe(
      'insufficient_scope',
    )
  })

  test.each(accepting)('authorize lets the request pass: %s', async (authorize) => {
    const verifier = createWith({ authorize: authorize as () => boolean })
    expect(await codeOf(verifier.verify(good()))).toBeUndefined()
    expect(await codeOf(verifier.verify(ask({ authorization: 'Bearer {good}' })))).toBe('origin_required')
  })

  test('authorize is called last, with the claims and the request', async () => {
    const authorize = vi.fn(() => true)
    const verifier = createWith({ authorize, scope: 'read' })
    for (const headers of [
      {},
      { authorization: 'Bearer {good}' },
      { origin: SITE, authorization: 'Bearer {free}' },
    ]) {
      await codeOf(verifier.verify(ask({ ...headers, origin: PARTNER })))
    }
    expect(authorize).not.toHaveBeenCalled()
    const request = good()
    const claims = await verifier.verify(request)
    expect(authorize.mock.calls).toEqual([[claims, request]])
  })

  const unclear: readonly unknown[] = [
    boom,
    reject,
    () => 1,
    () => 0,
    () => '',
    () => undefined,
    async () => undefined,
    resolveTo(undefined),
    rejectThenable,
    throwInThen,
  ]
  test.each([() => true, async () => true, resolveTo(true), resolveLater(true), ...unclear])(
    'revocation refuses unless the result is false: %s',
    async (revocation) => {
      const code = await codeOf(createWith({ revocation: revocation as () => boolean }).verify(good()))
      expect(code).toBe(unclear.includes(revocation) ? 'unavailable' : 'token_revoked')
    },
  )

  test.each([() => false, async () => false, resolveTo(false), resolveLater(false)])(
    'revocation lets the request pass: %s',
    async (revocation) => {
      const verifier = createWith({ revocation: revocation as () => boolean })
      expect(await codeOf(verifier.verify(good()))).toBeUndefined()
    },
  )

  test.each([
    ...[async () => false, resolveTo(false), resolveLater(false)].map((seen) => ({ seen, code: undefined })),
    ...[async () => true, resolveTo(true)].map((seen) => ({ seen, code: 'invalid_proof' })),
    ...[boom, reject, rejectThenable, throwInThen, resolveTo(0), () => undefined].map((seen) => ({
      seen,
      code: 'unavailable',
    })),
  ])('a replay store whose seen is $seen gives the code $code', async ({ seen, code }) => {
    const maker = await createMaker('ES256')
    const token = await issuer.mint({ claims: { cnf: { jkt: maker.jkt } } })
    const dpop = maker.proof({ iat: Math.floor(Date.now() / 1000), ath: hashToken(token) })
    const replay = { seen: seen as () => Promise<boolean> }
    const verifier = createWith({ apiOrigin: new URL(HTU).origin, replay })
    const request = new Request(HTU, { headers: { origin: SITE, authorization: `DPoP ${token}`, dpop } })
    expect(await codeOf(verifier.verify(request))).toBe(code)
  })

  const SELF = '127.0.0.1'
  test.each([
    ...[() => SELF, async () => SELF, resolveTo(SELF), resolveLater(SELF)].map((clientIp) => ({
      clientIp,
      status: 200,
    })),
    ...[boom, reject, rejectThenable, throwInThen, resolveTo(5), () => '192.0.2.1'].map((clientIp) => ({
      clientIp,
      status: 401,
    })),
  ])('clientIp $clientIp gives $status for a token bound to an address', async ({ clientIp, status }) => {
    const options = { ...optionsOf(), allowedOrigins: [SITE], clientIp: clientIp as () => string }
    const app = new Hono().use(claimAuth(options)).get('/things', (c) => c.text(''))
    const bound = await app.request(ask({ origin: SITE, authorization: 'Bearer {loopback}' }))
    expect(bound.status).toBe(status)
    expect((await app.request(good())).status).toBe(200)
  })

  test.each([
    ...refusing.map((origins) => ({ origins, allows: null })),
    ...accepting.map((origins) => ({ origins, allows: PARTNER })),
  ])('allowedOrigins $origins allows $allows', async ({ origins, allows }) => {
    const allowedOrigins = origins as () => boolean
    const app = new Hono()
      .use('/things', claimAuth({ ...optionsOf(), allowedOrigins }))
      .use('/public', claimCors({ allowedOrigins }))
      .get('/public', (c) => c.text(''))
    const headers = { origin: PARTNER, 'access-control-request-method': 'GET' }
    for (const path of ['/things', '/public']) {
      for (const method of ['GET', 'OPTIONS']) {
        const answer = await app.request(path, { method, headers })
        expect(answer.status).toBe(method === 'OPTIONS' ? 204 : path === '/public' ? 200 : 401)
        expect(answer.headers.get('access-control-allow-origin')).toBe(allows)
        expect(answer.headers.get('vary')).toBe('Origin')
      }
    }
  })

  test('a handler cannot allow another origin, nor cookies', async () => {
    const app = new Hono().use('/things', claimCors({ allowedOrigins: [SITE] })).get('/things', (c) => {
      c.header('Access-Control-Allow-Origin', '*')
      c.header('Access-Control-Allow-Credentials', 'true')
      return c.text('ok')
    })
    for (const [origin, allows] of [
      ['https://evil.example', null],
      [SITE, SITE],
    ] as const) {
      const { headers } = await app.request('/things', { headers: { origin } })
      expect(headers.get('access-control-allow-origin')).toBe(allows)
      expect(headers.get('access-control-allow-credentials')).toBeNull()
    }
  })

  test('allowedOrigins is called with the origin only, and never with null', async () => {
    const allowedOrigins = vi.fn(() => true)
    const app = new Hono().use(claimAuth({ ...optionsOf(), allowedOrigins }))
    for (const origin of ['null', '', SITE]) await app.request('/things', { headers: { origin } })
    expect(allowedOrigins.mock.calls).toEqual([[SITE]])
  })
})

describe('malformed request objects', () => {
  const headersOf = (get: (name: string) => unknown) => ({ method: 'GET', url: '/', headers: { get } })
  const noRequests: Readonly<Record<string, unknown>> = {
    undefined,
    null: null,
    'a text': 'GET /',
    'an empty object': {},
    'no headers': { method: 'GET', url: '/' },
    'headers that are null': { method: 'GET', url: '/', headers: null },
    'a Proxy that was revoked': revokedProxy(),
  }
  const odd: Readonly<Record<string, unknown>> = {
    'plain headers': { method: 'GET', url: '/', headers: { authorization: 'Bearer a' } },
    'headers that throw': headersOf(boom),
    'headers that return promises': headersOf(async () => 'Bearer a'),
    'headers that are numbers': headersOf(() => 5),
    'headers that are lists': headersOf(() => ['Bearer a']),
    'headers in a Map': { method: 'GET', url: '/', headers: new Map([['authorization', 'Bearer a']]) },
    'a URL that throws': {
      method: 'GET',
      headers: new Headers(),
      get url() {
        return boom()
      },
    },
    'an invalid URL': { method: 'GET', url: 'http://[?token=%zz&%', headers: new Headers() },
    'no URL': { method: 'GET', headers: new Headers() },
  }
  const from: readonly unknown[] = [
    undefined,
    null,
    {},
    { ip: null },
    { ip: 5 },
    { ip: '' },
    { ip: '1.2.3.4:80' },
    'x',
  ]

  function revokedProxy(): unknown {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }

  test.each(Object.entries(noRequests))('%s: a TypeError and no decision', async (_, request) => {
    const onDecision = vi.fn()
    await expect(createWith({ onDecision }).verify(request as Request)).rejects.toThrow(TypeError)
    expect(onDecision).not.toHaveBeenCalled()
  })

  test.each(Object.entries(odd))(
    '%s: rejects with a ClaimError, and makes one decision',
    async (_, request) => {
      for (const rules of [{}, { tokenSources: ['query', 'websocket'], trustedProxies: 1 }] as const) {
        const onDecision = vi.fn()
        const verifier = createWith({ ...rules, onDecision })
        for (const place of from) {
          const code = await codeOf(verifier.verify(request as Request, place as { ip: string }))
          expect(['invalid_request', 'missing_token', 'invalid_token']).toContain(code)
        }
        expect(onDecision).toHaveBeenCalledTimes(from.length)
      }
    },
  )

  test.each(from)(
    'an address that is missing or invalid fails only tokens with an address: %o',
    async (place) => {
      const request = ask({ origin: SITE, authorization: 'Bearer {loopback}' })
      const code = await codeOf(createWith().verify(request, place as { ip: string }))
      expect(['ip_mismatch', 'invalid_request']).toContain(code)
      expect(await codeOf(createWith().verify(good(), place as { ip: string }))).toBeUndefined()
    },
  )

  test('no member of a request is read except headers, method and url', async () => {
    const touched = new Set<PropertyKey>()
    const watch = <T extends object>(target: T, names: readonly PropertyKey[]): T =>
      new Proxy(target, {
        get(_, name) {
          touched.add(name)
          if (!names.includes(name)) throw new Error(`${String(name)} was read`)
          const value = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    const headers = new Headers({ origin: SITE, authorization: `Bearer ${tokens.good}` })
    const request = watch(
      {
        headers: watch(headers, ['get']),
        method: 'POST',
        url: 'https://api.example.com/?a=b',
        body: 'secret',
      },
      ['headers', 'method', 'url'],
    ) as unknown as Request
    const all = ['authorization', 'x-client-token', 'query', 'websocket'] as const
    const verifier = createWith({
      tokenSources: all,
      apiOrigin: 'https://api.example.com',
      trustedProxies: 'loopback',
    })
    expect(await verifier.verify(request, { ip: '127.0.0.1' })).toMatchObject({ sub: SUBJECT })
    expect(touched).not.toContain('body')
    headers.delete('authorization')
    expect(await codeOf(verifier.verify(request))).toBe('missing_token')
  })
})

test('claims are deeply frozen', async () => {
  const claims = await createWith().verify(ask({ origin: SITE, authorization: 'Bearer {severalAudiences}' }))
  expect(Object.isFrozen(claims)).toBe(true)
  expect(Object.isFrozen(claims.aud)).toBe(true)
  expect(() => Object.assign(claims, { sub: 'acct_other' })).toThrow(TypeError)
})
