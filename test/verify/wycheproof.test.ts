// Wycheproof's JSON Web Signatures. Their payloads are not claims and their headers have another `typ`, so a verifier
// refuses every case, valid ones too. One layer below, both kinds of cryptography agree with Wycheproof on each signature.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JWK } from 'jose'
import { describe, expect, test } from 'vitest'
import type { SignatureAlgorithm } from '../../src/claims/jws.ts'
import { isCanonicalBase64url } from '../../src/lib/base64url.ts'
import { type LoadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { loadNodeVerifier } from '../../src/verify/runtime/node-crypto.ts'
import { createVerifier, type KeyOptions, type RequestLike } from '../../src/verify/verifier.ts'
import { RULES, requestWith, verdictOf } from '../support/mint.ts'

interface Case {
  readonly tcId: number
  readonly comment: string
  readonly jws: string
  readonly result: 'valid' | 'invalid'
}

interface Group {
  readonly comment: string
  readonly key: JWK & { readonly kty: string }
  readonly tests: readonly Case[]
}

const file = join(import.meta.dirname, '../vectors/wycheproof/json_web_signature_test.json')
const { groups } = JSON.parse(readFileSync(file, 'utf8')) as { groups: readonly Group[] }

/** The keys of the file that a verifier accepts: signature keys of our types. */
const isOurs = ({ key }: Group): boolean =>
  (key.kty === 'oct' || key.crv === 'P-256') && key.use === 'sig' && key.key_ops === undefined
const cases = groups
  .filter(isOurs)
  .flatMap(({ key, tests }) => tests.map((one) => [one.tcId, one.comment, key, one] as const))

/** Every option that gives a verifier this key. */
function keyOptions(key: Group['key']): readonly KeyOptions[] {
  const pinned = { jwks: { keys: [key] } }
  if (key.kty !== 'oct') return [pinned]
  return [pinned, { secret: key }, { secret: new Uint8Array(Buffer.from(key.k ?? '', 'base64url')) }]
}

const MAX_MILLISECONDS = 50

/** The result of a token. A slow one is repeated once, because a loaded machine is slow now and then. */
async function judgeInTime(
  verifier: ReturnType<typeof createVerifier>,
  request: RequestLike,
): Promise<string> {
  let verdict = ''
  let elapsed = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 2 && elapsed > MAX_MILLISECONDS; attempt += 1) {
    const start = performance.now()
    verdict = await verdictOf(verifier, request)
    elapsed = performance.now() - start
  }
  expect(elapsed).toBeLessThan(MAX_MILLISECONDS)
  return verdict
}

test('the file has keys that are accepted, keys that are not, and enough cases', () => {
  expect(groups.filter(isOurs).length).toBe(5)
  expect(groups.filter((group) => !isOurs(group)).length).toBe(7)
  expect(cases.length).toBe(75)
})

describe('a key of another type creates no verifier', () => {
  test.each(groups.filter((group) => !isOurs(group)).map((group) => [group.comment, group.key] as const))(
    '%s %o',
    (_, key) => {
      expect(() => createVerifier({ ...RULES, jwks: { keys: [key] } })).toThrow(TypeError)
      expect(() => createVerifier({ ...RULES, secret: key })).toThrow(TypeError)
    },
  )
})

describe('is refused, quickly', () => {
  test.each(cases)('%i %s', async (_id, _comment, key, { jws }) => {
    for (const keys of keyOptions(key)) {
      for (const cache of [false, { max: 10 }] as const) {
        const inQuery = createVerifier({ ...RULES, ...keys, cache, tokenSources: ['query'] })
        expect(await judgeInTime(inQuery, requestWith({}, `/?token=${encodeURIComponent(jws)}`))).toBe(
          'invalid_token',
        )
        const inHeader = createVerifier({ ...RULES, ...keys, cache })
        // In a header, a comma separates two values.
        expect(await judgeInTime(inHeader, requestWith({ authorization: `Bearer ${jws}` }))).toBe(
          jws.includes(',') ? 'invalid_request' : 'invalid_token',
        )
      }
    }
  })
})

describe.each<[string, LoadVerifier]>([
  ['node', loadNodeVerifier as LoadVerifier],
  ['webcrypto', loadWebVerifier],
])('%s agrees with Wycheproof about signatures', (_engine, load) => {
  /** Cases with the form of a token: others never reach the signature check. */
  const wellFormed = cases.filter(([, , , { jws }]) => {
    const parts = jws.split('.')
    return parts.length === 3 && parts.every((part) => part !== '' && isCanonicalBase64url(part))
  })

  test('has cases of both results', () => {
    expect(wellFormed.filter(([, , , one]) => one.result === 'valid').length).toBe(9)
    expect(wellFormed.filter(([, , , one]) => one.result === 'invalid').length).toBeGreaterThan(25)
  })

  test.each(wellFormed)('%i %s', async (_id, _comment, key, { jws, result }) => {
    const verify = await load(key, key.alg as SignatureAlgorithm)
    expect(await verify(jws)).toBe(result === 'valid')
  })
})
