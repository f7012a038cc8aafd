// Attacks on the signature, on verifiers with pinned keys: other encodings of a valid signature, public keys used as shared
// secrets, keys that the token itself names, and tokens of other algorithms under a shared secret.

import { createHmac, createPublicKey, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier } from '../../src/verify/verifier.ts'
import { base64url, partsOf } from '../support/forge.ts'
import { ALGS, bearerOf, createJudge, createMint, RULES, verdictOf } from '../support/mint.ts'

describe.each(['ES256', 'EdDSA'] as const)('%s: the public key used as a shared secret', (alg) => {
  const mint = createMint(alg)
  const key = createPublicKey(mint.key)
  const pem = key.export({ type: 'spki', format: 'pem' }).toString()
  const der = key.export({ type: 'spki', format: 'der' })
  const { kid, ...jwk } = mint.jwk
  const secrets: readonly (readonly [string, string | Buffer])[] = [
    ['PEM', pem],
    ['PEM without its last newline', pem.trimEnd()],
    ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
    ['PEM without its BEGIN and END lines', pem.replaceAll(/-----.*-----|\n/g, '')],
    ['DER', der],
    ['the raw point', der.subarray(alg === 'ES256' ? -65 : -32)],
    ['the raw point without its prefix', der.subarray(alg === 'ES256' ? -64 : -32)],
    ['x in base64url', mint.jwk.x ?? ''],
    ['x in bytes', Buffer.from(mint.jwk.x ?? '', 'base64url')],
    ['JWK', JSON.stringify(jwk)],
    ['JWK with kid', JSON.stringify(mint.jwk)],
    ['JWK Set', JSON.stringify({ keys: [mint.jwk] })],
    ['kid', kid],
    ['the empty text', ''],
  ]

  test.each(secrets)('%s', async (_, secret) => {
    const judge = createJudge(mint)
    for (const named of ['HS256', alg]) {
      const input = `${base64url(mint.header({ alg: named }))}.${base64url(mint.payload())}`
      const mac = createHmac('sha256', secret).update(input).digest()
      for (const bytes of [mac, Buffer.concat([mac, mac])]) {
        expect(await judge(`${input}.${base64url(bytes)}`)).toBe('invalid_token')
      }
    }
  })
})

describe('ES256: other encodings of a valid signature', () => {
  const mint = createMint('ES256')
  const judge = createJudge(mint)
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
  const toInteger = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

  test.each<[string, (input: string) => Uint8Array]>([
    ['DER', (input) => sign('sha256', Buffer.from(input), mint.key)],
    [
      'DER filled up or cut to 64 bytes',
      (input) => {
        const der = sign('sha256', Buffer.from(input), mint.key)
        return Buffer.concat([der, Buffer.alloc(64)]).subarray(0, 64)
      },
    ],
    [
      'over another hash',
      (input) => sign('sha384', Buffer.from(input), { key: mint.key, dsaEncoding: 'ieee-p1363' }),
    ],
    [
      'each integer with a leading zero',
      (input) => {
        const bytes = mint.sign(input)
        return Buffer.concat([Buffer.alloc(1), bytes.subarray(0, 32), Buffer.alloc(1), bytes.subarray(32)])
      },
    ],
    ['r and s equal to the order of the curve', () => Buffer.concat([toBytes(order), toBytes(order)])],
  ])('%s is refused', async (_, signer) => {
    const input = `${base64url(mint.header())}.${base64url(mint.payload())}`
    expect(await judge(`${input}.${base64url(signer(input))}`)).toBe('invalid_token')
  })

  // ECDSA accepts both signatures, and issuers may write either. So revoking one token must revoke both.
  test('(r, n - s) has the same jti, so revoking one revokes both', async () => {
    const token = mint.token()
    const [header, payload, signature] = partsOf(token)
    const bytes = Buffer.from(signature, 'base64url')
    const s = toBytes(order - toInteger(bytes.subarray(32)))
    const twin = `${header}.${payload}.${base64url(Buffer.concat([bytes.subarray(0, 32), s]))}`
    expect(twin).not.toBe(token)

    const revoked = new Set<string>()
    const verifier = createVerifier({
      ...RULES,
      jwks: { keys: [mint.jwk] },
      revocation: ({ jti }) => revoked.has(jti),
    })
    const [one, other] = [await verifier.verify(bearerOf(token)), await verifier.verify(bearerOf(twin))]
    expect(other).toEqual(one)
    revoked.add(one.jti)
    expect(await verdictOf(verifier, bearerOf(token))).toBe('token_revoked')
    expect(await verdictOf(verifier, bearerOf(twin))).toBe('token_revoked')
  })
})

test('EdDSA: S + L in place of S is refused', async () => {
  const mint = createMint('EdDSA')
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const [header, payload, signature] = partsOf(mint.token())
  const bytes = Buffer.from(signature, 'base64url')
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`)
  for (const factor of [1n, 2n, 8n]) {
    const more = Buffer.from((s + factor * order).toString(16).padStart(64, '0'), 'hex').reverse()
    const token = `${header}.${payload}.${base64url(Buffer.concat([bytes.subarray(0, 32), more]))}`
    expect(await createJudge(mint)(token)).toBe('invalid_token')
  }
})

describe('a token that names the URL of its key', () => {
  let connections = 0
  let server: Server
  let url = ''
  const forger = createMint('ES256')
  beforeAll(async () => {
    server = createServer((_, response) => response.end(JSON.stringify({ keys: [forger.jwk] })))
    server.on('connection', () => {
      connections += 1
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  })
  afterAll(() => server.close())

  test.each(ALGS)('%s: the URL is never requested', async (alg) => {
    const mint = createMint(alg)
    const judge = createJudge(mint)
    for (const name of ['jku', 'x5u', 'jwks_uri', 'iss', 'kid']) {
      const token = forger.compact(forger.header({ [name]: url, alg: 'ES256' }), forger.payload({ iss: url }))
      expect(await judge(token)).toBe('invalid_token')
    }
    // Such a header member alone is not an error: the pinned key decides.
    expect(await judge(mint.token({}, { jku: url, x5u: url }))).toBe('allowed')
    expect(connections).toBe(0)
  })

  test('the server answers at that URL, so that the tests above can fail', async () => {
    await (await fetch(url)).text()
    expect(connections).toBe(1)
  })
})

describe('a shared secret', () => {
  const mint = createMint('HS256')
  const bytes = new Uint8Array(mint.key.export())

  test('as bytes accepts any kid and none, as a JWK only its own', async () => {
    const byBytes = createVerifier({ ...RULES, secret: bytes })
    const byJwk = createVerifier({ ...RULES, secret: mint.jwk })
    for (const [kid, isOwn] of [
      [mint.kid, true],
      ['other', false],
      ['__proto__', false],
      [undefined, false],
    ] as const) {
      const token = mint.token({}, { kid })
      expect(await verdictOf(byBytes, bearerOf(token)), String(kid)).toBe('allowed')
      expect(await verdictOf(byJwk, bearerOf(token)), String(kid)).toBe(isOwn ? 'allowed' : 'invalid_token')
    }
    for (const kid of [null, 1, [mint.kid]]) {
      expect(await verdictOf(byBytes, bearerOf(mint.token({}, { kid })))).toBe('invalid_token')
    }
  })

  test.each(['ES256', 'EdDSA'] as const)('refuses %s tokens', async (alg) => {
    const forged = createMint(alg)
    const verifier = createVerifier({ ...RULES, secret: bytes })
    expect(await verdictOf(verifier, bearerOf(forged.token()))).toBe('invalid_token')
    expect(await verdictOf(verifier, bearerOf(forged.token({}, { jwk: forged.jwk })))).toBe('invalid_token')
  })

  test('is copied, so later changes of the bytes have no effect', async () => {
    const mutable = Uint8Array.from(bytes)
    const verifier = createVerifier({ ...RULES, secret: mutable })
    mutable.fill(0)
    expect(await verdictOf(verifier, bearerOf(mint.token()))).toBe('allowed')
  })
})
