// The option `revocation`: a function of the API, which refuses tokens when it fails, or a feed.

import { beforeAll, expect, test } from 'vitest'
import { type Claims, createVerifier } from '../../src/verify/verifier.ts'
import { createSigner, type Signer } from '../support/issuer.ts'
import { bearerOf, RULES, verdictOf } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

let es: Signer

beforeAll(async () => {
  es = await createSigner('ES256')
})

test('a function decides, and when it fails no token passes', async () => {
  const answers: readonly (readonly [(claims: Claims) => boolean | Promise<boolean>, string])[] = [
    [({ jti }) => jti === 'jti-1', 'token_revoked'],
    [async ({ jti }) => jti === 'jti-1', 'token_revoked'],
    [({ jti }) => jti === 'jti-2', 'allowed'],
    [async () => false, 'allowed'],
    [() => expect.unreachable('down'), 'unavailable'],
    [() => Promise.reject(new Error('down')), 'unavailable'],
  ]
  for (const [revocation, verdict] of answers) {
    const verifier = createVerifier({ ...RULES, jwks: { keys: [es.jwk] }, revocation })
    expect(await verdictOf(verifier, bearerOf(await es.token()))).toBe(verdict)
  }
})

test.each<[string, Json]>([
  ['without URL', {}],
  ['over http', { url: 'http://auth.example.com/revocations' }],
  ['with a refresh interval of 0', { url: 'https://auth.example.com/', refreshSeconds: 0 }],
  [
    'that is stale before it is polled again',
    { url: 'https://auth.example.com/', refreshSeconds: 5, maxStaleSeconds: 4 },
  ],
  ['with an unknown onStale', { url: 'https://auth.example.com/', onStale: 'ignore' }],
])('a feed %s is a TypeError', (_, revocation) => {
  expect(() => createVerifier({ ...RULES, jwks: { keys: [es.jwk] }, revocation })).toThrow(TypeError)
})
