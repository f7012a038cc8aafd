// What a verifier does with the fewest options: keys and revocations of the issuer, found by its URL.

import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/verify/verifier.ts'
import {
  body,
  createSigner,
  FEED,
  hang,
  type Issuer,
  JWKS,
  json,
  startIssuer,
  timed,
} from '../support/issuer.ts'
import { bearerOf, now, RULES, verdictOf } from '../support/mint.ts'

const signer = await createSigner('ES256')
const KEYS = '/.well-known/jwks.json'
const REVOCATIONS = '/.well-known/revocations'
const verifiers: Verifier[] = []
const issuers: Issuer[] = []

afterEach(() => {
  for (const verifier of verifiers.splice(0)) verifier.close()
})
afterAll(() => Promise.all(issuers.map((issuer) => issuer.stop())))

async function start(): Promise<Issuer> {
  const issuer = await startIssuer([])
  issuers.push(issuer)
  issuer.answers.set(KEYS, json({ keys: [signer.jwk] }))
  issuer.answers.set(JWKS, json({ keys: [signer.jwk] }))
  return issuer
}

function create(options: VerifierOptions): Verifier {
  const verifier = createVerifier({ onError: () => undefined, ...options })
  verifiers.push(verifier)
  return verifier
}

/** A list that revokes one token, from this issuer. */
const listOf = (iss: string, jti: string) =>
  signer.list([{ jti, before: now() + 60, until: now() + 900 }], { iss })

describe('with nothing but issuer and audience', () => {
  test.each(['', '/', '//'])('keys and revocations are at the issuer (%j after its URL)', async (slash) => {
    const issuer = await start()
    issuer.answers.set(REVOCATIONS, body(await listOf(issuer.url, 'jti-gone')))
    const verifier = create({ issuer: issuer.url + slash, audience: RULES.audience })
    const token = (jti: string) => signer.token({ iss: issuer.url, jti })
    expect(await verdictOf(verifier, bearerOf(await token('jti-1')))).toBe('allowed')
    expect(await verdictOf(verifier, bearerOf(await token('jti-gone')))).toBe('token_revoked')
    expect([issuer.askedFor(KEYS).length, issuer.askedFor(REVOCATIONS).length]).toEqual([1, 1])
  })

  test.each(['urn:issuer', 'auth.example.com', 'http://auth.example.com'])(
    'an issuer that is not the https URL of one is a TypeError that names it: %s',
    (issuer) => {
      expect(() => createVerifier({ issuer, audience: 'a' })).toThrow(/^issuer: /)
    },
  )
})

describe('the default feed', () => {
  test('is beside the keys, without their query', async () => {
    const issuer = await start()
    issuer.answers.set(`${JWKS}?tenant=1`, json({ keys: [signer.jwk] }))
    issuer.answers.set(FEED, body(await listOf(RULES.issuer, 'jti-gone')))
    const verifier = create({ ...RULES, jwksUri: `${issuer.jwksUri}?tenant=1` })
    expect(await verdictOf(verifier, bearerOf(await signer.token({ jti: 'jti-gone' })))).toBe('token_revoked')
  })

  test('delays a request for half a second at the most, and refuses none when it is not there', async () => {
    const issuer = await start()
    const verifier = create({ ...RULES, jwksUri: issuer.jwksUri })
    issuer.answers.set(FEED, hang)
    const first = await timed(verdictOf(verifier, bearerOf(await signer.token())))
    expect(first.value).toBe('allowed')
    expect(first.ms).toBeGreaterThan(400)
    expect(first.ms).toBeLessThan(1200)
  })

  test.each<[string, Partial<VerifierOptions>]>([
    ['revocation: false', { revocation: false }],
    ['a function', { revocation: () => false }],
  ])('is not asked with %s', async (_, options) => {
    const issuer = await start()
    const verifier = create({ ...RULES, jwksUri: issuer.jwksUri, ...options } as VerifierOptions)
    expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('allowed')
    expect(issuer.askedFor(FEED)).toEqual([])
  })

  test('is not asked with pinned keys', async () => {
    const fetching = vi.spyOn(globalThis, 'fetch')
    const verifier = create({ ...RULES, jwks: { keys: [signer.jwk] } })
    expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('allowed')
    expect(fetching).not.toHaveBeenCalled()
    fetching.mockRestore()
  })

  test.each([null, true, 0, ''])('revocation: %j is a TypeError', (revocation) => {
    expect(() => createVerifier({ ...RULES, revocation: revocation as never })).toThrow(/^revocation: /)
  })
})
