// Keys and options that could let forged tokens pass throw a TypeError when the verifier is created.

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createVerifier } from '../../src/verify/verifier.ts'
import { createMint, RULES } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

/** Returns a call of createVerifier with options that its types may forbid. */
const make = (options: Json) => () => createVerifier({ ...RULES, ...options })

const ec = createMint('ES256').jwk
const ed = createMint('EdDSA').jwk
const oct = createMint('HS256').jwk
const exported = (curve: string): Json =>
  generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' })
const privateEc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const privateEd = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
/** The prime of the field of P-256, as hex: the smallest coordinate that is too large. */
const P256_PRIME = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff'

// Shows that the tests below fail for the keys that they name, not for RULES.
test('valid keys are accepted', () => {
  for (const key of [
    ec,
    ed,
    oct,
    { ...ec, use: 'sig', alg: 'ES256', key_ops: ['verify'] },
    { ...ed, alg: 'Ed25519' },
  ]) {
    expect(make({ jwks: { keys: [key] } })).not.toThrow()
  }
  expect(make({ jwks: { keys: [ec, ed, oct] } })).not.toThrow()
  for (const secret of ['s'.repeat(32), 'é'.repeat(16), new Uint8Array(32), Buffer.alloc(64), oct]) {
    expect(make({ secret })).not.toThrow()
  }
})

describe('throws a TypeError for a pinned key', () => {
  test.each<[string, Json]>([
    ['without kid', { ...ec, kid: undefined }],
    ['with an empty kid', { ...ec, kid: '' }],
    ['with a kid that is not a string', { ...ec, kid: 1 }],
    ['for encryption', { ...ec, use: 'enc' }],
    ['of unknown use', { ...ec, use: '' }],
    ['for signing only', { ...ec, key_ops: ['sign'] }],
    ['for encryption by key_ops', { ...ed, key_ops: ['encrypt', 'wrapKey'] }],
    ['with key_ops that are not a list', { ...ed, key_ops: 'verify' }],
    ['with alg of another algorithm', { ...ec, alg: 'ES384' }],
    ['with alg of another key type', { ...ec, alg: 'HS256' }],
    ['with alg none', { ...oct, alg: 'none' }],
    ['of P-384', { ...exported('P-384'), kid: 'k' }],
    ['of secp256k1', { ...exported('secp256k1'), kid: 'k' }],
    ['of P-384 with crv P-256', { ...exported('P-384'), kid: 'k', crv: 'P-256' }],
    ['of X25519', { ...x25519, kid: 'k' }],
    ['of RSA', { ...rsa, kid: 'k' }],
    ['without kty', { ...ec, kty: undefined }],
    ['without crv', { ...ec, crv: undefined }],
    ['off the curve', { ...ec, y: ec.x }],
    ['with x and y of zeros', { ...ec, x: encode(new Uint8Array(32)), y: encode(new Uint8Array(32)) }],
    ['without y', { ...ec, y: undefined }],
    ['with x not below the field’s prime', { ...ec, x: encode(Buffer.from(P256_PRIME, 'hex')) }],
    ['with x too short', { ...ec, x: ec.x?.slice(0, -4) }],
    ['with x too long', { ...ec, x: `AAAA${ec.x}` }],
    ['with padding', { ...ec, x: `${ec.x}=` }],
    ['with a private member', { ...privateEc, kid: 'k' }],
    ['with a private member of Ed25519', { ...privateEd, kid: 'k' }],
    ['with private members that are undefined or null', { ...ec, d: undefined, p: null }],
    ['of Ed25519 with an x too short', { ...ed, x: ed.x?.slice(0, -4) }],
    ['of Ed25519 off the curve', { ...ed, x: encode(Uint8Array.of(2, ...new Uint8Array(31))) }],
    ['of Ed25519 that is the neutral element', { ...ed, x: encode(Uint8Array.of(1, ...new Uint8Array(31))) }],
    ['of Ed25519 that is of order four', { ...ed, x: encode(new Uint8Array(32)) }],
    ['of Ed25519 not below the field’s prime', { ...ed, x: encode(new Uint8Array(32).fill(0xff)) }],
    ['of a shared secret that is empty', { ...oct, k: '' }],
    ['of a shared secret of 31 bytes', { ...oct, k: encode(new Uint8Array(31)) }],
    ['of a shared secret that is not a string', { ...oct, k: 5 }],
    ['of a shared secret in base64', { ...oct, k: `${'+/'.repeat(21)}A` }],
    ['that is null', null],
    ['that is a string', JSON.stringify(ec)],
    ['that is a list', [ec]],
  ])('%s', (_, key) => {
    expect(make({ jwks: { keys: [key] } })).toThrow(TypeError)
    expect(make({ jwks: { keys: [createMint('ES256', 'good').jwk, key] } })).toThrow(TypeError)
  })

  test.each<[string, Json]>([
    ['no keys', { keys: [] }],
    ['two keys with one kid', { keys: [ec, { ...createMint('ES256').jwk, kid: ec.kid }] }],
    ['one key twice', { keys: [ec, ec] }],
    ['two key types with one kid', { keys: [ec, { ...oct, kid: ec.kid }] }],
    ['a key instead of a set', ec],
    ['a list instead of a set', [ec]],
    ['keys in an object by kid', { keys: { [ec.kid]: ec } }],
    ['a string', JSON.stringify({ keys: [ec] })],
    ['null', null],
  ])('in jwks: %s', (_, jwks) => {
    expect(make({ jwks })).toThrow(TypeError)
  })
})

describe('throws a TypeError for a secret', () => {
  test.each<[string, Json]>([
    ['that is empty', ''],
    ['of 31 characters', 's'.repeat(31)],
    ['of 31 bytes', new Uint8Array(31)],
    ['of no bytes', new Uint8Array(0)],
    ['that is a number', 2 ** 100],
    ['that is true', true],
    ['that is false', false],
    ['that is a BigInt', 2n ** 256n],
    ['that is a symbol', Symbol('secret')],
    ['that is a function', () => 's'.repeat(32)],
    ['that is null', null],
    ['that is a list', [...'s'.repeat(32)]],
    ['that only has a length', { length: 32 }],
    ['that is an ArrayBuffer', new ArrayBuffer(32)],
    ['that is a promise', Promise.resolve('s'.repeat(32))],
    ['that is a public key', ec],
    ['that is a private key', { ...privateEc, kid: 'k' }],
    ['as a JWK without kid', { ...oct, kid: undefined }],
    ['as a JWK with a short k', { ...oct, k: encode(new Uint8Array(31)) }],
    ['as a JWK for encryption', { ...oct, use: 'enc' }],
  ])('%s', (_, secret) => {
    expect(make({ secret })).toThrow(TypeError)
  })
})

describe('throws a TypeError for unsafe options', () => {
  const secret = 's'.repeat(32)
  test.each<[string, Json]>([
    ['no revocation by null', { secret, revocation: null }],
    ['both a secret and jwks', { secret, jwks: { keys: [ec] } }],
    ['both a secret and jwksUri', { secret, jwksUri: 'https://auth.example.com/jwks' }],
    ['keys from an http URL', { jwksUri: 'http://auth.example.com/jwks' }],
    ['keys from a file', { jwksUri: 'file:///etc/passwd' }],
    ['keys from a data URL', { jwksUri: 'data:application/json,{"keys":[]}' }],
    ['keys from a URL with a password', { jwksUri: 'https://user:password@auth.example.com/jwks' }],
    ['keys from a host that only begins like loopback', { jwksUri: 'http://127.0.0.1.example.com/jwks' }],
    ['no issuer', { secret, issuer: undefined }],
    ['an empty issuer', { secret, issuer: '' }],
    ['a pattern as issuer', { secret, issuer: /.*/ }],
    ['no audience', { secret, audience: undefined }],
    ['an empty audience', { secret, audience: [] }],
    ['an empty audience among others', { secret, audience: ['https://api.example.com', ''] }],
    ['an infinite tolerance', { secret, clockTolerance: Number.POSITIVE_INFINITY }],
    ['a tolerance of NaN', { secret, clockTolerance: Number.NaN }],
    ['a tolerance that is a string', { secret, clockTolerance: '5' }],
    ['a tolerance in a list', { secret, clockTolerance: [5] }],
    ['a negative tolerance', { secret, clockTolerance: -1 }],
    ['a misspelt option', { secret, requires: ['origin'] }],
    ['a misspelt binding', { secret, require: ['orign'] }],
    ['bindings that are not a list', { secret, require: 'origin' }],
    ['a misspelt mode', { secret, mode: 'enforced' }],
    ['an unknown source', { secret, tokenSources: ['cookie'] }],
    ['no source', { secret, tokenSources: [] }],
    ['scopes that are not strings', { secret, scope: { read: true } }],
    ['authorize that is not a function', { secret, authorize: true }],
    ['revocation that is neither a function nor a feed', { secret, revocation: true }],
    ['a replay store without seen', { secret, replay: {} }],
    ['a cache without a size', { secret, cache: true }],
    ['an unlimited cache', { secret, cache: { max: Number.POSITIVE_INFINITY } }],
    ['trustedProxies that are true', { secret, trustedProxies: true }],
    ['proxies with a range of all addresses', { secret, trustedProxies: '0.0.0.0/0,x' }],
    ['-1 trusted proxies', { secret, trustedProxies: -1 }],
    ['an unknown forwardedHeader', { secret, forwardedHeader: 'x-real-ip' }],
    ['an API origin with a path', { secret, apiOrigin: 'https://api.example.com/v1' }],
    ['required keys without an API origin', { secret, require: ['key'] }],
  ])('%s', (_, options) => {
    expect(make(options)).toThrow(TypeError)
  })
})
