// Key-bound tokens: one DPoP header with a valid proof for this request, used once.

import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import type { Reason } from '../../src/claims/enforce.ts'
import { createMemoryOneTime } from '../../src/counters/memory-one-time.ts'
import type { MaybePromise } from '../../src/lib/result.ts'
import {
  createEnforceKey,
  createTokenEndpointProof,
  type EnforceKeyOptions,
} from '../../src/verify/dpop/enforce-key.ts'
import {
  createMemoryUseProof,
  createReplayUseProof,
  createUseProof,
  type UseProof,
} from '../../src/verify/dpop/use-proof.ts'
import { createProofVerifier } from '../../src/verify/dpop/verify-proof.ts'
import type { ReplayStore } from '../../src/verify/options/options.ts'
import type { RequestLike } from '../../src/verify/request/extract.ts'
import { loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText, hashWebText } from '../../src/verify/runtime/sha256.ts'
import { createMaker, HTU, type Maker, NOW, TOKEN } from '../support/dpop-maker.ts'

const API = 'https://api.example.com'
const TOKEN_URL = 'https://auth.example.com/oauth/token'
const [es, ed] = await Promise.all([createMaker('ES256'), createMaker('EdDSA')])
const verifyProof = createProofVerifier({ loadVerifier, hashText })

/** The clock of the verifier, epoch seconds. */
let now: number
let useProof: UseProof
beforeEach(() => {
  now = NOW
  useProof = createMemoryUseProof()
})

function requestWith(proof: string | null, url = '/things?a=b', method = 'GET'): RequestLike {
  return { method, url, headers: new Headers(proof === null ? {} : { DPoP: proof }) }
}

function claimsOf({ jkt }: Pick<Maker, 'jkt'>): ClaimsSet {
  return { iss: 'i', aud: 'a', sub: 's', client_id: 'c', jti: 'j', iat: 1, exp: 2, cnf: { jkt } }
}

function prove(
  request: RequestLike,
  claims: ClaimsSet = claimsOf(es),
  deps: Partial<EnforceKeyOptions> = {},
): MaybePromise<Reason | undefined> {
  const enforce = createEnforceKey({
    ...{ require: [], apiOrigin: () => API, verifyProof, useProof },
    ...deps,
  })
  const token = { token: TOKEN, source: 'authorization', scheme: 'dpop' } as const
  return enforce({ request, address: undefined, now }, token, claims)
}

async function codeOf(proving: MaybePromise<Reason | undefined>): Promise<string> {
  const reason = await proving
  if (reason !== undefined) expect(reason.step).toBe('key')
  return reason?.code ?? 'proven'
}

describe('at an API', () => {
  const none = requestWith(null)
  const twice = requestWith(es.proof())
  const again = new Headers({ DPoP: es.proof() })
  again.append('dpop', again.get('dpop') ?? '')

  test.each<[string, RequestLike, string, ClaimsSet?, Partial<EnforceKeyOptions>?]>([
    ['a valid proof', requestWith(es.proof()), 'proven'],
    ['a proof with an Ed25519 key', requestWith(ed.proof()), 'proven', claimsOf(ed)],
    ['an absolute request URL', requestWith(es.proof(), HTU), 'proven'],
    [
      'a request URL with a forged authority',
      requestWith(es.proof(), 'http://evil.example/things'),
      'proven',
    ],
    ['a POST', requestWith(es.proof({ htm: 'POST' }), '/things', 'POST'), 'proven'],
    ['the root path', requestWith(es.proof({ htu: API }), '/'), 'proven'],
    ['no proof', none, 'proof_required'],
    ['an empty proof', requestWith(''), 'invalid_proof'],
    ['a text that is not a JWS', requestWith('proof'), 'invalid_proof'],
    ['a proof after a scheme', requestWith(`DPoP ${es.proof()}`), 'invalid_proof'],
    ['two proofs', requestWith(`${es.proof()}, ${es.proof()}`), 'invalid_proof'],
    ['one proof in two headers', { ...twice, headers: again }, 'invalid_proof'],
    ['a proof and an empty one', requestWith(`${es.proof()}, `), 'invalid_proof'],
    ['a proof with another key', requestWith(ed.proof()), 'invalid_proof'],
    ['a proof for another path', requestWith(es.proof(), '/other'), 'invalid_proof'],
    ['a proof for the forged authority', requestWith(evil(), evilUrl), 'invalid_proof'],
    ['a proof for another method', requestWith(es.proof(), '/things', 'DELETE'), 'invalid_proof'],
    ['a proof without ath', requestWith(es.proof({ ath: undefined })), 'invalid_proof'],
    ['a request without a path', requestWith(es.proof({ htu: API }), '*', 'GET'), 'invalid_proof'],
    ['a token that is bound to no key', requestWith(es.proof()), 'invalid_token', unbound()],
    [
      'an API without a known origin',
      requestWith(es.proof()),
      'invalid_proof',
      claimsOf(es),
      { apiOrigin: () => undefined },
    ],
    [
      'an API without a known origin, no proof',
      none,
      'proof_required',
      claimsOf(es),
      { apiOrigin: () => undefined },
    ],
    [
      'an API on another port',
      requestWith(es.proof()),
      'invalid_proof',
      claimsOf(es),
      { apiOrigin: () => `${API}:8443` },
    ],
  ])('%s', async (_, request, expected, claims, deps) => {
    expect(await codeOf(prove(request, claims, deps))).toBe(expected)
  })

  test('several proofs, an invalid proof and an unknown URL of the API have different reasons', async () => {
    expect(await prove({ ...twice, headers: again })).toMatchObject({
      detail: 'the request has several DPoP proofs',
    })
    expect(await prove(requestWith('x'))).toMatchObject({ detail: 'the proof is malformed' })
    const apiOrigin = (): undefined => undefined
    expect(await prove(requestWith('x'), claimsOf(es), { apiOrigin })).toMatchObject({
      detail: 'proofs cannot be checked here: the URL of this API is not known',
    })
  })

  test('a key-bound token that is sent as Bearer is refused, even with a valid proof', async () => {
    const enforce = createEnforceKey({ require: [], apiOrigin: () => API, verifyProof, useProof })
    const request = requestWith(es.proof())
    for (const source of ['authorization', 'query', 'websocket'] as const) {
      const token = { token: TOKEN, source, scheme: 'bearer' } as const
      const refused = await codeOf(enforce({ request, address: undefined, now }, token, claimsOf(es)))
      expect(refused, source).toBe('proof_required')
    }
  })

  test('a key-bound token in X-Client-Token passes with a valid proof, and needs one', async () => {
    const enforce = createEnforceKey({ require: [], apiOrigin: () => API, verifyProof, useProof })
    const token = { token: TOKEN, source: 'x-client-token', scheme: 'bearer' } as const
    const verdictOf = (proof: string | null) =>
      codeOf(enforce({ request: requestWith(proof), address: undefined, now }, token, claimsOf(es)))
    expect(await verdictOf(es.proof())).toBe('proven')
    expect(await verdictOf(es.proof({ iat: now - 9999 }))).toBe('invalid_proof')
    expect(await verdictOf(null)).toBe('proof_required')
  })

  test('the origin of the API may depend on the request', async () => {
    const apiOrigin = ({ headers }: RequestLike): string | undefined => headers.get('x-api') ?? undefined
    const headers = new Headers({ dpop: es.proof(), 'x-api': API })
    expect(await codeOf(prove({ ...none, headers }, claimsOf(es), { apiOrigin }))).toBe('proven')
    headers.set('x-api', 'https://other.example.com')
    headers.set('dpop', es.proof())
    expect(await codeOf(prove({ ...none, headers }, claimsOf(es), { apiOrigin }))).toBe('invalid_proof')
  })

  test('no header or URL makes the check throw', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 })
    const run = fc.asyncProperty(text, text, fc.boolean(), async (header, url, isRight) => {
      const headers = { get: () => (isRight ? es.proof() : header) }
      const code = await codeOf(prove({ method: 'GET', url, headers }))
      if (!url.startsWith('/things')) expect(code).toBe('invalid_proof')
    })
    await fc.assert(run, { numRuns: 500 })
  })
})

const evilUrl = 'https://evil.example/things'
function evil(): string {
  return es.proof({ htu: evilUrl })
}

function unbound(): ClaimsSet {
  const { cnf: _, ...claims } = claimsOf(es)
  return claims
}

describe('single use', () => {
  test('a second use is refused, also when the proof is signed again', async () => {
    const proof = es.proof({ jti: 'one' })
    expect(await codeOf(prove(requestWith(proof)))).toBe('proven')
    expect(await codeOf(prove(requestWith(proof)))).toBe('invalid_proof')
    // ECDSA signatures are different each time.
    const same = es.proof({ jti: 'one' })
    expect(same).not.toBe(proof)
    expect(await codeOf(prove(requestWith(same)))).toBe('invalid_proof')
    expect(await codeOf(prove(requestWith(es.proof({ jti: 'two' }))))).toBe('proven')
    expect(await codeOf(prove(requestWith(ed.proof({ jti: 'one' })), claimsOf(ed)))).toBe('proven')
  })

  test.each([
    ['node:crypto', { loadVerifier, hashText }],
    ['Web Crypto', { loadVerifier: loadWebVerifier, hashText: hashWebText }],
  ])('of 50 concurrent uses exactly one passes: %s', async (_, engine) => {
    const deps = { verifyProof: createProofVerifier(engine) }
    const proof = es.proof()
    const codes = await Promise.all(
      Array.from({ length: 50 }, () => codeOf(prove(requestWith(proof), claimsOf(es), deps))),
    )
    expect(codes.filter((code) => code === 'proven')).toHaveLength(1)
    expect(codes.filter((code) => code === 'invalid_proof')).toHaveLength(49)
  })

  test.each([
    ['whole seconds', Math.floor(NOW)],
    ['fractions', NOW],
  ])('a used proof never passes again before it expires: %s', async (_, iat) => {
    const proof = es.proof({ iat })
    now = iat - 60
    expect(await codeOf(prove(requestWith(proof)))).toBe('proven')
    for (; now <= iat + 70; now += 0.5) {
      expect(await codeOf(prove(requestWith(proof)))).toBe('invalid_proof')
    }
  })

  test('an invalid proof is not recorded, and the store is not called', async () => {
    const asked: (readonly [string, number])[] = []
    const store: ReplayStore = {
      async seen(...args) {
        asked.push(args)
        return false
      },
    }
    const deps = { useProof: createReplayUseProof(store, () => undefined) }
    const proof = es.proof({ iat: NOW - 1 })
    expect(await codeOf(prove(requestWith(proof, '/other'), claimsOf(es), deps))).toBe('invalid_proof')
    expect(await codeOf(prove(requestWith(proof), claimsOf(ed), deps))).toBe('invalid_proof')
    expect(asked).toEqual([])
    expect(await codeOf(prove(requestWith(proof), claimsOf(es), deps))).toBe('proven')
    // The key is short and ASCII. The expiry is in whole seconds, after the last moment at which the proof is valid.
    expect(asked).toEqual([[expect.stringMatching(/^[\w-]{43}$/), Math.ceil(NOW - 1) + 90]])
  })

  test.each<[string, ReplayStore['seen']]>([
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
    ['resolves to undefined', async () => undefined as unknown as boolean],
    ['resolves to a number', async () => 0 as unknown as boolean],
  ])('a store that %s: unavailable', async (_, seen) => {
    const proof = es.proof()
    const deps = { useProof: createReplayUseProof({ seen }, () => undefined) }
    expect(await codeOf(prove(requestWith(proof), claimsOf(es), deps))).toBe('unavailable')
    expect(await codeOf(prove(requestWith('x'), claimsOf(es), deps))).toBe('invalid_proof')
  })

  test('a full store refuses', async () => {
    const memory = createMemoryOneTime({ perTenant: 9, inAll: 1, longestSeconds: 200 })
    const deps = { useProof: createUseProof(memory) }
    expect(await codeOf(prove(requestWith(es.proof()), claimsOf(es), deps))).toBe('proven')
    expect(await codeOf(prove(requestWith(es.proof()), claimsOf(es), deps))).toBe('unavailable')
  })
})

describe('at the token endpoint', () => {
  async function ask(
    proof: string | null,
    method = 'POST',
    use: UseProof = useProof,
  ): Promise<string | undefined> {
    const proveToken = createTokenEndpointProof({ verifyProof, useProof: use, url: TOKEN_URL })
    const judged = await proveToken(requestWith(proof, 'http://127.0.0.1:8080/oauth/token', method), now)
    return judged.ok ? judged.value : judged.reason.code
  }
  const claims = { htm: 'POST', htu: TOKEN_URL, ath: undefined }

  test('a valid proof gives the thumbprint of its key', async () => {
    expect(await ask(es.proof(claims))).toBe(es.jkt)
    expect(await ask(ed.proof(claims))).toBe(ed.jkt)
    expect(await ask(ed.proof({ ...claims, ath: 'of some token' }))).toBe(ed.jkt)
  })

  test.each<[string, string | null, string]>([
    ['no proof', null, 'proof_required'],
    ['two proofs', `${es.proof(claims)}, ${es.proof(claims)}`, 'invalid_proof'],
    ['a proof for the API', es.proof(), 'invalid_proof'],
    ['a proof for another method', es.proof({ ...claims, htm: 'GET' }), 'invalid_proof'],
    [
      'a proof for the URL behind the proxy',
      es.proof({ ...claims, htu: 'http://127.0.0.1:8080/oauth/token' }),
      'invalid_proof',
    ],
    ['an old proof', es.proof({ ...claims, iat: NOW - 61 }), 'invalid_proof'],
  ])('%s', async (_, proof, expected) => {
    expect(await ask(proof)).toBe(expected)
  })

  test('a proof passes once, and never while the store fails', async () => {
    const proof = es.proof(claims)
    expect(await ask(proof)).toBe(es.jkt)
    expect(await ask(proof)).toBe('invalid_proof')
    const failing = createReplayUseProof({ seen: () => Promise.reject(new Error('down')) }, () => undefined)
    expect(await ask(es.proof(claims), 'POST', failing)).toBe('unavailable')
  })
})
