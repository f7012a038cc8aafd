// A token never outlives its credential: a longer expiresIn is refused, the default lifetime is cut.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemoryCounters } from '../../src/counters/memory.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { createKeyClient } from '../support/oauth-service.ts'
import { asserting, basicOf, tokenForm } from '../support/oauth-wire.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { claimRequest, createWorld, expectProblem, payloadOf, SITE, type World } from '../support/world.ts'

/** The start of every test, on a whole second. Epoch milliseconds. */
const START = Math.floor(Date.now() / 1000) * 1000

let clock = START
/** Runs when a request is counted: after its credential was checked, before its token is signed. */
let onCount = (): void => undefined
let service: MemoryService
let world: World
let credential: Json

const state = { allowed: true, remaining: 1, resetSeconds: 1 }
const limits = {
  async hit() {
    onCount()
    return state
  },
  peek: async () => state,
}
const counters = { ...createMemoryCounters(), openLimits: () => limits }

beforeEach(async () => {
  clock = START
  onCount = () => undefined
  service = await startMemory({}, { now: () => clock, counters })
  world = await createWorld(service)
  credential = await addCredential(100_000)
})
afterEach(() => service.stop())

/** A credential of the main account that expires this many milliseconds after the start. */
async function addCredential(expiresMs: number): Promise<Json> {
  const answer = await service.send({
    method: 'POST',
    path: `/admin/accounts/${world.accountId}/credentials`,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ expiresAt: new Date(START + expiresMs).toISOString() }),
  })
  expect(answer.status, answer.text).toBe(201)
  return answer.json().credential
}

const claim = (more: object = {}) =>
  service.send(claimRequest({ token: credential.token, origin: SITE, ...more }))
const basic = () => ({ authorization: basicOf(credential.clientId, credential.clientSecret) })

const endpoints: Readonly<Record<string, () => Promise<WireAnswer>>> = {
  claim: () => claim(),
  oauth: () => service.send(tokenForm({}, basic())),
  multiset: () => service.send({ method: 'POST', path: '/v1/m2m/token', headers: basic() }),
  aifabrix: () =>
    service.send({
      method: 'POST',
      path: '/api/v1/auth/token',
      headers: { 'x-client-id': credential.clientId, 'x-client-secret': credential.clientSecret },
    }),
}

/** The lifetime in an answer, seconds. */
const lifetimeOf = (answer: WireAnswer): number => answer.json().expiresIn ?? answer.json().expires_in
const tokenOf = (answer: WireAnswer): Json => payloadOf(answer.json().token ?? answer.json().access_token)

test.each(Object.entries(endpoints))(
  '%s: the lifetime is cut to what the credential has left',
  async (_, send) => {
    for (const [at, lifetime] of [
      [0, 100],
      [40_500, 60],
      [90_000, 10],
    ] as const) {
      clock = START + at
      const answer = await send()
      expect(answer.status, answer.text).toBe(200)
      const { iat, exp } = tokenOf(answer)
      expect([exp, exp - iat, lifetimeOf(answer)]).toEqual([START / 1000 + 100, lifetime, lifetime])
    }
    clock = START + 90_001
    expect((await send()).status).toBe(401)
  },
)

test.each(Object.entries(endpoints))('%s: time that passes before the signature counts', async (_, send) => {
  onCount = () => {
    clock = START + 70_000
  }
  const answer = await send()
  expect(tokenOf(answer)).toMatchObject({ iat: START / 1000 + 70, exp: START / 1000 + 100 })
  onCount = () => {
    clock = START + 91_000
  }
  expect((await send()).status).toBe(401)
})

test('an assertion authenticates a credential until the same moment as its secret', async () => {
  const { clientId } = credential
  const client = await createKeyClient(
    { ...world, deps: service.deps, lines: [], uses: [] },
    { credential: { expiresAt: START + 100_000 } },
  )
  expect(client.clientId).not.toBe(clientId)
  const send = async () => service.send(tokenForm(asserting(await client.sign())))
  clock = START + 85_000
  expect(tokenOf(await send()).exp).toBe(START / 1000 + 100)
  clock = START + 90_001
  expect((await send()).status).toBe(401)
})

test('an expiresIn beyond the credential is 422 and names the longest', async () => {
  expect(tokenOf(await claim({ expiresIn: 100 })).exp).toBe(START / 1000 + 100)
  const problem = expectProblem(await claim({ expiresIn: 101 }), 422, 'invalid_request', world)
  expect(problem.errors).toEqual([
    { parameter: 'expiresIn', message: 'must be a whole number of seconds from 10 to 100' },
  ])
  clock = START + 85_000
  expectProblem(await claim({ expiresIn: 16 }), 422, 'invalid_request', world)
  expect(tokenOf(await claim({ expiresIn: 15 })).exp).toBe(START / 1000 + 100)
})

test('a credential that expires between two seconds: the token ends at the earlier one', async () => {
  credential = await addCredential(20_900)
  expect(tokenOf(await claim()).exp).toBe(START / 1000 + 20)
  clock = START + 10_899
  expect(tokenOf(await claim())).toMatchObject({ iat: START / 1000 + 10, exp: START / 1000 + 20 })
  clock = START + 10_901
  expect((await claim()).status).toBe(401)
})
