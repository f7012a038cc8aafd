// The members `expected` and `actual` of the step that failed, for every rule, and what they never contain.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMaker, type Maker } from '../support/dpop-maker.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { claimToken, createAccount, createWorld, payloadOf, SITE, type World } from '../support/world.ts'

const NOW = Date.UTC(2031, 4, 6, 12)
const NOON = '2031-05-06T12:00:00.000Z'
const API = 'https://api.example.com/things'

let service: MemoryService
let world: World
let maker: Maker
let token: string
beforeAll(async () => {
  service = await startMemory({ CLAIMGATE_ISSUER: 'https://auth.example' }, { now: () => NOW })
  world = await createWorld(service)
  maker = await createMaker('ES256')
  token = await claimToken(world)
})
afterAll(() => service?.stop())

/** The valid token with these claims changed, signed by the service. Undefined removes a claim. */
async function sign(changes: Json): Promise<string> {
  return service.deps.keyRing.sign(JSON.stringify({ ...payloadOf(token), ...changes }))
}

function admin(method: string, path: string, body?: object): Promise<WireAnswer> {
  const headers = {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body && { 'content-type': 'application/json' }),
  }
  return service.send({ method, path: `/admin${path}`, headers, ...(body && { body: JSON.stringify(body) }) })
}

async function explain(body: Json): Promise<Json> {
  const answer = await admin('POST', '/explain', body)
  expect(answer.status, answer.text).toBe(200)
  return answer.json()
}

/** The step that fails, and its two sides. */
async function failureOf(body: Json): Promise<readonly [step: string, expected: unknown, actual: unknown]> {
  const { steps } = await explain({ origin: SITE, ...body })
  const failed = steps.filter(({ outcome }: Json) => outcome === 'fail')
  expect(failed).toHaveLength(1)
  const [{ step = '', expected, actual } = {}] = failed
  return [step, expected, actual]
}

/** Replaces the header of a token; its signature is wrong then. */
function withHeader(changes: Json): string {
  const [head = '', ...rest] = token.split('.')
  const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...changes }
  return [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.')
}

const kidOf = (text: string): string =>
  JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString()).kid
const at = (seconds: number): number => NOW / 1000 + seconds
const KEY = 'the kid of a signing key of this service'

describe('expected and actual', () => {
  const rows: readonly (readonly [
    name: string,
    body: () => Promise<Json> | Json,
    step: string,
    expected: string,
    actual: string | null,
  ])[] = [
    ['no token at all', () => ({ token: 'a, b' }), 'format', 'three parts with dots between them', '1 part'],
    ['two parts', () => ({ token: 'a.b' }), 'format', 'three parts with dots between them', '2 parts'],
    ['four parts', () => ({ token: 'a.b.c.d' }), 'format', 'three parts with dots between them', '4 parts'],
    [
      'a long text',
      () => ({ token: 'x'.repeat(5000) }),
      'format',
      'at most 4096 characters',
      '5000 characters',
    ],
    ['another type', () => ({ token: withHeader({ typ: 'JWT' }) }), 'format', 'typ at+jwt', 'typ JWT'],
    ['no type', () => ({ token: withHeader({ typ: undefined }) }), 'format', 'typ at+jwt', null],
    [
      'crit',
      () => ({ token: withHeader({ crit: ['x'] }) }),
      'format',
      'a header without crit and b64',
      'one of them',
    ],
    [
      'an unknown key',
      () => ({ token: withHeader({ kid: 'old-key' }) }),
      'format',
      KEY,
      'kid old-key, alg ES256',
    ],
    [
      'a kid that may be a secret',
      () => ({ token: withHeader({ kid: 'x y'.repeat(50) }) }),
      'format',
      KEY,
      'kid a text of 150 characters, alg ES256',
    ],
    [
      'another issuer',
      async () => ({ token: await sign({ iss: 'https://old.example' }) }),
      'claims',
      'iss https://auth.example',
      'iss https://old.example',
    ],
    [
      'another audience',
      async () => ({ token: await sign({ aud: ['a', 'b'] }) }),
      'claims',
      'aud https://auth.example',
      'aud a, b',
    ],
    [
      'expired',
      async () => ({ token: await sign({ iat: at(-100), exp: at(-40) }) }),
      'claims',
      'before 2031-05-06T11:59:25.000Z (exp and 5 s)',
      NOON,
    ],
    [
      'from the future',
      async () => ({ token: await sign({ iat: at(60), exp: at(90) }) }),
      'claims',
      'from 2031-05-06T12:00:55.000Z on (iat less 5 s)',
      NOON,
    ],
    [
      'nbf in the future',
      async () => ({ token: await sign({ nbf: at(30) }) }),
      'claims',
      'from 2031-05-06T12:00:25.000Z on (nbf less 5 s)',
      NOON,
    ],
    [
      'a missing claim',
      async () => ({ token: await sign({ jti: undefined }) }),
      'claims',
      'jti: a text that is not empty',
      null,
    ],
    [
      'a malformed binding',
      async () => ({ token: await sign({ cnf: {} }) }),
      'claims',
      'cnf: an object with a jkt alone',
      'cnf: an object with 0 members',
    ],
    ['no origin', () => ({ token, origin: null }), 'origin', SITE, null],
    [
      'another origin',
      () => ({ token, origin: 'http://localhost:3000' }),
      'origin',
      SITE,
      'http://localhost:3000',
    ],
    ['another spelling', () => ({ token, origin: `${SITE}/` }), 'origin', SITE, `${SITE}/`],
    ['an opaque origin', () => ({ token, origin: 'null' }), 'origin', SITE, 'null'],
    [
      'an origin with more',
      () => ({ token, origin: `${SITE}/a?token=b` }),
      'origin',
      SITE,
      `${SITE} with more after it`,
    ],
    [
      'an origin that is none',
      () => ({ token, origin: 'hello' }),
      'origin',
      SITE,
      'a text of 5 characters that is no origin',
    ],
    [
      'another address',
      async () => ({ token: await sign({ ip: '203.0.113.7' }), ip: '203.0.113.8' }),
      'address',
      '203.0.113.7',
      '203.0.113.8',
    ],
    [
      'an address in none of the ranges',
      async () => ({ token: await sign({ ip: ['203.0.113.0/24', '2001:db8::/32'] }), ip: '2001:DB9::1' }),
      'address',
      '203.0.113.0/24, 2001:db8::/32',
      '2001:db9::1',
    ],
    [
      'an unknown address',
      async () => ({ token: await sign({ ip: '203.0.113.7' }) }),
      'address',
      '203.0.113.7',
      null,
    ],
  ]
  test.each(rows)('%s', async (_name, body, step, expected, actual) => {
    expect(await failureOf(await body())).toEqual([step, expected, actual])
  })

  test('another algorithm than that of the key', async () => {
    const kid = kidOf(token)
    const sides = ['format', `kid ${kid}, alg ES256`, `kid ${kid}, alg none`]
    expect(await failureOf({ token: withHeader({ alg: 'none' }) })).toEqual(sides)
  })

  test('another signature', async () => {
    const [head, , signature] = token.split('.')
    const body = Buffer.from(JSON.stringify({ ...payloadOf(token), sub: 'acct_x' })).toString('base64url')
    const sides = [`a signature by the key ${kidOf(token)}`, 'a signature by another key, or of another text']
    expect(await failureOf({ token: `${head}.${body}.${signature}` })).toEqual(['signature', ...sides])
  })

  describe('of a key-bound token', () => {
    const bind = () => sign({ cnf: { jkt: maker.jkt } })
    const hashOf = async (text: string): Promise<string> =>
      Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('base64url')
    /** A body with a proof that is valid except for these changes. */
    async function prove(
      claims: Json,
      header: Json = {},
    ): Promise<{ token: string; dpop: string; method: string; url: string }> {
      const bound = await bind()
      const good = { htm: 'PUT', htu: API, iat: at(0), ath: await hashOf(bound) }
      return {
        token: bound,
        method: 'PUT',
        url: `${API}?a=b`,
        dpop: maker.proof({ ...good, ...claims }, header),
      }
    }

    test('a valid proof passes', async () => {
      expect((await explain({ origin: SITE, ...(await prove({})) })).allowed).toBe(true)
    })

    const proofs: readonly (readonly [
      name: string,
      claims: Json,
      header: Json,
      expected: string,
      actual: string | null,
    ])[] = [
      ['another method', { htm: 'GET' }, {}, 'htm PUT', 'htm GET'],
      ['no method', { htm: undefined }, {}, 'htm PUT', null],
      [
        'another URL',
        { htu: 'https://API.example.com:443/other?secret=1' },
        {},
        `htu ${API}`,
        'htu https://api.example.com/other',
      ],
      ['no URL', { htu: 'things' }, {}, `htu ${API}`, 'htu a text of 6 characters that is no http(s) URL'],
      [
        'old',
        { iat: at(-61) },
        {},
        'iat from 2031-05-06T11:59:00.000Z to 2031-05-06T12:01:00.000Z',
        'iat 2031-05-06T11:58:59.000Z',
      ],
      ['without jti', { jti: undefined }, {}, 'jti of 1 to 256 characters', null],
      ['a long jti', { jti: 'x'.repeat(257) }, {}, 'jti of 1 to 256 characters', 'a text of 257 characters'],
      [
        'another type',
        {},
        { typ: 'JWT' },
        'typ dpop+jwt, alg ES256 or EdDSA, and a public jwk of that algorithm',
        'typ JWT, alg ES256, jwk an object with 4 members',
      ],
    ]
    test.each(proofs)('a proof: %s', async (_name, claims, header, expected, actual) => {
      expect(await failureOf(await prove(claims, header))).toEqual(['key', expected, actual])
    })

    test('no proof, several, another scheme, garbage, another key, another token, another signature', async () => {
      const bound = await bind()
      const key = `the key ${maker.jkt}`
      const other = await createMaker('EdDSA')
      const body = await prove({})
      const [head, claims, signature = ''] = body.dpop.split('.')
      const forged = `${head}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
      const rows: readonly (readonly [Json, string, string | null])[] = [
        [{ token: bound }, `the scheme DPoP with a proof by ${key}`, 'the scheme Bearer'],
        [{ ...body, dpop: `${body.dpop}, ${body.dpop}` }, 'one proof', 'several proofs'],
        [{ ...body, dpop: 'hello' }, 'a JWT in base64url with a header and claims', 'a text of 5 characters'],
        [{ ...body, dpop: other.proof() }, key, `the key ${other.jkt}`],
        [
          { ...body, dpop: forged },
          `a signature by ${key}`,
          'a signature by another key, or of another text',
        ],
        [await prove({ ath: 'x' }), expect.stringMatching(/^ath [\w-]{43}$/), 'ath x'],
      ]
      for (const [given, expected, actual] of rows)
        expect(await failureOf(given)).toEqual(['key', expected, actual])
    })

    test('a proof with a token that is bound to no key', async () => {
      const sides = ['key', 'the scheme Bearer', 'the scheme DPoP']
      expect(await failureOf({ token, dpop: maker.proof() })).toEqual(sides)
    })
  })

  test('of a revoked token name what was ended', async () => {
    const expected = 'an active account and credential, and no revocation'
    const expectRevoked = async (text: string, actual: unknown): Promise<void> =>
      expect(await failureOf({ token: text })).toEqual(['revocation', expected, actual])
    await expectRevoked(await sign({ client_id: 'nobody' }), 'the credential or its account does not exist')
    await expectRevoked(await sign({ sub: 'acct_other' }), 'the credential is of another account')

    const { account, credential } = await createAccount(service, { name: 'B', allowedOrigins: ['*'] })
    const own = await claimToken({ ...world, token: credential.token })
    await admin('POST', '/revocations', { jti: payloadOf(own).jti })
    await expectRevoked(own, 'a revocation of the token, its credential, its account or its signing key')
    await admin('PATCH', `/accounts/${account.id}`, { status: 'suspended' })
    await expectRevoked(own, 'the account is suspended')
    await admin('PATCH', `/accounts/${account.id}`, { status: 'active' })
    await admin('DELETE', `/credentials/${credential.id}`)
    await expectRevoked(own, `the credential was revoked at ${NOON}`)
  })
})

test('never contain an account token, a token or a proof, wherever one was pasted', async () => {
  const secret = world.token
  const bound = await sign({ cnf: { jkt: maker.jkt } })
  const proof = maker.proof({ htm: secret, htu: `https://api.example.com/${secret}`, iat: at(0) })
  const texts = [secret, token, bound, proof]
  const bodies: Json[] = texts.flatMap((text) => [
    { token: text },
    { token: `x${text}` },
    { token, origin: text },
    { token, origin: `https://${text}` },
    { token, origin: `https://shop.example/?token=${text}` },
    { token: bound, dpop: text },
    { token: withHeader({ kid: text }) },
    { token: bound, dpop: maker.proof({ iat: at(0) }), method: text },
    {
      token: bound,
      dpop: maker.proof({ htu: 'https://x.example', iat: at(0) }),
      url: `https://api.example.com/${text}`,
    },
    { token: withHeader({ typ: text }) },
    ...['htm', 'htu', 'ath', 'jti', 'iat'].map((name) => ({
      token: bound,
      dpop: maker.proof({ htm: 'GET', htu: 'https://auth.example/auth/whoami', iat: at(0), [name]: text }),
    })),
    { token: bound, dpop: proof, method: 'PUT', url: `https://api.example.com/${text}?token=${text}` },
  ])
  for (const body of bodies) {
    const { steps, code } = await explain({ origin: SITE, ...body })
    if (code === null) continue
    const sides = JSON.stringify(steps)
    for (const part of [secret, ...texts.flatMap((text) => text.split('.'))].filter(
      ({ length }) => length > 20,
    ))
      expect(sides).not.toContain(part)
  }
})
