// The rules for a proof, with node:crypto and with Web Crypto: valid proofs pass, and each fault is refused by its own rule.

import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  createProofVerifier,
  type ProofCrypto,
  type VerifyProof,
} from '../../src/verify/dpop/verify-proof.ts'
import { type LoadVerifier, loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText, hashWebText } from '../../src/verify/runtime/sha256.ts'
import { createMaker, hashToken, type Maker } from '../support/dpop-maker.ts'
import { base64url } from '../support/forge.ts'
import { proofCases } from './proof-cases.ts'

const [es, ed, other] = await Promise.all([createMaker('ES256'), createMaker('EdDSA'), createMaker('ES256')])
const cases = proofCases(es, ed, other)

const engines: readonly [string, ProofCrypto][] = [
  ['node:crypto', { loadVerifier, hashText }],
  ['Web Crypto', { loadVerifier: loadWebVerifier, hashText: hashWebText }],
]

async function verdictOf(judge: VerifyProof, { text, expected }: (typeof cases)[number]): Promise<string> {
  const judged = await judge(text, expected)
  return judged.ok ? 'right' : judged.reason
}

describe.each(engines)('%s', (_name, engine) => {
  const judge = createProofVerifier(engine)

  test.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const verdicts = [await verdictOf(judge, one), await verdictOf(judge, one)]
    for (const verdict of verdicts) {
      if (one.refusal === undefined) expect(verdict).toBe('right')
      else expect(verdict).toContain(one.refusal)
      // One sentence, without any value that would pass.
      for (const secret of [one.expected.jkt, one.expected.htu, hashToken(one.expected.accessToken ?? '')]) {
        if (secret) expect(verdict).not.toContain(secret)
      }
    }
  })

  test.each([
    ['ES256', es],
    ['EdDSA', ed],
  ] as const)('a valid proof gives its jti, iat, thumbprint and id: %s', async (_, maker) => {
    const claims = { jti: 'the jti', iat: maker.expected.now - 0.5 }
    const judged = await judge(maker.proof(claims), maker.expected)
    const jkt = await calculateJwkThumbprint(maker.mint.jwk)
    expect(judged).toEqual({ ok: true, value: { ...claims, jkt, id: hashToken(`${jkt} the jti`) } })
  })

  test('all texts of one proof have the same id; other jtis and keys have other ids', async () => {
    const idOf = async (maker: Maker, text: string): Promise<string> => {
      const judged = await judge(text, maker.expected)
      return judged.ok ? judged.value.id : judged.reason
    }
    const twin = (text: string): string => {
      const [head, body, signature = ''] = text.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
      const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
      bytes.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex'), 32)
      return `${head}.${body}.${base64url(bytes)}`
    }
    const proof = es.proof({ jti: 'a' })
    expect(twin(proof)).not.toBe(proof)
    const ids = await Promise.all([
      idOf(es, proof),
      idOf(es, twin(proof)),
      idOf(es, es.proof({ jti: 'a' }, { typ: 'DPOP+JWT' })),
      idOf(es, es.proof({ jti: 'b' })),
      idOf(other, other.proof({ jti: 'a' })),
      idOf(es, es.proof({ jti: '\ud800\0' })),
    ])
    expect(ids).toEqual([ids[0], ids[0], ids[0], expect.any(String), expect.any(String), expect.any(String)])
    expect(new Set(ids).size).toBe(4)
    for (const id of ids) expect(id).toMatch(/^[\w-]{43}$/)
  })

  test('no text throws, and only valid proofs pass', async () => {
    const [head = '', body = '', signature = ''] = es.proof().split('.')
    const json = fc.json().map(base64url)
    const bytes = fc.uint8Array({ maxLength: 80 }).map(base64url)
    const header = fc
      .dictionary(fc.constantFrom('typ', 'alg', 'jwk', 'crit', '__proto__', 'x'), fc.jsonValue())
      .map((members) => base64url(es.header(members)))
    const key = fc
      .dictionary(fc.constantFrom('kty', 'crv', 'x', 'y', 'alg', 'use', 'key_ops', 'kid'), fc.jsonValue())
      .map((members) => base64url(es.header({ jwk: { ...es.jwk, ...members } })))
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.tuple(json, json, bytes).map((parts) => parts.join('.')),
      fc.tuple(header, json, bytes).map((parts) => parts.join('.')),
      fc.tuple(key, fc.constant(body), bytes).map((parts) => parts.join('.')),
      fc.tuple(fc.constant(head), json, fc.constant(signature)).map((parts) => parts.join('.')),
    )
    const run = fc.asyncProperty(text, async (one) => {
      expect((await judge(one, es.expected)).ok).toBe(false)
    })
    await fc.assert(run, { numRuns: 1000 })
  })
})

test('signed claims of any shape get a result, and only valid ones pass', async () => {
  const judge = createProofVerifier({ loadVerifier, hashText })
  const names = fc.constantFrom('htm', 'htu', 'iat', 'jti', 'ath')
  const members = fc.dictionary(names, fc.jsonValue(), { minKeys: 1, noNullPrototype: true })
  const run = fc.asyncProperty(members, async (claims) => {
    const judged = await judge(es.proof(claims), es.expected)
    const { jti = 'x', ...others } = claims
    const mayPass = typeof jti === 'string' && jti !== '' && Object.keys(others).length === 0
    expect(judged.ok).toBe(mayPass)
  })
  await fc.assert(run, { numRuns: 500 })
})

describe('the cache of keys', () => {
  function createCountingJudge(): { readonly judge: VerifyProof; readonly loads: () => number } {
    let loads = 0
    const loadCounted: LoadVerifier = (jwk, alg) => {
      loads += 1
      return loadVerifier(jwk, alg)
    }
    return { judge: createProofVerifier({ loadVerifier: loadCounted, hashText }), loads: () => loads }
  }

  test('a key is imported once', async () => {
    const { judge, loads } = createCountingJudge()
    for (let count = 0; count < 5; count += 1) {
      expect((await judge(es.proof(), es.expected)).ok).toBe(true)
      expect((await judge(ed.proof(), ed.expected)).ok).toBe(true)
    }
    expect(loads()).toBe(2)
    expect(await judge(es.proof(), { ...es.expected, jkt: other.jkt })).toMatchObject({ ok: false })
  })

  test('keys of refused proofs are not cached, so they cannot evict others', async () => {
    const { judge, loads } = createCountingJudge()
    expect((await judge(es.proof(), es.expected)).ok).toBe(true)
    for (let count = 0; count < 1100; count += 1) {
      await judge(es.proof({ htm: 'PUT' }, { kid: count }), es.expected)
    }
    expect(loads()).toBe(1101)
    expect((await judge(es.proof(), es.expected)).ok).toBe(true)
    expect(loads()).toBe(1101)
  })

  test.each([
    [999, 1000],
    [1000, 1002],
  ])('it holds a thousand headers: after %d others, %d imports', async (others, expected) => {
    const { judge, loads } = createCountingJudge()
    const first = es.proof({}, { kid: 'first' })
    await judge(first, es.expected)
    for (let count = 0; count < others; count += 1) await judge(es.proof({}, { kid: count }), es.expected)
    await judge(first, es.expected)
    expect(loads()).toBe(expected)
  })
})

test('with synchronous cryptography the result for a cached key is synchronous', async () => {
  // Verifies on this thread, as on a machine with one core.
  const loadVerifier: LoadVerifier = (jwk) => (text) => {
    const dot = text.lastIndexOf('.')
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
    const [input, signature] = [
      Buffer.from(text.slice(0, dot)),
      Buffer.from(text.slice(dot + 1), 'base64url'),
    ]
    return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature)
  }
  const judge = createProofVerifier({ loadVerifier, hashText })
  expect(await judge(es.proof(), es.expected)).toMatchObject({ ok: true })
  expect(judge(es.proof(), es.expected)).toMatchObject({ ok: true, value: { jkt: es.jkt } })
  expect(judge(es.proof({ jti: '' }), es.expected)).toMatchObject({ ok: false })
})

test('a key that cannot be imported: the proof is refused', async () => {
  const loadVerifier = (): never => {
    throw new Error('no such key')
  }
  const judge = createProofVerifier({ loadVerifier, hashText })
  expect(await judge(es.proof(), es.expected)).toEqual({
    ok: false,
    reason: 'the key of the proof cannot be used',
  })
})
