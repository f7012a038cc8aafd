// A JWK is checked before it may verify anything: its use, that it is public, and that it is a key at all. The same rules
// apply to pinned keys and to keys from a URL.

import { generateKeyPairSync } from 'node:crypto'
import type { JWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { parseJwk } from '../../src/verify/keys/jwk.ts'

/** The keys of RFC 7517 appendix A.1, RFC 8037 appendix A.2 and RFC 7515 appendix A.1. */
const ec = {
  kty: 'EC',
  crv: 'P-256',
  kid: 'ec',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
} as const
const ed = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'ed',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
} as const
const oct = {
  kty: 'oct',
  kid: 'oct',
  k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
} as const

const P256_PRIME = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff'

const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

function verdictOn(jwk: unknown): string {
  const judged = parseJwk(jwk as JWK)
  return judged.ok ? judged.value.alg : judged.reason
}

describe('a valid key', () => {
  test.each<[string, JWK, string]>([
    ['EC', ec, 'ES256'],
    ['OKP', ed, 'EdDSA'],
    ['oct', oct, 'HS256'],
    ['EC with use, alg and key_ops', { ...ec, use: 'sig', alg: 'ES256', key_ops: ['verify'] }, 'ES256'],
    ['OKP with alg EdDSA (RFC 8037)', { ...ed, alg: 'EdDSA' }, 'EdDSA'],
    ['OKP with alg Ed25519 (RFC 9864)', { ...ed, alg: 'Ed25519' }, 'EdDSA'],
    ['oct that also signs', { ...oct, alg: 'HS256', key_ops: ['sign', 'verify'] }, 'HS256'],
    ['EC whose private member is undefined', { ...ec, d: undefined } as unknown as JWK, 'ES256'],
    ['EC with the kid __proto__', { ...ec, kid: '__proto__' }, 'ES256'],
  ])('%s', (_, jwk, alg) => {
    expect(verdictOn(jwk)).toBe(alg)
  })

  test.each([
    ['EC', ec, ['crv', 'kty', 'x', 'y']],
    ['OKP', ed, ['crv', 'kty', 'x']],
    ['oct', oct, ['k', 'kty']],
  ])('%s keeps only the members that its type needs', (_, jwk, names) => {
    const judged = parseJwk({ ...jwk, use: 'sig', x5u: 'https://evil.example', ext: true } as JWK)
    expect(judged.ok && Object.keys(judged.value.jwk).sort()).toEqual(names)
  })

  test('every key pair that Node generates', () => {
    for (let round = 0; round < 50; round += 1) {
      for (const pair of [
        generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        generateKeyPairSync('ed25519'),
      ]) {
        const jwk = pair.publicKey.export({ format: 'jwk' })
        expect(['ES256', 'EdDSA']).toContain(verdictOn({ ...jwk, kid: 'k' }))
      }
    }
  })
})

describe('a refused key', () => {
  test.each<[string, unknown, string]>([
    ['null', null, 'is not an object'],
    ['a text', JSON.stringify(ec), 'is not an object'],
    ['a list', [ec], 'is not an object'],
    ['without kid', { ...ec, kid: undefined }, 'has no kid'],
    ['with a kid that is a number', { ...ec, kid: 1 }, 'has no kid'],
    ['for encryption', { ...ec, use: 'enc' }, 'is not for signatures (use)'],
    ['for a use that is null', { ...ec, use: null }, 'is not for signatures (use)'],
    ['that only signs', { ...ec, key_ops: ['sign'] }, 'is not for verification (key_ops)'],
    ['whose key_ops is a text', { ...ec, key_ops: 'verify' }, 'is not for verification (key_ops)'],
    ['with d', { ...ec, d: 'AA' }, 'has a private member'],
    ['with a d that is null', { ...ed, d: null }, 'has a private member'],
    ['with a prime factor', { ...ed, q: '' }, 'has a private member'],
    ['for another algorithm', { ...ec, alg: 'ES512' }, 'has an algorithm (alg) that does not fit its type'],
    ['for a MAC', { ...ec, alg: 'HS256' }, 'has an algorithm (alg) that does not fit its type'],
    [
      'for an algorithm in a list',
      { ...ec, alg: ['ES256'] },
      'has an algorithm (alg) that does not fit its type',
    ],
    ['a secret for HS512', { ...oct, alg: 'HS512' }, 'has an algorithm (alg) that does not fit its type'],
    ['RSA', { kty: 'RSA', kid: 'r', n: 'AQAB', e: 'AQAB' }, 'is of a type or curve that is not supported'],
    ['P-384', { ...ec, crv: 'P-384' }, 'is of a type or curve that is not supported'],
    ['X25519', { ...ed, crv: 'X25519' }, 'is of a type or curve that is not supported'],
    ['Ed448', { ...ed, crv: 'Ed448' }, 'is of a type or curve that is not supported'],
    ['an EC curve on the wrong type', { ...ec, kty: 'OKP' }, 'is of a type or curve that is not supported'],
    [
      '31 bytes of secret',
      { ...oct, k: encode(new Uint8Array(31)) },
      'is not at least 32 bytes in base64url',
    ],
    ['no secret', { ...oct, k: '' }, 'is not at least 32 bytes in base64url'],
    [
      'a padded secret',
      { ...oct, k: `${encode(new Uint8Array(32))}=` },
      'is not at least 32 bytes in base64url',
    ],
  ])('%s', (_, jwk, reason) => {
    expect(verdictOn(jwk)).toBe(reason)
  })

  test('a reason contains no key material', () => {
    for (const jwk of [
      { ...oct, use: 'enc' },
      { ...ec, d: 'secret-d' },
      { ...oct, k: 'short-secret' },
    ]) {
      expect(verdictOn(jwk)).not.toMatch(/secret-d|short-secret|AyM1/)
    }
  })
})

describe('not a point of P-256', () => {
  const flipLastBit = (text: string): string => {
    const bytes = Buffer.from(text, 'base64url')
    return encode(bytes.with(31, (bytes[31] ?? 0) ^ 1))
  }
  test.each<[string, Partial<JWK>]>([
    ['zeros', { x: encode(new Uint8Array(32)), y: encode(new Uint8Array(32)) }],
    ['x and y swapped', { x: ec.y, y: ec.x }],
    ['x with its last bit changed', { x: flipLastBit(ec.x) }],
    ['y with its last bit changed', { y: flipLastBit(ec.y) }],
    ['x equal to the prime', { x: encode(Buffer.from(P256_PRIME, 'hex')) }],
    ['x a byte short', { x: encode(Buffer.from(ec.x, 'base64url').subarray(1)) }],
    ['x a byte long', { x: encode(Buffer.concat([Buffer.alloc(1), Buffer.from(ec.x, 'base64url')])) }],
    ['x with another last character', { x: `${ec.x.slice(0, -1)}5` }],
    ['y missing', { y: undefined as unknown as string }],
  ])('%s', (_, changed) => {
    expect(verdictOn({ ...ec, ...changed })).toBe('is not a point of P-256')
  })
})

test('P-256: the point at x = 0 is valid, and x equal to the prime is not another spelling of it', () => {
  const y = encode(Buffer.from('66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4', 'hex'))
  const prime = encode(Buffer.from(P256_PRIME, 'hex'))
  expect(verdictOn({ ...ec, x: encode(new Uint8Array(32)), y })).toBe('ES256')
  expect(verdictOn({ ...ec, x: prime, y })).toBe('is not a point of P-256')
})

describe('the x of an Ed25519 key', () => {
  const bytes = Buffer.from(ed.x, 'base64url')
  test.each<[string, unknown]>([
    ['missing', undefined],
    ['a list', [ed.x]],
    ['a byte short', encode(bytes.subarray(1))],
    ['a byte long', encode(Buffer.concat([bytes, Buffer.alloc(1)]))],
    ['the same bytes in other characters', `${ed.x.slice(0, -1)}p`],
  ])('%s is refused', (_, x) => {
    expect(verdictOn({ ...ed, x })).toBe('is not an Ed25519 key')
  })

  /** Small coordinates y. Those on the curve were calculated with square roots (RFC 8032 section 5.1.3). */
  test.each([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])(
    'y = %i is accepted only if it is on the curve',
    (y) => {
      const isPoint = [3, 4, 5, 6, 9, 10].includes(y)
      for (const sign of [0, 0x80]) {
        const x = encode(new Uint8Array(32).with(0, y).with(31, sign))
        expect(verdictOn({ ...ed, x })).toBe(isPoint ? 'EdDSA' : 'is not an Ed25519 key')
      }
    },
  )

  /** The eight points whose order divides the cofactor, and other spellings of some of them. */
  const small = [
    'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '7P_______________________________________38',
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA',
    'JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU',
    'JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU',
    'xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o',
    'xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o',
    'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA',
    '7f_______________________________________38',
    '7v_______________________________________38',
    `${'_'.repeat(42)}8`,
  ]
  test.each(small)('of small order, or with y not below the prime, is refused: %s', (x) => {
    expect(verdictOn({ ...ed, x })).toBe('is not an Ed25519 key')
  })
})
