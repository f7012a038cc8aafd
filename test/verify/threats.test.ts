// Known attacks with forged or malformed tokens on verifiers with pinned keys: format, header and signature. Each test is
// named by what the token contains.

import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createVerifier } from '../../src/verify/verifier.ts'
import { base64url, partsOf } from '../support/forge.ts'
import { ALGS, bearerOf, createJudge, createMint, now, RULES, verdictOf } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The texts that differ from `part` in the last character and decode to the same bytes. */
function respell(part: string): readonly string[] {
  const bytes = Buffer.from(part, 'base64url')
  return [...ALPHABET]
    .map((last) => part.slice(0, -1) + last)
    .filter((text) => text !== part && Buffer.from(text, 'base64url').equals(bytes))
}

describe.each(ALGS)('%s', (alg) => {
  const mint = createMint(alg)
  const judge = createJudge(mint)
  const [header, payload, signature] = partsOf(mint.token())
  const good = `${header}.${payload}.${signature}`

  /** A valid token except for these members of its header and the signature, which `signer` makes. */
  function signedBy(signer: (input: string) => Uint8Array | string, members: Json = {}): string {
    const input = `${base64url(mint.header(members))}.${base64url(mint.payload())}`
    return `${input}.${base64url(signer(input))}`
  }

  test('a valid token is accepted, so that the tests below can fail', async () => {
    expect(await judge(good)).toBe('allowed')
    expect(await judge(signedBy(mint.sign))).toBe('allowed')
    expect(await judge(mint.token({}, { typ: 'Application/AT+JWT' }))).toBe('allowed')
  })

  describe('another spelling of a valid token is refused', () => {
    const spellings: readonly (readonly [string, readonly string[]])[] = [
      ['unused bits of the signature', respell(signature).map((text) => `${header}.${payload}.${text}`)],
      ['unused bits of the header', respell(header).map((text) => `${text}.${payload}.${signature}`)],
      ['unused bits of the payload', respell(payload).map((text) => `${header}.${text}.${signature}`)],
      ...['=', '==', ' ', '\n', '\t', '\0', '%3D', '\u200b'].map((text): [string, readonly string[]] => [
        `${JSON.stringify(text)} before, in and after a part`,
        [header, payload, signature].flatMap((part, index) =>
          [part + text, text + part, part.slice(0, 4) + text + part.slice(4)].map((changed) =>
            [header, payload, signature].with(index, changed).join('.'),
          ),
        ),
      ]),
      [
        'the alphabet of base64',
        [good.replaceAll('_', '/').replaceAll('-', '+')].filter((text) => text !== good),
      ],
      ['quotes and brackets around it', [`"${good}"`, `<${good}>`, `'${good}'`]],
    ]

    test('other spellings of the token exist', () => {
      expect(spellings[0]?.[1].length).toBe(alg === 'HS256' ? 3 : 15)
    })

    test.each(spellings)('%s', async (_, texts) => {
      expect(await judge(good)).toBe('allowed')
      for (const text of texts) expect(await judge(text), text).toBe('invalid_token')
    })
  })

  const otherKey = createMint(alg)
  const someBytes = randomBytes(64)
  test.each<[string, () => string | readonly string[]]>([
    ['nothing', () => ''],
    [
      'dots',
      () => [
        '.',
        '..',
        '...',
        `${header}..${signature}`,
        `.${payload}.${signature}`,
        `${header}.${payload}.`,
      ],
    ],
    ['a detached payload', () => `${header}..${base64url(mint.sign(`${header}.`))}`],
    [
      'four and five parts',
      () => [`${good}.`, `${good}.x`, `${good}..`, `${good}.x.x`, `.${good}`, `..${good}`],
    ],
    [
      'JSON serialisation',
      () => [
        JSON.stringify({ payload, protected: header, signature }),
        JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
      ],
    ],
    [
      'a JWE',
      () => [base64url('{"alg":"dir","enc":"A256GCM","typ":"at+jwt"}'), '', 'aaaa', 'bbbb', 'cccc'].join('.'),
    ],
    [
      'a nested JWT',
      () => [
        mint.compact(mint.header({ cty: 'JWT' }), good),
        mint.compact(mint.header({ cty: 'JWT' }), JSON.stringify(good)),
        mint.compact(mint.header(), `{"jwt":"${good}"}`),
      ],
    ],
    [
      'over 4096 characters',
      () => [mint.token({ x: 'x'.repeat(4096) }), `${header}.${payload}.${'A'.repeat(8192)}`],
    ],
    [
      'alg none in every spelling, with any signature',
      () =>
        spellingsOf('none').flatMap((none) => [
          signedBy(mint.sign, { alg: none }),
          signedBy(() => '', { alg: none }),
          signedBy(() => Buffer.alloc(64), { alg: none }),
        ]),
    ],
    [
      'alg of another key type',
      () =>
        ['HS256', 'HS384', 'HS512', 'ES256', 'ES384', 'EdDSA', 'Ed25519', 'Ed448', 'RS256', 'PS256', 'ES256K']
          .concat([alg.toLowerCase(), alg.toUpperCase(), ` ${alg}`, `${alg} `, `${alg}\0`, ''])
          .filter((other) => other !== alg)
          .map((other) => signedBy(mint.sign, { alg: other })),
    ],
    [
      'alg that is not a string',
      () =>
        [undefined, null, true, 256, [alg], { toString: alg }].map((other) =>
          signedBy(mint.sign, { alg: other }),
        ),
    ],
    [
      'kid that is unknown, or not a string',
      () =>
        [
          '',
          'x',
          mint.kid.toLowerCase(),
          `${mint.kid} `,
          `${mint.kid}\0`,
          `../${mint.kid}`,
          '../../etc/passwd',
        ]
          .concat([
            '__proto__',
            'constructor',
            'toString',
            'hasOwnProperty',
            'x\r\nSet-Cookie: a=b',
            '*',
            "' or 1=1 --",
          ])
          .map((kid): Json => kid)
          .concat([undefined, null, 0, 1, true, [mint.kid], { kid: mint.kid }, 'x'.repeat(64 * 1024)])
          .map((kid) => signedBy(mint.sign, { kid })),
    ],
    [
      'typ of another kind of token',
      () =>
        [
          'JWT',
          'at',
          'jwt',
          'id+jwt',
          'dpop+jwt',
          'logout+jwt',
          'at+jwt ',
          'application/jwt',
          '',
          null,
          ['at+jwt'],
          undefined,
        ].map((typ) => mint.token({}, { typ })),
    ],
    [
      'crit and b64',
      () =>
        [
          { crit: ['exp'] },
          { crit: [] },
          { crit: null },
          { crit: ['b64'], b64: false },
          { b64: true },
          { b64: null },
        ].map((members) => mint.token({}, members)),
    ],
    [
      'an unencoded payload (RFC 7797)',
      () => [header, mint.payload(), base64url(mint.sign(`${header}.${mint.payload()}`))].join('.'),
    ],
    ['a signature by the attacker’s key under our kid', () => signedBy(otherKey.sign)],
    [
      'an embedded jwk of the attacker',
      () =>
        [mint.kid, 'forged', undefined].map((kid) =>
          signedBy(otherKey.sign, { kid, jwk: { ...otherKey.jwk, kid } }),
        ),
    ],
    [
      'a certificate chain of the attacker',
      () => signedBy(otherKey.sign, { x5c: ['MIIB'], x5t: 'x', 'x5t#S256': 'x' }),
    ],
    [
      'a signature of zeros, of ones, of noise',
      () => [
        signedBy(() => Buffer.alloc(64)),
        signedBy(() => Buffer.alloc(32)),
        signedBy(() => Buffer.alloc(64, 0xff)),
        signedBy(() => Buffer.alloc(63).fill(1)),
        signedBy(() => someBytes),
      ],
    ],
    [
      'a signature with too few or too many bytes',
      () =>
        [
          (bytes: Buffer) => bytes.subarray(0, -1),
          (bytes: Buffer) => bytes.subarray(1),
          (bytes: Buffer) => bytes.subarray(0, 0),
          (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)]),
          (bytes: Buffer) => Buffer.concat([Buffer.alloc(1), bytes]),
          (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(2)]),
          (bytes: Buffer) => Buffer.concat([bytes, bytes]),
        ].map((change) => signedBy((input) => change(mint.sign(input)))),
    ],
    [
      'a signature with its halves swapped',
      () =>
        signedBy((input) => {
          const bytes = mint.sign(input)
          return Buffer.concat([bytes.subarray(bytes.length / 2), bytes.subarray(0, bytes.length / 2)])
        }),
    ],
    [
      'a DPoP proof',
      () => {
        const proof = createMint('ES256')
        const { kid: _, ...jwk } = proof.jwk
        const claims = JSON.stringify({ jti: 'x', htm: 'GET', htu: 'https://api.example.com/', iat: now() })
        return [
          proof.compact(JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk }), claims),
          mint.compact(mint.header({ typ: 'dpop+jwt' }), claims),
          mint.compact(mint.header(), claims),
          mint.token({}, { typ: 'dpop+jwt' }),
        ]
      },
    ],
    ['an account token', () => `cgk_${'a'.repeat(16)}_${'b'.repeat(43)}_000000`],
  ])('%s', async (_, tokens) => {
    for (const token of [tokens()].flat())
      expect(await judge(token), token.slice(0, 200)).toBe('invalid_token')
  })

  test('only the key that kid names is tried', async () => {
    const others = ALGS.map((other) => createMint(other, `other-${other}`))
    const verifier = createVerifier({
      ...RULES,
      jwks: { keys: [mint, ...others].map(({ jwk }) => jwk) },
    })
    for (const one of [mint, ...others])
      expect(await verdictOf(verifier, bearerOf(one.token()))).toBe('allowed')
    for (const signer of others) {
      for (const named of [
        { kid: mint.kid, alg },
        { kid: mint.kid, alg: signer.alg },
        { kid: 'x', alg: signer.alg },
      ]) {
        const token = signedBy(signer.sign, named)
        expect(await verdictOf(verifier, bearerOf(token)), JSON.stringify(named)).toBe('invalid_token')
      }
    }
  })
})

/** A word in every mix of lower and upper case. */
function spellingsOf(word: string): readonly string[] {
  return [...word].reduce<readonly string[]>(
    (starts, letter) => starts.flatMap((start) => [start + letter, start + letter.toUpperCase()]),
    [''],
  )
}
