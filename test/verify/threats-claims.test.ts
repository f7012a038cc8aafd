// Tokens with a valid signature and invalid claims, which even the most lenient options must not accept. And remembered
// tokens, for which times, revocation, origin and address must be checked again, separately in each verifier.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { createVerifier, type VerifierRules } from '../../src/verify/verifier.ts'
import {
  ALGS,
  bearerOf,
  createJudge,
  createMint,
  now,
  RULES,
  requestWith,
  SITE,
  verdictOf,
} from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

/** The most lenient options that a verifier has. */
const LENIENT: Partial<VerifierRules> = { mode: 'report', missingOrigin: 'allow', clockTolerance: 300 }

describe.each(ALGS)('%s: a token with a valid signature', (alg) => {
  const mint = createMint(alg)
  const [judge, judgeLeniently] = [createJudge(mint), createJudge(mint, LENIENT)]
  const open = (...without: readonly string[]): string =>
    mint.payload(Object.fromEntries(without.map((name) => [name, undefined]))).slice(0, -1)

  test('and valid claims is accepted, so that the tests below can fail', async () => {
    expect(await judge(mint.compact(mint.header(), `${open()},"nbf":0}`))).toBe('allowed')
    expect(await judge(mint.token({ aud: ['https://other.example', RULES.audience] }))).toBe('allowed')
    expect(await judgeLeniently(mint.token({ origin: 'https://other.example', ip: '203.0.113.7' }))).toBe(
      'allowed',
    )
  })

  test.each<[string, () => string]>([
    ['exp of +Infinity', () => `${open('exp')},"exp":1e400}`],
    ['exp of -Infinity', () => `${open('exp')},"exp":-1e400}`],
    ['iat of +Infinity', () => `${open('iat')},"iat":1e400}`],
    ['iat of -Infinity', () => `${open('iat')},"iat":-1e400}`],
    ['nbf of +Infinity', () => `${open()},"nbf":1e400}`],
    ['nbf of -Infinity', () => `${open()},"nbf":-1e400}`],
    ['both times infinite', () => `${open('exp', 'iat')},"exp":1e400,"iat":-1e400}`],
    ['exp twice', () => `${open()},"exp":${now() + 1e6}}`],
    ['origin twice', () => `${open()},"origin":"https://evil.example"}`],
    ['a repeated name in a binding', () => `${open()},"cnf":{"jkt":"a","jkt":"b"}}`],
  ])('is refused with %s', async (_, payload) => {
    for (const one of [judge, judgeLeniently]) {
      expect(await one(mint.compact(mint.header(), payload()))).toBe('invalid_token')
    }
  })

  const bounds: Readonly<Record<string, readonly Json[]>> = {
    origin: [
      ...[null, '', '*', 'null', 0, false, true, [], [SITE], {}, SITE.toUpperCase(), `${SITE}/`],
      ...[`${SITE}:443`, ` ${SITE}`, 'https://*.example.com', 'www.example.com', `${SITE},${SITE}`],
    ],
    ip: [
      ...[
        null,
        false,
        true,
        0,
        '',
        '*',
        [],
        [''],
        [null],
        {},
        '0.0.0.0/0',
        '::/0',
        '127.0.0.1/8',
        'localhost',
      ],
      ...[
        '127.0.0.01',
        ' 127.0.0.1',
        '::ffff:127.0.0.1',
        '127.0.0.1,::1',
        ['127.0.0.1', ''],
        ['127.0.0.1', 7],
      ],
    ],
    cnf: [
      null,
      '',
      true,
      [],
      {},
      { jkt: '' },
      { jkt: null },
      { jkt: 'x' },
      { jwk: {} },
      { kid: 'x' },
      { 'x5t#S256': '' },
    ],
    nbf: [null, '', '0', true, [], {}],
    scope: [null, 0, true, [], ['read'], {}],
  }
  test.each(Object.entries(bounds))(
    'and an invalid binding is refused, not treated as unbound: %s',
    async (name, values) => {
      for (const value of values) {
        const token = mint.token({ [name]: value })
        for (const one of [judge, judgeLeniently]) {
          expect(await one(token), JSON.stringify(value)).toBe('invalid_token')
        }
      }
    },
  )

  test.each(['iss', 'aud', 'sub', 'client_id', 'jti', 'iat', 'exp'])('needs a valid %s', async (name) => {
    for (const value of [undefined, null, '', false, [], [''], {}, [null]]) {
      expect(await judgeLeniently(mint.token({ [name]: value })), JSON.stringify(value)).toBe('invalid_token')
    }
  })

  test('is refused when issuer or audience only look similar', async () => {
    for (const like of [
      `${RULES.issuer}/`,
      RULES.issuer.toUpperCase(),
      `${RULES.issuer}.evil.example`,
      ` ${RULES.issuer}`,
    ]) {
      expect(await judge(mint.token({ iss: like }))).toBe('invalid_token')
    }
    for (const like of [
      `${RULES.audience}/`,
      RULES.issuer,
      [RULES.issuer],
      [[RULES.audience]],
      { 0: RULES.audience },
    ]) {
      expect(await judge(mint.token({ aud: like })), JSON.stringify(like)).toBe('invalid_token')
    }
  })

  test('is refused with times in the future, and with exp not after iat', async () => {
    expect(await judge(mint.token({ iat: now() + 60 }))).toBe('invalid_token')
    expect(await judge(mint.token({ nbf: now() + 60 }))).toBe('invalid_token')
    expect(await judge(mint.token({ iat: now() + 2, exp: now() + 2 }))).toBe('invalid_token')
    expect(await judge(mint.token({ iat: now() + 3, exp: now() + 2 }))).toBe('invalid_token')
    expect(await judge(mint.token({ iat: now() - 60, exp: now() - 6 }))).toBe('token_expired')
  })
})

describe('a remembered token', () => {
  const mint = createMint('ES256')
  const keys = { jwks: { keys: [mint.jwk] } }
  afterEach(() => void vi.useRealTimers())

  test('expires to the second', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const start = 1_800_000_000
    vi.setSystemTime(start * 1000)
    const verifier = createVerifier({ ...RULES, ...keys })
    const token = mint.token({ iat: start, exp: start + 60 })
    for (const [second, verdict] of [
      [0, 'allowed'],
      [64.9, 'allowed'],
      [65, 'token_expired'],
      [1e6, 'token_expired'],
      [64, 'allowed'],
      [-5, 'allowed'],
      [-5.1, 'invalid_token'],
    ] as const) {
      vi.setSystemTime((start + second) * 1000)
      expect(await verdictOf(verifier, bearerOf(token)), `at ${second}`).toBe(verdict)
    }
  })

  test('is checked for revocation at each use', async () => {
    const ended = new Set<string>()
    const verifier = createVerifier({ ...RULES, ...keys, revocation: ({ sub }) => ended.has(sub) })
    const token = mint.token()
    expect(await verdictOf(verifier, bearerOf(token))).toBe('allowed')
    ended.add('acct_1')
    expect(await verdictOf(verifier, bearerOf(token))).toBe('token_revoked')
    ended.clear()
    expect(await verdictOf(verifier, bearerOf(token))).toBe('allowed')
  })

  test('is refused while its revocation status is not known', async () => {
    for (const revocation of [
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('down')
      },
    ]) {
      const verifier = createVerifier({ ...RULES, ...keys, revocation })
      expect(await verdictOf(verifier, bearerOf(mint.token()))).toBe('unavailable')
    }
  })

  test('is refused from another origin after it passed from its own', async () => {
    const verifier = createVerifier({ ...RULES, ...keys })
    const token = mint.token()
    const authorization = `Bearer ${token}`
    expect(await verdictOf(verifier, bearerOf(token))).toBe('allowed')
    for (const origin of [
      'https://evil.example',
      'null',
      '',
      `${SITE}, ${SITE}`,
      SITE.toUpperCase(),
      `${SITE}/`,
    ]) {
      expect(await verdictOf(verifier, requestWith({ authorization, origin })), origin).toBe(
        'origin_mismatch',
      )
    }
    expect(await verdictOf(verifier, requestWith({ authorization }))).toBe('origin_required')
    expect(await verdictOf(verifier, requestWith({ authorization, referer: `${SITE}/` }))).toBe(
      'origin_required',
    )
  })

  test('is refused from another address after it passed from its own', async () => {
    const verifier = createVerifier({ ...RULES, ...keys })
    const token = mint.token({ ip: ['203.0.113.7', '2001:db8::/64'] })
    const headers = {
      'x-forwarded-for': '203.0.113.7',
      'x-real-ip': '203.0.113.7',
      forwarded: 'for=203.0.113.7',
    }
    for (const [ip, verdict] of [
      ['203.0.113.7', 'allowed'],
      ['203.0.113.8', 'ip_mismatch'],
      ['::ffff:203.0.113.7', 'allowed'],
      ['2001:db8::1', 'allowed'],
      ['2001:db9::1', 'ip_mismatch'],
      ['', 'ip_mismatch'],
      ['203.0.113.7:80', 'ip_mismatch'],
    ] as const) {
      expect(await verdictOf(verifier, bearerOf(token, headers), { ip }), ip).toBe(verdict)
    }
    expect(await verdictOf(verifier, bearerOf(token, headers))).toBe('ip_mismatch')
  })

  test('is remembered by its whole text: a mix with parts of another token is refused', async () => {
    const verifier = createVerifier({ ...RULES, ...keys })
    const [one, other] = [mint.token({ jti: 'one' }), mint.token({ jti: 'other', sub: 'acct_2' })]
    const [first, second] = [one.split('.'), other.split('.')]
    expect(await verdictOf(verifier, bearerOf(one))).toBe('allowed')
    expect(await verdictOf(verifier, bearerOf(other))).toBe('allowed')
    for (const mixed of [
      [first[0], second[1], first[2]],
      [first[0], first[1], second[2]],
      [createMint('ES256', 'x').token({}).split('.')[0], first[1], first[2]],
    ]) {
      expect(await verdictOf(verifier, bearerOf(mixed.join('.')))).toBe('invalid_token')
    }
  })

  test('is remembered only by the verifier that verified it', async () => {
    const token = mint.token({ scope: 'read' })
    const first = createVerifier({ ...RULES, ...keys })
    const stranger = createMint('ES256', mint.kid)
    const others: readonly (readonly [string, string, ReturnType<typeof createVerifier>])[] = [
      ['issuer', 'invalid_token', createVerifier({ ...RULES, ...keys, issuer: 'https://other.example' })],
      ['audience', 'invalid_token', createVerifier({ ...RULES, ...keys, audience: 'https://other.example' })],
      ['key', 'invalid_token', createVerifier({ ...RULES, jwks: { keys: [stranger.jwk] } })],
      ['secret', 'invalid_token', createVerifier({ ...RULES, secret: 's'.repeat(32) })],
      ['scope', 'insufficient_scope', createVerifier({ ...RULES, ...keys, scope: 'write' })],
      ['bounds', 'ip_mismatch', createVerifier({ ...RULES, ...keys, require: ['ip'] })],
      ['revocation', 'token_revoked', createVerifier({ ...RULES, ...keys, revocation: () => true })],
      ['authorize', 'insufficient_scope', createVerifier({ ...RULES, ...keys, authorize: () => false })],
    ]
    for (let round = 0; round < 2; round += 1) {
      expect(await verdictOf(first, bearerOf(token))).toBe('allowed')
      for (const [name, verdict, verifier] of others) {
        expect(await verdictOf(verifier, bearerOf(token)), name).toBe(verdict)
      }
    }
  })

  test('has claims that a handler cannot change', async () => {
    const verifier = createVerifier({ ...RULES, ...keys })
    const token = mint.token({ ip: ['203.0.113.7'], x: { roles: ['reader'] } })
    const from = { ip: '203.0.113.7' }
    const claims: Json = await verifier.verify(bearerOf(token), from)
    const changes: readonly (() => void)[] = [
      () => {
        claims.sub = 'acct_2'
      },
      () => {
        claims.admin = true
      },
      () => claims.ip.push('203.0.113.8'),
      () => claims.x.roles.push('admin'),
      () => {
        claims.x.admin = true
      },
    ]
    for (const change of changes) expect(change).toThrow(TypeError)
    expect(await verifier.verify(bearerOf(token), from)).toMatchObject({
      sub: 'acct_1',
      x: { roles: ['reader'] },
    })
  })
})

test('a token without an origin passes only where the API says so', async () => {
  const mint = createMint('ES256')
  const jwks = { keys: [mint.jwk] }
  const ask = (rules: Partial<VerifierRules>, origin: string | undefined, headers: Json = {}) => {
    const verifier = createVerifier({ issuer: RULES.issuer, audience: RULES.audience, jwks, ...rules })
    return verdictOf(verifier, requestWith({ authorization: `Bearer ${mint.token({ origin })}`, ...headers }))
  }
  const fromSite = { origin: SITE }
  expect(await ask({}, SITE, fromSite)).toBe('allowed')
  for (const headers of [{}, fromSite]) {
    expect(await ask({}, undefined, headers)).toBe('origin_required')
    expect(await ask({ missingOrigin: 'allow' }, undefined, headers)).toBe('origin_required')
    expect(await ask({ require: [] }, undefined, headers)).toBe('allowed')
  }
})
