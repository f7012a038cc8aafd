// private_key_jwt as tables: each claim missing, wrong or unusual, and forged assertions.

import { generateKeyPairSync, sign as signRaw } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  askBy,
  createKeyClient,
  hmacSigned,
  type KeyClient,
  type OAuthService,
  startOAuth,
} from '../support/oauth-service.ts'
import { expectRefusal } from '../support/oauth-wire.ts'

/** The time, on a whole second so that the limits below are exact. */
const NOW = Math.floor(Date.now() / 1000)
/** A key that signs any bytes. Its public key is one of two that `client` has registered. */
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const textKid = 'text-key'
let world: OAuthService
let client: KeyClient
let other: KeyClient
beforeAll(async () => {
  world = await startOAuth({ CLAIMGATE_RATE_LIMIT: 'off' }, { now: () => NOW * 1000 })
  client = await createKeyClient(world, {
    others: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: textKid }],
  })
  other = await createKeyClient(world)
})
afterAll(() => world.stop())

async function expectAccepted(assertion: string): Promise<void> {
  const answer = await askBy(world, assertion)
  expect(answer.status, answer.text).toBe(200)
}

async function expectRefused(assertion: string): Promise<void> {
  const used = world.uses.length
  expectRefusal(await askBy(world, assertion), 401, 'invalid_client', world)
  expect(world.uses.length).toBe(used)
}

type Change = Record<string, unknown>
/** In place of a value: this text, written into the JSON as it is. */
const raw = (text: string) => ({ raw: text })

describe('claims', () => {
  const good: readonly (readonly [rule: string, change: () => Change])[] = [
    ['as libraries make them', () => ({ nbf: NOW })],
    ['the issuer as audience', () => ({ aud: world.issuer })],
    ['the token endpoint as audience', () => ({ aud: `${world.issuer}/oauth/token` })],
    ['an audience in an array', () => ({ aud: [world.issuer] })],
    ['one audience of several', () => ({ aud: ['https://other.example', `${world.issuer}/oauth/token`] })],
    ['no iat', () => ({ iat: undefined })],
    ['a lifetime of five minutes', () => ({ exp: NOW + 300 })],
    [
      'no iat, and an exp that is five minutes plus the clock tolerance from now',
      () => ({ iat: undefined, exp: NOW + 305 }),
    ],
    ['one second before it expires', () => ({ exp: NOW + 1 })],
    ['fractions of seconds', () => ({ iat: NOW - 0.5, exp: NOW + 0.25 })],
    ['iat within the tolerance', () => ({ iat: NOW + 5 })],
    ['nbf within the tolerance', () => ({ nbf: NOW + 5 })],
    ['a jti of one character', () => ({ jti: 'x' })],
    ['a jti of 256 characters', () => ({ jti: 'x'.repeat(256) })],
    ['additional claims', () => ({ scope: 'admin', client_id: 'x', cnf: {} })],
  ]
  test.each(good)('accepted: %s', async (_, change) => expectAccepted(await client.sign(change())))

  const bad: readonly (readonly [rule: string, change: () => Change])[] = [
    ...['iss', 'sub', 'aud', 'exp', 'jti'].flatMap((name) =>
      [undefined, null, '', 0, 1, true, {}, [], [null], 'x ']
        .map((value) => [`${name}: ${JSON.stringify(value)}`, () => ({ [name]: value })] as const)
        .filter(([rule]) => rule !== 'jti: "x "'),
    ),
    ...['iat', 'nbf'].flatMap((name) =>
      [null, '', String(NOW), true, {}, [], [NOW]].map(
        (value) => [`${name}: ${JSON.stringify(value)}`, () => ({ [name]: value })] as const,
      ),
    ),
    ['iss of another client', () => ({ iss: other.clientId })],
    ['sub of another client', () => ({ sub: other.clientId })],
    ['iss and sub of another client', () => ({ iss: other.clientId, sub: other.clientId })],
    ['iss and sub of a client with a secret', () => ({ iss: world.clientId, sub: world.clientId })],
    ['iss and sub of an unknown client', () => ({ iss: 'nobody', sub: 'nobody' })],
    ['iss and sub in an array', () => ({ iss: [client.clientId], sub: [client.clientId] })],
    ['sub that a database may not accept', () => ({ iss: '\ud800\0', sub: '\ud800\0' })],
    ['iss is the account', () => ({ iss: world.accountId })],
    ['aud of another service', () => ({ aud: 'https://other.example' })],
    ['aud with a slash after it', () => ({ aud: `${world.issuer}/` })],
    ['aud is another endpoint', () => ({ aud: `${world.issuer}/oauth/revoke` })],
    ['aud beginning with the issuer', () => ({ aud: `${world.issuer}.evil.example` })],
    ['aud is the path alone', () => ({ aud: '/oauth/token' })],
    ['aud in another case', () => ({ aud: world.issuer.toUpperCase() })],
    ['aud is an object', () => ({ aud: { 0: world.issuer } })],
    ['aud nested', () => ({ aud: [[world.issuer]] })],
    ['aud as a list in a text', () => ({ aud: `${world.issuer} https://other.example` })],
    ['expired at this moment', () => ({ exp: NOW })],
    ['expired, within the clock tolerance', () => ({ iat: NOW - 60, exp: NOW - 1 })],
    ['expired an hour ago', () => ({ iat: NOW - 7200, exp: NOW - 3600 })],
    ['a lifetime of more than five minutes', () => ({ exp: NOW + 301 })],
    ['a lifetime of more than five minutes, most of it over', () => ({ iat: NOW - 290, exp: NOW + 60 })],
    ['no iat, exp more than six minutes ahead', () => ({ iat: undefined, exp: NOW + 361 })],
    ['a lifetime of ten minutes', () => ({ exp: NOW + 600 })],
    ['milliseconds for seconds', () => ({ iat: undefined, exp: (NOW + 60) * 1000 })],
    ['exp as text', () => ({ exp: String(NOW + 60) })],
    ['iat beyond the tolerance', () => ({ iat: NOW + 6, exp: NOW + 60 })],
    ['nbf beyond the tolerance', () => ({ nbf: NOW + 6 })],
    ['iat after exp', () => ({ iat: NOW + 61 })],
    ['a jti of 257 characters', () => ({ jti: 'x'.repeat(257) })],
    ['a jti in an array', () => ({ jti: ['x'] })],
  ]
  test.each(bad)('refused: %s', async (_, change) => expectRefused(await client.sign(change())))

  test.each([
    ['exp', raw('1e400')],
    ['iat', raw('-1e400')],
    ['nbf', raw('-1e400')],
    ['iat', raw('1e400')],
  ])('refused: %s %j', async (name, { raw: text }) => {
    const payload = JSON.stringify({ ...client.claims(), [name]: 0 })
    await expectRefused(signedText(payload.replace(`"${name}":0`, `"${name}":${text}`)))
  })

  test('refused: a name twice', async () => {
    const payload = JSON.stringify(client.claims())
    await expectRefused(signedText(payload.replace('{', `{"sub":"${other.clientId}",`)))
    await expectRefused(signedText(payload.replace('{', `{"sub":"${client.clientId}",`)))
  })

  test.each(['[]', '"x"', 'null', '1', '{', '', '\ufeff{}'])('refused: the payload %j', (payload) =>
    expectRefused(signedText(payload)),
  )
})

/** An assertion of the main client with any payload text and a valid signature. */
function signedText(payload: string | Uint8Array, header: object = {}): string {
  const head = JSON.stringify({ alg: 'ES256', kid: textKid, ...header })
  const input = [head, payload].map((part) => Buffer.from(part).toString('base64url')).join('.')
  const key = { key: pair.privateKey, dsaEncoding: 'ieee-p1363' } as const
  return `${input}.${signRaw('sha256', Buffer.from(input), key).toString('base64url')}`
}

describe('format and header', () => {
  const text = (header: object = {}) => signedText(JSON.stringify(client.claims()), header)

  test.each([
    [{}],
    [{ typ: 'JWT' }],
    [{ typ: 'jwt' }],
    [{ typ: 'client-authentication+jwt' }],
    [{ typ: 'application/client-authentication+jwt' }],
    [{ jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }],
  ])('accepted: %j', (header) => expectAccepted(text(header)))

  test.each([
    [{ typ: 'at+jwt' }],
    [{ typ: 'dpop+jwt' }],
    [{ typ: 'secevent+jwt' }],
    [{ typ: '' }],
    [{ typ: null }],
    [{ typ: ['JWT'] }],
    [{ crit: ['exp'] }],
    [{ crit: [] }],
    [{ b64: true }],
    [{ b64: false }],
    [{ kid: null }],
    [{ kid: 1 }],
    [{ kid: '' }],
    [{ kid: 'unknown' }],
    [{ kid: '__proto__' }],
    [{ kid: '../k1' }],
    [{ kid: `${textKid}\r\n` }],
    [{ kid: 'k1' }],
    [{ alg: 'none' }],
    [{ alg: 'es256' }],
    [{ alg: 'ES384' }],
    [{ alg: 'EdDSA' }],
    [{ alg: 'Ed25519' }],
    [{ alg: 'HS256' }],
    [{ alg: 'RS256' }],
    [{ alg: ['ES256'] }],
    [{ alg: null }],
    [{ alg: 'ES256\0' }],
    [{ alg: '__proto__' }],
  ])('refused: %j', (header) => expectRefused(text(header)))

  test.each<[string, (parts: readonly [string, string, string]) => string]>([
    ['garbage', () => 'garbage'],
    ['dots', () => '..'],
    ['two parts', ([head, body]) => `${head}.${body}`],
    ['no signature', ([head, body]) => `${head}.${body}.`],
    ['four parts', ([head, body, signature]) => `${head}.${body}.${signature}.${signature}`],
    ['five parts', ([head, body, signature]) => `${head}.${body}.${signature}.${head}.${body}`],
    ['padding', ([head, body, signature]) => `${head}.${body}.${signature}==`],
    ['a newline at the end', ([head, body, signature]) => `${head}.${body}.${signature}\n`],
    ['a blank before it', ([head, body, signature]) => ` ${head}.${body}.${signature}`],
    [
      'unused bits',
      ([head, body, signature]) =>
        `${head}.${body}.${signature.slice(0, -1)}${String.fromCharCode(signature.charCodeAt(85) + 1)}`,
    ],
    ['a signature of zeros', ([head, body]) => `${head}.${body}.${'A'.repeat(86)}`],
    ['a short signature', ([head, body, signature]) => `${head}.${body}.${signature.slice(0, 84)}`],
    [
      'another payload',
      ([head, , signature]) =>
        `${head}.${Buffer.from(JSON.stringify({ ...client.claims(), jti: 'z' })).toString('base64url')}.${signature}`,
    ],
    [
      'JSON serialisation',
      ([head, body, signature]) => JSON.stringify({ protected: head, payload: body, signature }),
    ],
  ])('refused: %s', async (_, change) => {
    await expectRefused(change(text().split('.') as [string, string, string]))
  })

  test('refused: bytes that are not UTF-8', () => expectRefused(signedText(Buffer.from([0x7b, 0xff, 0x7d]))))
})

describe('keys', () => {
  const publicForms = (jwk: { x: string; y: string }): readonly (readonly [string, string | Buffer])[] => {
    const key = pair.publicKey
    const pem = String(key.export({ type: 'spki', format: 'pem' }))
    return [
      ['PEM', pem],
      ['PEM without its newline', pem.trimEnd()],
      ['DER', key.export({ type: 'spki', format: 'der' })],
      ['JWK', JSON.stringify(jwk)],
      ['x', Buffer.from(jwk.x, 'base64url')],
      ['point', Buffer.from(`04${Buffer.from(jwk.x + jwk.y, 'base64url').toString('hex')}`, 'hex')],
      ['nothing', ''],
    ]
  }
  test('refused: the public key used as a shared secret, in every encoding', async () => {
    for (const [, secret] of publicForms(pair.publicKey.export({ format: 'jwk' }) as never)) {
      for (const header of [{ alg: 'HS256', kid: textKid }, { alg: 'HS256' }]) {
        await expectRefused(hmacSigned(header, JSON.stringify(client.claims()), secret))
      }
    }
  })

  test('refused: signed with the key of another client, under the kid of this one', async () => {
    const mallory = await createKeyClient(world, { kid: 'k1' })
    const name = { iss: client.clientId, sub: client.clientId }
    await expectRefused(await mallory.sign(name))
    await expectRefused(await mallory.sign(name, { kid: undefined }))
    await expectRefused(await mallory.sign(name, { jwk: mallory.jwk }))
    await expectRefused(await mallory.sign(name, { kid: undefined, jwk: mallory.jwk }))
  })

  test.each(['ES256', 'EdDSA', 'Ed25519'] as const)('accepted: %s, with and without a kid', async (alg) => {
    const own = await createKeyClient(world, { alg })
    await expectAccepted(await own.sign())
    await expectAccepted(await own.sign({}, { kid: undefined }))
  })

  test('EdDSA and Ed25519 are one algorithm, whichever the key names', async () => {
    for (const alg of ['EdDSA', 'Ed25519'] as const) {
      const own = await createKeyClient(world, { alg })
      await expectAccepted(await own.sign({}, { alg: 'EdDSA' }))
      await expectAccepted(await own.sign({}, { alg: 'Ed25519' }))
    }
  })

  test('without a kid every key of the type is tried', async () => {
    const others = [client.jwk, other.jwk, (await createKeyClient(world, { alg: 'EdDSA', kid: 'e' })).jwk]
    for (const alg of ['ES256', 'EdDSA'] as const) {
      const own = await createKeyClient(world, {
        alg,
        kid: 'own',
        others: others.map((jwk, at) => ({ ...jwk, kid: `o${at}` })),
      })
      await expectAccepted(await own.sign({}, { kid: undefined }))
      await expectAccepted(await own.sign())
      await expectRefused(await own.sign({}, { kid: 'o0' }))
    }
  })

  test('a key registered without a kid matches every kid', async () => {
    const own = await createKeyClient(world, { kid: null })
    await expectAccepted(await own.sign())
    await expectAccepted(await own.sign({}, { kid: 'whatever' }))
  })

  test.each(['', '{}', '{"keys":[]}', '{"keys":[null,1,"x"]}', '{"keys":{}}', '[]', 'garbage'])(
    'registered keys that are %j authenticate no client',
    async (jwks) => {
      const own = await createKeyClient(world, { credential: { jwks } })
      await expectRefused(await own.sign())
      await expectRefused(await own.sign({}, { kid: undefined }))
    },
  )
})
