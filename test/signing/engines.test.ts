// Both engines behave the same: each verifies what the other signs, and both refuse the same bad signatures.

import { base64url, calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import type { CryptoEngine } from '../../src/signing/engine.ts'
import { verificationJwk } from '../../src/signing/key-set.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'
import { webCryptoEngine } from '../../src/signing/webcrypto.ts'
import { type LoadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { loadNodeVerifier } from '../../src/verify/runtime/node-crypto.ts'

type Engine = CryptoEngine & { readonly loadVerifier: LoadVerifier }

const engines: readonly (readonly [string, Engine])[] = [
  ['node', { ...nodeCryptoEngine, loadVerifier: loadNodeVerifier as LoadVerifier }],
  ['webcrypto', { ...webCryptoEngine, loadVerifier: loadWebVerifier }],
]
const payload = JSON.stringify({ hello: 'wörld' })

describe.each(['ES256', 'EdDSA', 'HS256'] as const)('%s', (alg) => {
  test.each(engines)('a token signed by %s is verified by both', async (_, engine) => {
    const key = await createSigningKey(alg, 'current', 0)
    const sign = await engine.loadSigner(key.jwk, alg, key.kid)
    for (const [, other] of engines) {
      const verify = await other.loadVerifier(verificationJwk(key), alg)
      // Repeated so that some signatures contain integers with leading zeros.
      for (let round = 0; round < 300; round += 1) expect(await verify(await sign(payload))).toBe(true)
    }
    const [header, body] = (await sign(payload)).split('.') as [string, string]
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      alg,
      kid: key.kid,
      typ: 'at+jwt',
    })
    expect(Buffer.from(body, 'base64url').toString()).toBe(payload)
  })

  test.each(engines)('a long input signed by %s is verified by both', async (_, engine) => {
    const key = await createSigningKey(alg, 'current', 0)
    const sign = await engine.loadLongSigner(key.jwk, alg)
    // Around the size at which the engine lets other work run, and several times that.
    for (const length of [4, 524_260, 524_264, 524_288, 3_000_000]) {
      const text = `${base64url.encode(JSON.stringify({ alg }))}.${'e'.repeat(length)}`
      const signature = await sign(new TextEncoder().encode(text))
      for (const [, other] of engines) {
        const verify = await other.loadVerifier(verificationJwk(key), alg)
        expect(await verify(`${text}.${signature}`)).toBe(true)
        expect(await verify(`${text.slice(0, -1)}f.${signature}`)).toBe(false)
      }
    }
  })

  test.each(engines)('%s refuses an altered signature', async (_, engine) => {
    const key = await createSigningKey(alg, 'current', 0)
    const other = await createSigningKey(alg, 'current', 0)
    const token = await (await engine.loadSigner(key.jwk, alg, key.kid))(payload)
    const verify = await engine.loadVerifier(verificationJwk(key), alg)
    const [header, body, signature = ''] = token.split('.')
    const bytes = base64url.decode(signature)
    const variants = [
      new Uint8Array(bytes.length),
      bytes.toReversed(),
      bytes.slice(0, -1),
      Uint8Array.from([...bytes, 0]),
      Uint8Array.from([0, ...bytes]),
      bytes.with(0, (bytes[0] as number) ^ 1),
      bytes.with(bytes.length - 1, (bytes.at(-1) as number) ^ 1),
      Uint8Array.from([...bytes.slice(32), ...bytes.slice(0, 32)]),
      new Uint8Array(0),
      Uint8Array.from([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]),
    ]
    const isSymmetric = alg === 'HS256'
    for (const variant of isSymmetric ? variants.toSpliced(7, 1) : variants) {
      expect(await verify(`${header}.${body}.${base64url.encode(variant)}`)).toBe(false)
    }
    const byOther = await (await engine.loadSigner(other.jwk, alg, key.kid))(payload)
    expect(await verify(byOther)).toBe(false)
  })

  test('kid is the thumbprint of an asymmetric key, and random for a shared secret', async () => {
    const key = await createSigningKey(alg, 'pending', 7)
    expect(key).toMatchObject({ alg, state: 'pending', createdAt: 7, currentSince: null, expiresAt: null })
    if (alg === 'HS256') expect(key.kid).toMatch(/^[0-9A-Za-z]{22}$/)
    else expect(key.kid).toBe(await calculateJwkThumbprint(key.jwk))
  })
})

test('both engines hash secrets alike, and another pepper gives another hash', async () => {
  const hashes = await Promise.all(engines.map(([, engine]) => engine.createSecretHash('pepper')('secret')))
  expect(new Set(hashes)).toEqual(new Set(['gE5thUc5Fi_eoNRVs6r-Z_QNKRlAYYaie-YBWWrG0wY']))
  expect(await nodeCryptoEngine.createSecretHash('other')('secret')).not.toBe(hashes[0])
})
