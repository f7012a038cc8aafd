// How many proofs one key may use, in this process's memory and with an API's own store. A key over its budget is told how
// long to wait, and other keys are not affected.

import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { claimAuth } from '../../src/verify/middleware/hono.ts'
import { ClaimError, createVerifier, type RequestLike, type Verifier } from '../../src/verify/verifier.ts'
import { createMaker, hashToken, type Maker } from '../support/dpop-maker.ts'
import { createMint, RULES, SITE } from '../support/mint.ts'

const API = 'https://api.example.com'
const MAX = 12_000
const issuer = createMint('EdDSA')
const jwks = { keys: [issuer.jwk] }
const [busy, other] = await Promise.all([createMaker('EdDSA'), createMaker('EdDSA')])
const tokenOf = ({ jkt }: Maker): string => issuer.token({ cnf: { jkt } })
const tokens = new Map([busy, other].map((maker) => [maker, tokenOf(maker)]))

function requestOf(maker: Maker): RequestLike & { headers: Headers } {
  const token = tokens.get(maker) as string
  const iat = Math.floor(Date.now() / 1000)
  const proof = maker.proof({ htu: `${API}/a`, ath: hashToken(token), iat })
  return {
    method: 'GET',
    url: '/a',
    headers: new Headers({ origin: SITE, authorization: `DPoP ${token}`, dpop: proof }),
  }
}

const show = (verifier: Verifier, maker: Maker): Promise<ClaimError | undefined> =>
  verifier.verify(requestOf(maker)).then(
    () => undefined,
    (error: ClaimError) => error,
  )

/** Sends as many proofs as the budget of a key allows, in groups of concurrent requests. */
async function fill(show: () => Promise<number | undefined>): Promise<void> {
  const TOGETHER = 100
  for (let shown = 0; shown < MAX; shown += TOGETHER) {
    const statuses = await Promise.all(Array.from({ length: TOGETHER }, show))
    expect(statuses.every((status) => status === undefined)).toBe(true)
  }
}

test('a key over its budget gets 429 with the seconds to wait; another key passes', async () => {
  const verifier = createVerifier({ ...RULES, jwks, apiOrigin: API })
  await fill(async () => (await show(verifier, busy))?.status)
  for (let shown = 0; shown < 3; shown += 1) {
    const refusal = await show(verifier, busy)
    expect(refusal).toBeInstanceOf(ClaimError)
    expect(refusal).toMatchObject({ code: 'rate_limited', status: 429, challenge: undefined })
    expect(refusal?.retryAfterSeconds).toBeGreaterThanOrEqual(1)
    expect(refusal?.retryAfterSeconds).toBeLessThanOrEqual(151)
  }
  expect(await show(verifier, other)).toBeUndefined()
})

test("a middleware answers 429 with Retry-After, and writes no proof over the budget to the API's own store", async () => {
  const stored = new Set<string>()
  const replay = {
    async seen(key: string) {
      const isSeen = stored.has(key)
      stored.add(key)
      return isSeen
    },
  }
  const app = new Hono()
  app.use(claimAuth({ ...RULES, jwks, apiOrigin: API, allowedOrigins: '*', replay }))
  app.get('/a', (context) => context.text('passed'))
  const ask = async (maker: Maker): Promise<Response> =>
    app.request('/a', { headers: requestOf(maker).headers })
  await fill(async () => {
    const { status } = await ask(busy)
    return status === 200 ? undefined : status
  })
  const refused = await ask(busy)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d{0,2}$/)
  expect(refused.headers.get('access-control-allow-origin')).toBe(SITE)
  expect(await refused.json()).toMatchObject({ error: 'rate_limited', status: 429 })
  expect(stored.size).toBe(MAX)
  expect((await ask(other)).status).toBe(200)
})
