// GET /auth/whoami refuses tokens with a valid signature and an invalid header or claims. It also refuses other types of
// tokens, other algorithms and other encodings of a signature.

import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bare, base64url, type Forging, headerOf, partsOf, startForging } from '../support/forge.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

let forging: Forging

describe('a token with a valid signature', () => {
  beforeAll(async () => {
    forging = await startForging('ES256')
  })
  afterAll(() => forging.world.stop())

  const es256 = (input: string): Buffer =>
    sign('sha256', Buffer.from(input), { key: forging.key, dsaEncoding: 'ieee-p1363' })
  /** A token with a valid signature over this header and payload. */
  const compact = (header: string | Uint8Array, payload: string | Uint8Array): string => {
    const input = `${base64url(header)}.${base64url(payload)}`
    return `${input}.${base64url(es256(input))}`
  }
  const withHeader = (members: Json) =>
    compact(JSON.stringify({ ...headerOf(forging.fresh), ...members }), payloadText())
  const payloadText = (members: Json = {}) => JSON.stringify({ ...payloadOf(forging.fresh), ...members })
  const withPayload = (text: string | Uint8Array) => compact(JSON.stringify(headerOf(forging.fresh)), text)

  test('and valid claims is accepted, so that the tests below can fail', async () => {
    expect(
      (await forging.present(compact(JSON.stringify(headerOf(forging.fresh)), payloadText()))).status,
    ).toBe(200)
    expect((await forging.present(signedBy(es256))).status).toBe(200)
    expect((await forging.present(withHeader({ typ: 'Application/AT+JWT' }))).status).toBe(200)
    expect(
      (await forging.present(await forging.service.deps.keyRing.sign(payloadText({ ip: ['127.0.0.1'] }))))
        .status,
    ).toBe(200)
  })

  const now = Math.floor(Date.now() / 1000)
  const noText: readonly Json[] = [null, '', 1, true, [], {}]
  const noNumber: readonly Json[] = [null, '', '1', true, [], [1], {}]
  const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
  const wrong: Readonly<Record<string, readonly Json[]>> = {
    iss: [undefined, ...noText, ['http://127.0.0.1:8787'], 'https://other.example', 'http://127.0.0.1:8787/'],
    aud: [
      undefined,
      ...noText,
      [''],
      [1],
      ['http://127.0.0.1:8787', null],
      ['https://other.example'],
      'http://127.0.0.1',
    ],
    sub: [undefined, ...noText, ['acct_1']],
    client_id: [undefined, ...noText, ['id']],
    jti: [undefined, ...noText, ['id']],
    iat: [undefined, ...noNumber, now + 3600],
    exp: [undefined, ...noNumber, 0, -1, now - 3600],
    nbf: [...noNumber, now + 3600],
    scope: [null, 1, true, [], ['read'], {}, 'a"b', 'a\\b', 'a\tb', 'ä'],
    origin: [
      null,
      '',
      1,
      true,
      [],
      [SITE],
      {},
      '*',
      'null',
      `${SITE}/`,
      `${SITE}:443`,
      ` ${SITE}`,
      SITE.toUpperCase(),
      `${SITE},${SITE}`,
    ],
    ip: [
      ...[
        null,
        false,
        true,
        0,
        '',
        [],
        [''],
        [null],
        [1],
        {},
        '*',
        '0.0.0.0/0',
        '::/0',
        '127.0.0.1/8',
        '127.0.0.1/32',
      ],
      ...[
        '127.0.0.01',
        ' 127.0.0.1',
        '127.0.0.1,10.0.0.1',
        '::ffff:127.0.0.1',
        ['127.0.0.1', ''],
        ['127.0.0.1', 7],
      ],
    ],
    cnf: [
      ...[null, '', jkt, 1, true, [], [{ jkt }], {}, { jkt: '' }, { jkt: null }, { jkt: 1 }, { jkt: [jkt] }],
      ...[{ jkt: `${jkt}A` }, { jkt: `${jkt.slice(0, -1)}t` }, { jkt, jwk: {} }, { jwk: {} }, { kid: 'x' }],
      { 'x5t#S256': jkt },
    ],
  }
  test.each(
    Object.entries(wrong).flatMap(([name, values]) =>
      values.map((value) => [name, JSON.stringify(value) ?? 'absent', value] as const),
    ),
  )('is refused with %s %s', async (name, _, value) => {
    const answer = await forging.present(
      await forging.service.deps.keyRing.sign(payloadText({ [name]: value })),
    )
    expect(`${answer.status} ${answer.json().error}`).toBe('401 invalid_token')
  })

  test('is refused with any claim of a wrong type', async () => {
    const isRight = (name: string, value: Json): boolean => {
      if (name === 'iat' || name === 'exp') return typeof value === 'number'
      if (name === 'aud') return [value].flat().includes(forging.world.issuer)
      return (
        value === payloadOf(forging.fresh)[name] ||
        (typeof value === 'string' && /^(sub|client_id|jti)$/.test(name))
      )
    }
    const names = fc.constantFrom(...Object.keys(wrong).filter((name) => name !== 'nbf' && name !== 'scope'))
    await fc.assert(
      fc.asyncProperty(names, fc.jsonValue(), async (name, value) => {
        fc.pre(!isRight(name, value))
        expect((await forging.present(withPayload(payloadText({ [name]: value })))).status).toBe(401)
      }),
      { numRuns: 500 },
    )
  })

  /** A payload's text without its last brace, to add members that JSON.stringify cannot write. */
  const open = () => payloadText().slice(0, -1)
  const without = (name: string) => payloadText({ [name]: undefined }).slice(0, -1)
  test.each<[string, () => string | Uint8Array]>([
    ['exp of +Infinity', () => `${without('exp')},"exp":1e400}`],
    ['exp of -Infinity', () => `${without('exp')},"exp":-1e400}`],
    ['iat of +Infinity', () => `${without('iat')},"iat":1e400}`],
    ['iat of -Infinity', () => `${without('iat')},"iat":-1e400}`],
    ['nbf of -Infinity', () => `${open()},"nbf":-1e400}`],
    ['nbf of +Infinity', () => `${open()},"nbf":1e400}`],
    ['exp equal to iat', () => payloadText({ exp: now + 100, iat: now + 100 })],
    ['exp before iat', () => payloadText({ exp: now + 3, iat: now + 4 })],
    ['a name twice', () => `${open()},"origin":"${SITE}"}`],
    ['a name twice, first', () => `{"origin":"https://evil.example",${payloadText().slice(1)}`],
    ['a name twice, escaped', () => `${open()},"or\\u0069gin":"${SITE}"}`],
    ['a name twice, unknown', () => `${open()},"x":1,"x":1}`],
    ['a name twice, deeper', () => `${open()},"x":[{"y":{"z":1,"z":1}}]}`],
    ['__proto__ twice', () => `${open()},"__proto__":1,"__proto__":1}`],
    ['a claim by way of __proto__', () => `${without('iss')},"__proto__":{"iss":"http://127.0.0.1:8787"}}`],
    ['a byte order mark', () => `\ufeff${payloadText()}`],
    ['invalid UTF-8', () => Buffer.from(`${open()},"x":"\xff"}`, 'latin1')],
    ['an overlong encoding', () => Buffer.from(`${open()},"x":"\xc0\x80"}`, 'latin1')],
    ['UTF-16', () => Buffer.from(payloadText(), 'utf16le')],
    ['text after the object', () => `${payloadText()}x`],
    ['two objects', () => payloadText() + payloadText()],
    ['no object', () => '1'],
    ['null', () => 'null'],
    ['a text', () => '"x"'],
    ['an array', () => `[${payloadText()}]`],
    ['a comment', () => `${open()}/**/}`],
    ['a trailing comma', () => `${open()},}`],
    ['more than 4096 characters', () => payloadText({ x: 'x'.repeat(4096) })],
  ])('is refused with a payload that has %s', async (_, payload) => {
    const answer = await forging.present(withPayload(payload()))
    expect(`${answer.status} ${answer.json().error}`).toBe('401 invalid_token')
  })

  test.each<[string, () => string]>([
    ['exp past the last date of JavaScript', () => payloadText({ exp: 8.64e12 + 1 })],
    ['exp the largest number', () => payloadText({ exp: Number.MAX_VALUE })],
    ['iat the smallest number', () => payloadText({ iat: -Number.MAX_VALUE })],
    ['fractions of seconds', () => payloadText({ exp: now + 60.5, iat: now - 0.5 })],
    ['deep nesting', () => `${open()},"x":${'['.repeat(1200)}${']'.repeat(1200)}}`],
  ])('causes no 5xx with a payload that is unusual and may be valid: %s', async (_, payload) => {
    await forging.present(withPayload(payload()))
  })

  test.each<[string, string | (() => Uint8Array | string)]>([
    ['JWT', '{"typ":"JWT"}'],
    ['no typ', '{"typ":null}'],
    ['an ID token', '{"typ":"id+jwt"}'],
    ['a DPoP proof, with all claims of a token', '{"typ":"dpop+jwt"}'],
    ['a list of types', '{"typ":["at+jwt"]}'],
    ['crit', '{"crit":["exp"]}'],
    ['an empty crit', '{"crit":[]}'],
    ['b64', '{"b64":true}'],
    ['alg none', '{"alg":"none"}'],
    ['alg in lower case', '{"alg":"es256"}'],
    ['alg with NUL', '{"alg":"ES256\\u0000"}'],
    ['alg as a list', '{"alg":["ES256"]}'],
    ['another alg', '{"alg":"HS256"}'],
    ['no alg', '{"alg":null}'],
    ['an unknown kid', '{"kid":"x"}'],
    ['kid __proto__', '{"kid":"__proto__"}'],
    ['a traversing kid', '{"kid":"../keys/x"}'],
    ['a numeric kid', '{"kid":1}'],
    ['a kid with CRLF', '{"kid":"x\\r\\ny"}'],
    ['no kid', '{"kid":null}'],
    ['a name twice', () => `${JSON.stringify(headerOf(forging.fresh)).slice(0, -1)},"alg":"ES256"}`],
    ['a byte order mark', () => `\ufeff${JSON.stringify(headerOf(forging.fresh))}`],
    [
      'invalid UTF-8',
      () => Buffer.from(`${JSON.stringify(headerOf(forging.fresh)).slice(0, -1)},"x":"\xff"}`, 'latin1'),
    ],
    ['an array', () => '[]'],
  ])('gets the same answer as garbage when its header has %s', async (_, header) => {
    const token =
      typeof header === 'string' ? withHeader(JSON.parse(header)) : compact(header(), payloadText())
    expect(bare(await forging.present(token))).toBe(forging.garbage)
  })

  test.each<[string, () => string]>([
    ['a DPoP proof', () => dpopProof()],
    [
      'alg none without signature',
      () =>
        `${base64url(JSON.stringify({ ...headerOf(forging.fresh), alg: 'none' }))}.${partsOf(forging.fresh)[1]}.`,
    ],
    ['a signature of zeros', () => signedBy(() => Buffer.alloc(64))],
    ['a signature in DER', () => signedBy((input) => sign('sha256', Buffer.from(input), forging.key))],
    ['halves of a signature swapped', () => signedBy((input) => swap(es256(input)))],
    ['a signature of 63 bytes', () => signedBy((input) => es256(input).subarray(0, 63))],
    ['a signature of 65 bytes', () => signedBy((input) => Buffer.concat([es256(input), Buffer.alloc(1)]))],
    ...(['pem', 'der', 'jwk', 'point'] as const).map((form): [string, () => string] => [
      `HS256 with the public key (${form}) as secret`,
      () =>
        signedBy((input) => createHmac('sha256', publicKey(form)).update(input).digest(), { alg: 'HS256' }),
    ]),
    [
      'the parts of two tokens',
      () => `${partsOf(forging.fresh)[0]}.${partsOf(forging.known)[1]}.${partsOf(forging.fresh)[2]}`,
    ],
  ])('cannot be replaced by other bytes, which get the same answer as garbage: %s', async (_, token) => {
    expect(bare(await forging.present(token()))).toBe(forging.garbage)
  })

  test('cannot be replaced by an account token, which is told so by its form, whether its secret is right or wrong', async () => {
    const right = bare(await forging.present(forging.world.token))
    expect(right).toContain('account token')
    expect(right).toContain('401')
    expect(bare(await forging.present(forging.world.wrong))).toBe(right)
  })

  /** Header and payload of a valid token, signed by `signer`. `members` are added to the header. */
  function signedBy(signer: (input: string) => Uint8Array, members: Json = {}): string {
    const input = `${base64url(JSON.stringify({ ...headerOf(forging.fresh), ...members }))}.${partsOf(forging.fresh)[1]}`
    return `${input}.${base64url(signer(input))}`
  }

  /** A valid DPoP proof (RFC 9449 section 4.2) by a new key. */
  function dpopProof(): string {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) }
    const payload = { jti: 'x', htm: 'GET', htu: `${forging.world.issuer}/auth/whoami`, iat: now }
    const input = [header, payload].map((part) => base64url(JSON.stringify(part))).join('.')
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${base64url(signature)}`
  }

  function swap(signature: Buffer): Buffer {
    return Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])
  }

  function publicKey(form: 'pem' | 'der' | 'jwk' | 'point'): string | Buffer {
    const key = createPublicKey(forging.key)
    if (form === 'jwk') return JSON.stringify(key.export({ format: 'jwk' }))
    if (form === 'pem') return key.export({ type: 'spki', format: 'pem' })
    const der = key.export({ type: 'spki', format: 'der' })
    return form === 'der' ? der : der.subarray(-65)
  }
})
