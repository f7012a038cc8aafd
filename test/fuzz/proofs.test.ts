// Sends DPoP proofs that are almost valid to a verifier, with a token that is bound to a key: it must refuse each of them, and
// still accept a valid one. FUZZ_SEED repeats a run, see fuzz.ts.

import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { ClaimError, claimErrorCodes } from '../../src/claims/errors.ts'
import { createVerifier, type RequestLike } from '../../src/verify/verifier.ts'
import { createMaker, hashToken } from '../support/dpop-maker.ts'
import { base64url, partsOf } from '../support/forge.ts'
import { createMint, now, RULES, SITE } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'
import { byte, damaged, fuzz } from './fuzz.ts'

const API = 'https://api.example.com'
const issuer = createMint('ES256')

const junk = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1,
    '',
    'x',
    [],
    {},
    [null],
    '\0',
    '\ud800',
    '__proto__',
    'x'.repeat(3000),
  ),
  fc.jsonValue({ maxDepth: 3 }),
)

describe.each(['ES256', 'EdDSA'] as const)('%s', async (alg) => {
  const [maker, other] = await Promise.all([createMaker(alg), createMaker(alg)])
  const foreign = await createMaker(alg === 'ES256' ? 'EdDSA' : 'ES256')
  const { mint, jwk } = maker
  const privateJwk = mint.key.export({ format: 'jwk' })
  const token = issuer.token({ cnf: { jkt: maker.jkt } })
  const verifier = createVerifier({
    ...RULES,
    jwks: { keys: [issuer.jwk] },
    apiOrigin: API,
    require: ['key'],
  })

  /** The claims of a valid proof, issued now. */
  const right = (): Json => ({ htu: `${API}/orders`, htm: 'GET', iat: now(), ath: hashToken(token) })
  const header = (members: Json = {}): string => maker.header(members)
  const payload = (members: Json = {}): string => maker.payload({ ...right(), ...members })
  const goodProof = (): string => mint.compact(header(), payload())

  async function judge(proof: string): Promise<string> {
    const headers: Record<string, string> = { authorization: `DPoP ${token}`, origin: SITE, dpop: proof }
    const request: RequestLike = {
      method: 'GET',
      url: '/orders?a=b',
      headers: { get: (name) => headers[name] ?? null },
    }
    try {
      await verifier.verify(request)
      return 'allowed'
    } catch (error) {
      expect(error).toBeInstanceOf(ClaimError)
      const { code, status, message, challenge = '' } = error as ClaimError
      expect(claimErrorCodes).toContain(code)
      expect(status).toBe(401)
      return `${code} ${message} ${challenge}`
    }
  }

  /** Wrong claims, for proofs with a valid signature. */
  const wrongClaims = fc.oneof(
    fc.tuple(fc.constantFrom('htm', 'htu', 'iat', 'ath'), junk).map(([name, value]) => ({ [name]: value })),
    junk
      .filter((value) => typeof value !== 'string' || value === '' || value.length > 256)
      .map((jti) => ({ jti })),
    fc
      .constantFrom<() => Json>(
        ...[
          () => ({ iat: now() - 70 }),
          () => ({ iat: now() + 70 }),
          () => ({ iat: String(now()) }),
          () => ({ iat: [now()] }),
        ],
        ...[
          () => ({ htm: 'get' }),
          () => ({ htm: 'POST' }),
          () => ({ htm: ['GET'] }),
          () => ({ htm: 'GET ' }),
        ],
      )
      .map((make) => make()),
    fc
      .constantFrom(
        '/orders/',
        '/Orders',
        '/orders%2f',
        '//orders',
        '/',
        '/orders\0',
        '/x/%2e%2e/orders/.',
        ':444/orders',
        '@evil/orders',
      )
      .map((path) => ({ htu: API + path })),
    fc
      .constantFrom(
        'http://api.example.com/orders',
        '/orders',
        'https://api.example.com.evil/orders',
        'https://u@api.example.com/orders',
        `${'a'.repeat(3000)}:`,
      )
      .map((htu) => ({ htu })),
    fc
      .constantFrom(hashToken(`${token} `), hashToken(''), token, `${hashToken(token)}=`)
      .map((ath) => ({ ath })),
  )
  /** Wrong header parameters, for proofs with a valid signature. */
  const wrongHeader = fc.oneof(
    fc
      .tuple(fc.constantFrom('typ', 'alg', 'jwk', 'crit', 'b64'), junk)
      .map(([name, value]) => ({ [name]: value })),
    fc.constantFrom<Json>(
      ...[
        { alg: 'none' },
        { alg: 'HS256' },
        { alg: 'ES384' },
        { alg: alg.toLowerCase() },
        { alg: [alg] },
        { alg: foreign.mint.alg },
      ],
      ...[
        { typ: 'JWT' },
        { typ: 'at+jwt' },
        { typ: 'dpop+jwt ' },
        { typ: ['dpop+jwt'] },
        { crit: ['exp'] },
        { b64: false },
      ],
      ...[
        { jwk: other.jwk },
        { jwk: foreign.jwk },
        { jwk: privateJwk },
        { jwk: [jwk] },
        { jwk: JSON.stringify(jwk) },
      ],
    ),
    fc
      .tuple(
        fc.constantFrom('kty', 'crv', 'x', ...(alg === 'ES256' ? ['y'] : []), 'd', 'k', 'p', 'use', 'alg'),
        junk,
      )
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ({ jwk: { ...jwk, [name]: value } })),
    fc
      .tuple(fc.constantFrom('x', 'x', ...(alg === 'ES256' ? ['y'] : [])), damaged(fc.constant(jwk.x), byte))
      .map(([name, text]) => ({ jwk: { ...jwk, [name]: text === jwk[name] ? 'A' : text } })),
    fc
      .constantFrom<Json>(
        ...[
          { ...jwk, crv: 'P-384' },
          { ...jwk, crv: 'secp256k1' },
          { ...jwk, crv: 'X25519' },
          { ...jwk, kty: 'oct', k: jwk.x },
        ],
        ...[
          { kty: 'RSA', n: 'A'.repeat(3000), e: 'AQAB' },
          { kty: 'oct', k: 'A'.repeat(43) },
          { ...jwk, x: `${jwk.x}=` },
        ],
        ...[
          { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) },
          { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) },
        ],
      )
      .map((key) => ({ jwk: key })),
  )
  /** Each value creates a new invalid proof, so that none is refused only because it was used before. */
  const wrongProof = fc.oneof(
    wrongClaims.map((members) => () => mint.compact(header(), payload(members))),
    wrongHeader.map((members) => () => mint.compact(header(members), payload())),
    wrongHeader.map((members) => () => other.mint.compact(header(members), payload())),
    fc.constantFrom(
      () => other.mint.compact(header(), payload()),
      () => foreign.mint.compact(header(), payload()),
      () => mint.compact(header().replace('{', '{"alg":"ES256",'), payload()),
      () => mint.compact(header(), payload().replace('{', '{"htm":"GET",')),
      () => mint.compact(`\ufeff${header()}`, payload()),
      () => mint.compact(header(), `[${payload()}]`),
      () => `${goodProof()}, ${goodProof()}`,
      () => `${goodProof()},`,
      () => token,
      () => '',
    ),
    fc
      .tuple(fc.nat(2), fc.constantFrom('=', 'A', '.', ' ', '\n', 'A'.repeat(5000), '.'.repeat(5000), '%3D'))
      .map(
        ([at, more]) =>
          () =>
            partsOf(goodProof())
              .map((part, index) => (index === at ? part + more : part))
              .join('.'),
      ),
    fc
      .tuple(fc.nat(2), fc.constantFrom('', base64url(Buffer.alloc(64)), base64url('{}'), base64url('null')))
      .map(
        ([at, text]) =>
          () =>
            partsOf(goodProof())
              .map((part, index) => (index === at ? text : part))
              .join('.'),
      ),
    fc.infiniteStream(fc.nat(2)).map((parts) => {
      const order = [...parts.take(3)]
      return () => (order.join() === '0,1,2' ? 'x' : order.map((at) => partsOf(goodProof())[at]).join('.'))
    }),
    fc.tuple(fc.nat(1000), byte).map(([where, unit]) => () => {
      const proof = goodProof()
      const at = where % proof.length
      return proof[at] === unit ? `${proof}x` : proof.slice(0, at) + unit + proof.slice(at + 1)
    }),
    fc
      .constantFrom(50, 700, 1400)
      .map((depth) => () => mint.compact(`{"jwk":${'['.repeat(depth)}${']'.repeat(depth)}}`, payload())),
    fc.string({ unit: 'binary', maxLength: 200 }).map((text) => () => text),
  )

  test('a proof that is not valid for this request is refused, in time, and not repeated in the error', {
    timeout: 60_000,
  }, async () => {
    const proofs = wrongProof.map((makeProof) => makeProof())
    await fuzz(`${alg} proofs`, 3000, proofs, async (proof, watch) => {
      const verdict = await watch.time(() => judge(proof))
      expect(verdict, proof).toMatch(/^(?:invalid_proof|proof_required) /)
      if (proof.length > 12) expect(verdict).not.toContain(proof)
      // The same request passes with a valid proof, so the proof was the reason for the refusal.
      if (proof.length % 16 === 0) expect(await judge(goodProof())).toBe('allowed')
    })
    const proof = goodProof()
    expect([await judge(proof), (await judge(proof)).split(' ')[0]]).toEqual(['allowed', 'invalid_proof'])
    expect(await calculateJwkThumbprint(jwk)).toBe(maker.jkt)
  })
})
