// Keys from the verifier's options: which tokens they verify, and that an invalid key throws at construction.

import { beforeAll, describe, expect, test } from 'vitest'
import { createPinnedKeys, createSharedKey } from '../../src/verify/keys/pinned.ts'
import { type LoadVerifier, loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { createVerifier, type KeyOptions } from '../../src/verify/verifier.ts'
import { createSigner, type Signer } from '../support/issuer.ts'
import { bearerOf, RULES, verdictOf } from '../support/mint.ts'

let es: Signer
let ed: Signer
let hs: Signer
let stranger: Signer

beforeAll(async () => {
  es = await createSigner('ES256')
  ed = await createSigner('EdDSA')
  hs = await createSigner('HS256')
  stranger = await createSigner('ES256', 'stranger')
})

const ask = (keys: KeyOptions, token: string): Promise<string> =>
  verdictOf(createVerifier({ ...RULES, ...keys }), bearerOf(token))

const bytesOf = ({ jwk }: Signer): Uint8Array => new Uint8Array(Buffer.from(jwk.k ?? '', 'base64url'))

describe('a JWK Set', () => {
  test('each key, also a symmetric one, verifies only tokens with its own kid', async () => {
    const jwks = { keys: [es.jwk, ed.jwk, hs.jwk] }
    for (const signer of [es, ed, hs]) {
      expect(await ask({ jwks }, await signer.token())).toBe('allowed')
      expect(await ask({ jwks }, await signer.token({}, { kid: 'other' }))).toBe('invalid_token')
      expect(await ask({ jwks }, await signer.token({}, { kid: undefined }))).toBe('invalid_token')
    }
    expect(await ask({ jwks }, await es.token({}, { kid: ed.kid }))).toBe('invalid_token')
    expect(await ask({ jwks }, await stranger.token({}, { kid: es.kid }))).toBe('invalid_token')
    expect(await ask({ jwks }, await stranger.token())).toBe('invalid_token')
  })

  test('the error names the key by its position, without key material', () => {
    const secret = Buffer.from('too short a secret').toString('base64url')
    const make = () =>
      createVerifier({ ...RULES, jwks: { keys: [es.jwk, { kty: 'oct', kid: 'k', k: secret }] } })
    expect(make).toThrow(new TypeError('jwks: key 2 is not at least 32 bytes in base64url'))
  })

  test('later changes of the options object have no effect', async () => {
    const keys = [{ ...es.jwk }]
    const verifier = createVerifier({ ...RULES, jwks: { keys } })
    Object.assign(keys[0] ?? {}, { x: stranger.jwk.x, y: stranger.jwk.y })
    keys.push({ ...stranger.jwk })
    expect(await verdictOf(verifier, bearerOf(await es.token()))).toBe('allowed')
    expect(await verdictOf(verifier, bearerOf(await stranger.token()))).toBe('invalid_token')
  })
})

describe('a secret', () => {
  test.each(['HS256-1', 'another', '', '../../x', '__proto__'])(
    'as bytes verifies tokens with the key id %j',
    async (kid) => {
      expect(await ask({ secret: bytesOf(hs) }, await hs.token({}, { kid }))).toBe('allowed')
      expect(await ask({ secret: new Uint8Array(32) }, await hs.token({}, { kid }))).toBe('invalid_token')
    },
  )

  test('as text is used as UTF-8 bytes', async () => {
    const text = 'ein Geheimnis mit Umlauten: äöüß'
    const { SignJWT, decodeJwt } = await import('jose')
    const token = await new SignJWT(decodeJwt(await hs.token()))
      .setProtectedHeader({ alg: 'HS256', kid: 'any', typ: 'at+jwt' })
      .sign(new TextEncoder().encode(text))
    expect(await ask({ secret: text }, token)).toBe('allowed')
    expect(await ask({ secret: text.normalize('NFD') }, token)).toBe('invalid_token')
  })

  test('as a JWK verifies only its own kid', async () => {
    expect(await ask({ secret: hs.jwk }, await hs.token())).toBe('allowed')
    expect(await ask({ secret: hs.jwk }, await hs.token({}, { kid: 'another' }))).toBe('invalid_token')
    expect(await ask({ secret: hs.jwk }, await hs.token({}, { kid: '' }))).toBe('invalid_token')
  })

  test('refuses tokens with another algorithm', async () => {
    for (const signer of [es, ed])
      expect(await ask({ secret: bytesOf(hs) }, await signer.token())).toBe('invalid_token')
  })

  test('later changes of the options object have no effect', async () => {
    const secret = bytesOf(hs)
    const verifier = createVerifier({ ...RULES, secret })
    secret.fill(0)
    expect(await verdictOf(verifier, bearerOf(await hs.token()))).toBe('allowed')
  })

  test.each<[string, () => unknown, string]>([
    ['too short', () => 'x'.repeat(31), 'secret: must have 32 bytes or more'],
    ['a number', () => 2 ** 200, 'secret: must be bytes, text, or a JWK of type oct'],
    ['null', () => null, 'secret: must be bytes, text, or a JWK of type oct'],
    [
      'an array of 16-bit numbers',
      () => new Uint16Array(32),
      'secret: must be bytes, text, or a JWK of type oct',
    ],
    ['a public JWK', () => es.jwk, 'secret: must be bytes, text, or a JWK of type oct'],
    ['a JWK without kid', () => ({ ...hs.jwk, kid: undefined }), 'secret: the JWK has no kid'],
    [
      'a JWK with a short k',
      () => ({ ...hs.jwk, k: 'AAAA' }),
      'secret: the JWK is not at least 32 bytes in base64url',
    ],
    [
      'a PEM text, which is not a secret',
      () => `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(64)}\n-----END PUBLIC KEY-----\n`,
      'secret: is a PEM text; give a public key as a JWK in jwks',
    ],
  ])('that is %s: a TypeError', (_, secret, message) => {
    expect(() => createVerifier({ ...RULES, secret: secret() as string })).toThrow(new TypeError(message))
  })
})

describe.each<[string, LoadVerifier]>([
  ['Node', loadVerifier],
  ['WebCrypto', loadWebVerifier],
])('loaded by %s', (name, load) => {
  test('a key stays the same object after its first use, also for concurrent requests', async () => {
    const keys = createPinnedKeys([es.jwk, ed.jwk], load)
    const found = await Promise.all([1, 2, 3].map(() => keys.get(es.kid) ?? keys.load?.(es.kid)))
    expect(new Set(found).size).toBe(1)
    expect(found[0]).toMatchObject({ kid: es.kid, alg: 'ES256' })
    expect(keys.get(es.kid)).toBe(found[0])
    expect(await keys.load?.('x')).toBeUndefined()
    await expect.poll(() => keys.get(ed.kid)).toMatchObject({ alg: 'EdDSA' })
  })

  test(`a set and a secret are ${name === 'Node' ? 'ready synchronously' : 'ready once load has resolved'}`, async () => {
    const [set, secret] = [createPinnedKeys([es.jwk], load), createSharedKey(bytesOf(hs), load)]
    expect(set.get(es.kid) !== undefined).toBe(name === 'Node')
    expect(await set.load?.(es.kid)).toMatchObject({ kid: es.kid })
    expect(await secret.load?.('whatever')).toMatchObject({ alg: 'HS256' })
    expect(secret.get('another')).toBe(secret.get('whatever'))
  })
})

test('a key that cannot be imported is unavailable, and nothing throws', async () => {
  const keys = createPinnedKeys([es.jwk], () => Promise.reject(new Error('no such curve here')))
  expect(await keys.load?.(es.kid)).toBe('unavailable')
  expect(keys.get(es.kid)).toBeUndefined()
})
