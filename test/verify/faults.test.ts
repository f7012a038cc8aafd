// onError: what the developer of an API is told about faults that are not the client's, how often, and with which request.

import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { claimAuth } from '../../src/verify/middleware/hono.ts'
import {
  ClaimError,
  createVerifier,
  type Decision,
  type Verifier,
  type VerifierOptions,
} from '../../src/verify/verifier.ts'
import { createMaker } from '../support/dpop-maker.ts'
import {
  createSigner,
  FEED,
  findClosedPort,
  type Issuer,
  JWKS,
  json,
  startIssuer,
  status,
} from '../support/issuer.ts'
import { bearerOf, createMint, RULES, SITE, verdictOf } from '../support/mint.ts'

const mint = createMint('ES256')
const signer = await createSigner('ES256')
const pinned = { ...RULES, jwks: { keys: [mint.jwk] } }
const verifiers: Verifier[] = []
const issuers: Issuer[] = []
const onError = vi.fn<NonNullable<VerifierOptions['onError']>>()

beforeEach(() => onError.mockReset())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  for (const verifier of verifiers.splice(0)) verifier.close()
})
afterAll(() => Promise.all(issuers.map((issuer) => issuer.stop())))

function create(options: VerifierOptions): Verifier {
  const verifier = createVerifier({ onError, ...options })
  verifiers.push(verifier)
  return verifier
}

async function start(): Promise<Issuer> {
  const issuer = await startIssuer([signer.jwk])
  issuers.push(issuer)
  return issuer
}

const told = () => onError.mock.calls.map(([error, about]) => [error.message, about])
const boom = (): never => {
  throw new Error('a fault of the API')
}

describe('keys and revocations', () => {
  test.each<[string, Parameters<Issuer['answers']['set']>[1], RegExp]>([
    ['an error page', status(404), /answered 404/],
    ['HTML', (_, response) => response.end('<!doctype html>'), /not JSON/],
    ['JSON that is no key set', json({ ok: true }), /not a JWK Set/],
    ['a set without a usable key', json({ keys: [{ kty: 'oct', k: 'AA', kid: 'a' }] }), /no usable key/],
  ])('keys: %s', async (_, answer, why) => {
    const issuer = await start()
    issuer.answers.set(`${JWKS}?secret=1`, answer)
    const verifier = create({ ...RULES, jwksUri: `${issuer.jwksUri}?secret=1`, revocation: false })
    expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('unavailable')
    expect(told()).toEqual([[expect.stringMatching(why), {}]])
    const [[error]] = onError.mock.calls as unknown as [[Error]]
    expect(error).toBeInstanceOf(Error)
    expect(error.message).toContain(issuer.jwksUri)
    expect(error.message).not.toContain('secret')
  })

  test('an issuer that is down: the address that refused is named, and the cause kept', async () => {
    const port = await findClosedPort()
    const verifier = create({ ...RULES, jwksUri: `http://127.0.0.1:${port}/jwks`, revocation: false })
    expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('unavailable')
    const [[error]] = onError.mock.calls as unknown as [[Error]]
    expect(error.message).toContain(`ECONNREFUSED 127.0.0.1:${port}`)
    expect(error.cause).toBeInstanceOf(Error)
  })

  test.each<[string, Parameters<Issuer['answers']['set']>[1], RegExp]>([
    ['missing', status(404), /answered 404; .*revocation to false/],
    ['of another kind', (_, response) => response.end('[]'), /no list of revocations/],
  ])('a default feed that is %s: requests pass, and the option is named', async (_, answer, why) => {
    const issuer = await start()
    issuer.answers.set(FEED, answer)
    const verifier = create({ ...RULES, jwksUri: issuer.jwksUri })
    expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('allowed')
    expect(told()).toEqual([[expect.stringMatching(why), {}]])
  })

  test('a closed verifier tells nothing', async () => {
    const issuer = await start()
    issuer.answers.set(JWKS, () => undefined)
    const verifier = create({ ...RULES, jwksUri: issuer.jwksUri, revocation: false })
    const asked = verdictOf(verifier, bearerOf(await signer.token()))
    await expect.poll(() => issuer.askedFor(JWKS).length).toBe(1)
    verifier.close()
    expect(await asked).toBe('unavailable')
    expect(told()).toEqual([])
  })
})

describe('functions of the developer', () => {
  const rows: readonly (readonly [string, Partial<VerifierOptions>, string])[] = [
    ['authorize', { authorize: boom }, 'insufficient_scope'],
    ['authorize', { authorize: async () => boom() }, 'insufficient_scope'],
    ['revocation', { revocation: boom }, 'unavailable'],
    ['onDecision', { onDecision: boom }, 'allowed'],
    ['onDecision', { onDecision: (async () => boom()) as () => void }, 'allowed'],
  ]
  test.each(rows)('%s that throws is told with its cause: %o', async (name, options, outcome) => {
    const verifier = create({ ...pinned, ...options } as VerifierOptions)
    const verdict = await verifier.verify(bearerOf(mint.token())).then(
      () => ({ code: 'allowed', requestId: expect.any(String) }),
      ({ code, requestId }: ClaimError) => ({ code, requestId }),
    )
    expect(verdict.code).toBe(outcome)
    expect(told()).toEqual([
      [`the function ${name} threw: a fault of the API`, { requestId: verdict.requestId }],
    ])
    expect(onError.mock.calls[0]?.[0].cause).toMatchObject({ message: 'a fault of the API' })
  })

  test('replay', async () => {
    const maker = await createMaker('ES256')
    const token = mint.token({ cnf: { jkt: maker.jkt } })
    const ath = createHash('sha256').update(token).digest('base64url')
    const proof = maker.proof({ ath, iat: Math.floor(Date.now() / 1000) })
    const verifier = create({
      ...pinned,
      apiOrigin: 'https://api.example.com',
      replay: { seen: boom },
    })
    const headers = { authorization: `DPoP ${token}`, origin: SITE, dpop: proof }
    const request = new Request('https://api.example.com/things', { headers })
    expect(await verdictOf(verifier, request)).toBe('unavailable')
    expect(told().map(([message]) => message)).toEqual(['the function replay threw: a fault of the API'])
  })

  test.each(['clientIp', 'allowedOrigins'] as const)('%s of a middleware', async (name) => {
    const auth = claimAuth({ ...pinned, onError, [name]: boom })
    const app = new Hono().use(auth).get('/things', (context) => context.text('data'))
    const headers = { authorization: `Bearer ${mint.token()}`, origin: SITE }
    const answer = await app.request('/things', { headers })
    expect(answer.status).toBe(name === 'clientIp' ? 200 : 403)
    const requestId = answer.headers.get('x-request-id') ?? expect.any(String)
    expect(told()).toEqual([[`the function ${name} threw: a fault of the API`, { requestId }]])
  })

  test.each([boom, async () => boom()])('onError that fails has no effect: %s', async (failing) => {
    const verifier = create({ ...pinned, authorize: boom, onError: failing as () => void })
    expect(await verdictOf(verifier, bearerOf(mint.token()))).toBe('insufficient_scope')
  })
})

test('a key-bound token without apiOrigin: the option is named to the caller too', async () => {
  const maker = await createMaker('ES256')
  const token = mint.token({ cnf: { jkt: maker.jkt } })
  const verifier = create(pinned)
  const headers = { authorization: `DPoP ${token}`, origin: SITE, dpop: maker.proof() }
  const failure = await verifier
    .verify(new Request('https://api.example.com/', { headers }))
    .catch((error) => error)
  expect(failure).toBeInstanceOf(ClaimError)
  expect(failure).toMatchObject({ code: 'invalid_proof', message: expect.stringContaining('apiOrigin') })
  expect(told()).toEqual([[expect.stringContaining('apiOrigin'), { requestId: failure.requestId }]])
})

test('the same fault is told once a minute, another one immediately', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const verifier = create({ ...pinned, authorize: boom, onDecision: boom })
  const names = () => told().map(([message]) => String(message).split(' ')[2])
  for (let times = 0; times < 3; times += 1) await verdictOf(verifier, bearerOf(mint.token()))
  expect(names()).toEqual(['authorize', 'onDecision'])
  vi.advanceTimersByTime(59_000)
  await verdictOf(verifier, bearerOf(mint.token()))
  expect(names()).toHaveLength(2)
  vi.advanceTimersByTime(1001)
  await verdictOf(verifier, bearerOf(mint.token()))
  expect(names()).toEqual(['authorize', 'onDecision', 'authorize', 'onDecision'])
  // Another verifier tells on its own.
  await verdictOf(create({ ...pinned, authorize: boom }), bearerOf(mint.token()))
  expect(names()).toHaveLength(5)
})

test('without onError it is one line by console.error, with the id of the refusal', async () => {
  const error = vi.spyOn(console, 'error').mockReturnValue()
  const verifier = createVerifier({ ...pinned, authorize: boom })
  const { requestId } = await verifier.verify(bearerOf(mint.token())).catch((thrown) => thrown)
  expect(error.mock.calls).toEqual([
    [`claimgate: the function authorize threw: a fault of the API (request ${requestId})`],
  ])
})

test('onDecision, onError and the refusal have one request id', async () => {
  const decisions: Decision[] = []
  const verifier = create({ ...pinned, authorize: boom, onDecision: (decision) => decisions.push(decision) })
  const { requestId } = await verifier.verify(bearerOf(mint.token())).catch((thrown) => thrown)
  expect(requestId).toMatch(/^[\da-f-]{36}$/)
  expect(decisions.map((decision) => decision.requestId)).toEqual([requestId])
  expect(told()).toEqual([[expect.any(String), { requestId }]])
})
