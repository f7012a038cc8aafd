// Keys that a customer registers: which are accepted, what is stored of them, and why the others are refused.

import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { type AdminService, startAdmin } from './service.ts'

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const p256 = ec('P-256').publicKey.export({ format: 'jwk' })
const other = ec('P-256').publicKey.export({ format: 'jwk' })
const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
const shared = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url') }
const zeros = Buffer.alloc(32).toString('base64url')

let service: AdminService
let path: string
let accountId: string
beforeAll(async () => {
  service = await startAdmin()
  accountId = (await service.createAccount()).account.id
  path = `/admin/accounts/${accountId}/credentials`
})

const members = ({ kty, crv, x, y }: Json): Json => ({ kty, crv, x, ...(y && { y }) })

describe('registered keys that are accepted', () => {
  test.each<readonly [rule: string, jwks: { keys: readonly Json[] }, kept: readonly Json[]]>([
    ['ES256', { keys: [p256] }, [members(p256)]],
    ['EdDSA', { keys: [ed] }, [members(ed)]],
    ['with kid', { keys: [{ ...p256, kid: 'a' }] }, [{ kid: 'a', ...members(p256) }]],
    [
      'several, some with kid',
      { keys: [{ ...p256, kid: 'a' }, { ...ed, kid: 'b' }, other] },
      [{ kid: 'a', ...members(p256) }, { kid: 'b', ...members(ed) }, members(other)],
    ],
    [
      'members that agree with the key, and members that are dropped',
      {
        keys: [{ ...p256, alg: 'ES256', use: 'sig', key_ops: ['verify'], ext: true, x5c: ['x'], name: 'n' }],
      },
      [members(p256)],
    ],
    [
      'EdDSA by both its names',
      {
        keys: [
          { ...ed, alg: 'EdDSA' },
          { ...ed, alg: 'Ed25519' },
        ],
      },
      [ed, ed].map(members),
    ],
    ['other members of the set', { keys: [ed], issuer: 'x' } as Json, [members(ed)]],
    [
      '20 keys',
      { keys: Array.from({ length: 20 }, () => ed) },
      Array.from({ length: 20 }, () => members(ed)),
    ],
    [
      'the longest kid',
      { keys: [{ ...ed, kid: 'k'.repeat(256) }] },
      [{ kid: 'k'.repeat(256), ...members(ed) }],
    ],
  ])('%s', async (_, jwks, kept) => {
    const { credential } = await service.demand(201, 'POST', path, { jwks })
    expect(credential).toEqual({ id: expect.stringMatching(/^[0-9A-Za-z]{11}$/), clientId: credential.id })
    const stored = (await service.storage.listCredentials(accountId)).find(({ id }) => id === credential.id)
    expect(stored).toMatchObject({
      secretHash: null,
      previousHash: null,
      jwks: JSON.stringify({ keys: kept }),
    })
    const shown = await service.ask('GET', `/admin/accounts/${accountId}`)
    expect(shown.text).toContain(credential.id)
    expect(shown.text).not.toMatch(/jwks|"x"|hash/)
    await service.demand(409, 'POST', `/admin/credentials/${credential.id}/rotate`)
  })
})

describe('registered keys that are refused', () => {
  const key = (jwk: unknown): Json => ({ keys: [jwk] })
  test.each<readonly [rule: string, jwks: unknown, faults: Readonly<Record<string, RegExp>>]>([
    ['null', null, { jwks: /JWK Set/ }],
    ['text', JSON.stringify(key(ed)), { jwks: /JWK Set/ }],
    ['a list', [ed], { jwks: /JWK Set/ }],
    ['one key', ed, { 'jwks.keys': /JWK Set/ }],
    ['no keys', { keys: [] }, { 'jwks.keys': /1 to 20/ }],
    ['keys that are not a list', { keys: ed }, { 'jwks.keys': /JWK Set/ }],
    ['21 keys', { keys: Array.from({ length: 21 }, () => ed) }, { 'jwks.keys': /1 to 20/ }],
    ['a number as a key', key(7), { 'jwks.keys.0': /not a JSON object/ }],
    ['null as a key', key(null), { 'jwks.keys.0': /not a JSON object/ }],
    ['a list as a key', key([]), { 'jwks.keys.0': /not a JSON object/ }],
    ['an empty key', key({}), { 'jwks.keys.0': /type/ }],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].map(
      (name) => [`private ${name}`, key({ ...p256, [name]: zeros }), { 'jwks.keys.0': /private/ }] as const,
    ),
    ['k in a public key', key({ ...p256, k: zeros }), { 'jwks.keys.0': /shared secret/ }],
    ['a shared secret', key(shared), { 'jwks.keys.0': /shared secret/ }],
    ['a shared secret without its value', key({ kty: 'oct' }), { 'jwks.keys.0': /shared secret/ }],
    ['RSA', key(rsa), { 'jwks.keys.0': /type.*ES256/ }],
    ['P-384', key(ec('P-384').publicKey.export({ format: 'jwk' })), { 'jwks.keys.0': /type.*ES256/ }],
    ['secp256k1', key(ec('secp256k1').publicKey.export({ format: 'jwk' })), { 'jwks.keys.0': /type/ }],
    ['X25519', key({ ...ed, crv: 'X25519' }), { 'jwks.keys.0': /type/ }],
    ['a point that is not on the curve', key({ ...p256, y: other.y }), { 'jwks.keys.0': /not a point/ }],
    ['no y', key({ ...p256, y: undefined }), { 'jwks.keys.0': /not a point/ }],
    ['padding', key({ ...p256, x: `${p256.x}=` }), { 'jwks.keys.0': /not a point/ }],
    ['an Ed25519 point of small order', key({ ...ed, x: zeros }), { 'jwks.keys.0': /Ed25519/ }],
    ['for encryption', key({ ...p256, use: 'enc' }), { 'jwks.keys.0': /use/ }],
    ['for signing only', key({ ...p256, key_ops: ['sign'] }), { 'jwks.keys.0': /key_ops/ }],
    ['another algorithm', key({ ...p256, alg: 'ES384' }), { 'jwks.keys.0': /algorithm/ }],
    ['an empty kid', key({ ...ed, kid: '' }), { 'jwks.keys.0': /kid/ }],
    ['a kid that is a number', key({ ...ed, kid: 7 }), { 'jwks.keys.0': /kid/ }],
    ['a kid that is null', key({ ...ed, kid: null }), { 'jwks.keys.0': /kid/ }],
    ['a kid that is too long', key({ ...ed, kid: 'k'.repeat(257) }), { 'jwks.keys.0': /kid/ }],
    [
      'a kid twice',
      { keys: [{ ...ed, kid: 'a' }, other, { ...p256, kid: 'a' }] },
      { 'jwks.keys.2': /repeats a kid/ },
    ],
    [
      'every fault is listed',
      { keys: [{ ...p256, d: zeros }, ed, rsa, { ...ed, use: 'enc' }] },
      { 'jwks.keys.0': /private/, 'jwks.keys.2': /type/, 'jwks.keys.3': /use/ },
    ],
  ])('%s', async (_, jwks, faults) => {
    const answer = await service.ask('POST', path, { jwks })
    expect(answer.status, answer.text).toBe(422)
    const { errors } = answer.json()
    expect(errors).toEqual(
      Object.entries(faults).map(([parameter, message]) => ({
        parameter,
        message: expect.stringMatching(message),
      })),
    )
    for (const material of [p256.x, ed.x, shared.k, rsa.n, zeros]) expect(answer.text).not.toContain(material)
  })
})
