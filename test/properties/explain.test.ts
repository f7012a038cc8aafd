// Properties of explain: its code is the one of the service's answer to the described request, and it changes no state.
// A failure prints its seed and path: repeat it with `fc.assert(…, { seed, path })`.

import { createHmac, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createMaker, hashToken } from '../support/dpop-maker.ts'
import { createExplaining, type Explaining } from '../support/explaining.ts'
import { base64url, type Forging, headerOf, partsOf, startForging } from '../support/forge.ts'
import type { Json, WireRequest } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

const ALGS = ['ES256', 'EdDSA', 'HS256'] as const
const OTHER = 'https://other.example.com'
/** Origin of an API behind a proxy that uses forward auth. */
const API = 'https://api.example.com'
const OTHER_JKT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

/** The client whose key tokens may be bound to. */
const holder = await createMaker('ES256')
const { jkt } = holder

/** Generates the first value in 9 of 10 cases, because a request that fails an early check does not reach the later ones. */
const mostly = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })
const range = ['203.0.113.0/24', '2001:db8::/32']

/** Members of a token's payload; undefined removes one. `life` is `iat` and `exp` relative to now. */
const claims = fc.record({
  origin: mostly<Json>(SITE, undefined, undefined, OTHER, 'capacitor://localhost', null, `${SITE}/`),
  ip: fc.oneof(
    fc.constant(undefined),
    mostly<Json>('203.0.113.9', [], '203.0.113.09', null),
    mostly<Json>(range, [range], '::/0'),
  ),
  cnf: fc.oneof(fc.constant(undefined), mostly<Json>({ jkt }, {}, { jkt: OTHER_JKT })),
  life: mostly([-5, 600], [-700, -100], [-12, -6], [-20, -4], [-20, -5], [4, 600], [60, 600], [60, 5]),
  more: mostly<Json>(
    {},
    { iss: OTHER },
    { aud: [OTHER] },
    ...[{ sub: 'acct_nobody' }, { sub: 'acct_other' }, { client_id: 'nobody' }, { client_id: 'other' }],
    { jti: undefined },
    { nbf: Math.floor(Date.now() / 1000) + 900 },
    { scope: 'a"' },
    { unknown: true },
  ),
})
const header = mostly<Json>(
  {},
  ...[{ kid: 'unknown' }, { typ: 'JWT' }, { alg: 'none' }, { crit: ['exp'] }, { jku: OTHER }],
)
/** How the text of a token is changed after signing. */
const tampering = mostly('nothing', 'signature', 'payload', 'truncated', 'longer', 'padded', 'blanks')
const made = fc.record({ claims, header, tampering })
const garbage = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.stringMatching(/^[\w-]{0,9}(\.[\w-]{0,9}){0,3}$/),
  fc.constantFrom('', ' ', ',', 'a, b', 'Bearer x', 'cgk_x', '\ud800', '%00', '+', '&token=x'),
)
const asked = fc.record({
  origin: fc.oneof(
    { weight: 6, arbitrary: fc.constant(SITE) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        null,
        null,
        OTHER,
        'null',
        '',
        `${SITE}/`,
        ` ${SITE} `,
        `${SITE}, ${SITE}`,
        'HTTPS://www.example.com',
      ),
    },
    { weight: 1, arbitrary: fc.stringMatching(/^[ -~]{0,20}$/) },
  ),
  ip: fc.constantFrom(
    '203.0.113.9',
    '203.0.113.9',
    null,
    '203.0.113.10',
    '2001:db8::9',
    '::ffff:203.0.113.9',
    '::1',
  ),
  proof: fc.constantFrom('none', 'none', 'right', 'wrong method', 'garbage', 'empty'),
  endpoint: fc.constantFrom('whoami', 'forward auth'),
  method: fc.constantFrom('GET', 'POST', 'DELETE', 'PROPFIND'),
})
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never
type Made = typeof made extends fc.Arbitrary<infer T> ? T : never

/** Expects both sides of the failed rule, which differ, and nothing of the token or the proof in them. */
function expectSides({ expected, actual }: Json, { token, dpop }: Json): void {
  expect(expected).toMatch(/./)
  expect(actual === null || typeof actual === 'string').toBe(true)
  expect(actual).not.toBe(expected)
  for (const part of `${token}.${dpop}`.split('.'))
    if (part.length > 15) expect(`${expected} ${actual}`).not.toContain(part)
}

describe.each(ALGS)('explain, %s', (alg) => {
  let forging: Forging
  let explaining: Explaining
  beforeAll(async () => {
    // Otherwise the token might expire between the request and its explanation.
    vi.useFakeTimers({ toFake: ['Date'] })
    forging = await startForging(alg)
    explaining = createExplaining(forging.service)
  })
  afterAll(async () => {
    vi.useRealTimers()
    await forging?.world.stop()
  })

  function mint({ claims: { life, more, ...bounds }, header, tampering }: Made): string {
    const now = Math.floor(Date.now() / 1000)
    const [iat = 0, exp = 0] = life
    const payload = { ...payloadOf(forging.fresh), ...bounds, iat: now + iat, exp: now + exp, ...more }
    return tamper(compact(alg, forging.key, { ...headerOf(forging.fresh), ...header }, payload), tampering)
  }

  /** A client's request, and the input of `explain` for it. */
  function describeRequest(token: string, { origin, ip, proof, endpoint, method: given }: Asked) {
    const method = endpoint === 'whoami' ? 'GET' : given
    const url = endpoint === 'whoami' ? `${forging.world.issuer}/auth/whoami` : `${API}/data`
    const dpop = prove(proof, token, method, url)
    const body = { token, origin, ip, method, url, dpop }
    const headers = {
      'x-forwarded-for': ip ?? 'unknown',
      ...(origin !== null && { origin }),
      ...(dpop !== null && { dpop }),
      ...(endpoint === 'forward auth' && {
        'x-original-uri': '/data',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'api.example.com',
      }),
    }
    return { body, endpoint, headers, method, scheme: dpop === null ? 'Bearer' : 'DPoP' }
  }

  /** The code of the service's answer; null when the request passes. */
  async function send(request: WireRequest): Promise<string | null> {
    const answer = await forging.ask(request)
    return answer.status === 200 ? null : answer.json().error
  }

  /** Explains twice: with the same result, without changing state, and with the code of the only failed check. */
  async function explain(body: Json): Promise<string | null> {
    const before = await explaining.snapshot()
    const explained = await explaining.explain(body)
    expect(await explaining.explain(body)).toEqual(explained)
    expect(await explaining.snapshot()).toBe(before)
    const { allowed, code, steps } = explained
    const failed = steps.findIndex(({ outcome }) => outcome === 'fail')
    expect(allowed).toBe(code === null)
    expect(steps[failed]?.code ?? null).toBe(code)
    expect(steps.filter((step) => 'expected' in step || 'actual' in step)).toEqual(
      failed < 0 ? [] : steps.slice(failed, failed + 1),
    )
    if (failed >= 0) {
      expectSides(steps[failed] ?? {}, body)
      expect(steps.slice(failed + 1).every(({ outcome }) => outcome === 'skip')).toBe(true)
    }
    return code
  }

  /** Explain does the same for every algorithm, so one of them gets most of the runs. */
  const numRuns = alg === 'ES256' ? 800 : 100

  test('of any token in any request gives the code of the real answer', async () => {
    const codes = new Map<string | null, number>()
    await fc.assert(
      fc.asyncProperty(made, asked, async (token, how) => {
        const { body, endpoint, headers, method, scheme } = describeRequest(mint(token), how)
        const code = await explain(body)
        codes.set(code, (codes.get(code) ?? 0) + 1)
        const path = endpoint === 'whoami' ? '/auth/whoami' : '/auth/verify?require=none'
        const authorization = `${scheme} ${body.token}`
        expect(await send({ method, path, headers: { ...headers, authorization } })).toBe(code)
      }),
      { numRuns },
    )
    if (numRuns < 800) return
    for (const code of [
      ...[null, 'invalid_token', 'token_expired', 'token_revoked', 'origin_mismatch', 'origin_required'],
      ...['ip_mismatch', 'proof_required', 'invalid_proof'],
    ]) {
      expect([code, codes.get(code) ?? 0]).toEqual([code, expect.toSatisfy((count: number) => count > 0)])
    }
  })

  test('of a text that is not a token fails at the format, as the service does', async () => {
    await fc.assert(
      fc.asyncProperty(garbage, asked, async (text, how) => {
        const { body, headers, scheme } = describeRequest(text, how)
        expect(await explain(body)).toBe('invalid_token')
        const { steps } = await explaining.explain(body)
        expect(steps.map(({ outcome }) => outcome[0]).join('')).toBe('pfsssssss')
        const query = new URLSearchParams({ token: text })
        expect(await send({ method: 'GET', path: `/auth/whoami?${query}`, headers })).toBe('invalid_token')
        // In a header, a comma would separate two credentials, and some characters are not allowed.
        if (!/^[\t -+\--~\x80-\xff]*$/.test(text)) return
        const request = {
          method: 'GET',
          path: '/auth/whoami',
          headers: { ...headers, authorization: `${scheme} ${text}` },
        }
        expect(await send(request)).toBe('invalid_token')
      }),
      { numRuns },
    )
  })
})

function compact(alg: (typeof ALGS)[number], key: KeyObject, header: Json, payload: Json): string {
  const input = [header, payload].map((part) => base64url(JSON.stringify(part))).join('.')
  if (alg === 'HS256') return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
  const how = alg === 'ES256' ? ({ key, dsaEncoding: 'ieee-p1363' } as const) : key
  return `${input}.${base64url(sign(alg === 'ES256' ? 'sha256' : null, Buffer.from(input), how))}`
}

function tamper(token: string, how: string): string {
  const [head, payload, signature] = partsOf(token)
  switch (how) {
    case 'signature': {
      const bytes = Buffer.from(signature, 'base64url')
      bytes[5] = (bytes[5] ?? 0) ^ 1
      return `${head}.${payload}.${base64url(bytes)}`
    }
    case 'payload':
      return `${head}.${base64url(JSON.stringify({ ...payloadOf(token), sub: 'acct_other' }))}.${signature}`
    case 'truncated':
      return token.slice(0, -3)
    case 'longer':
      return `${token}.${signature}`
    case 'padded':
      return `${token}=`
    case 'blanks':
      return `  ${token} \t`
    default:
      return token
  }
}

/** A DPoP proof by the client's key; null for none. */
function prove(how: string, token: string, htm: string, htu: string): string | null {
  if (how === 'none') return null
  if (how === 'garbage' || how === 'empty') return how === 'empty' ? '' : 'x.y.z'
  const iat = Math.floor(Date.now() / 1000)
  return holder.proof({ htm: how === 'right' ? htm : 'PATCH', htu, iat, ath: hashToken(token.trim()) })
}
