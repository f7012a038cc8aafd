// A token, a secret, an account or a signing key is revoked while its tokens are used. The process that answered refuses them
// immediately, another process on the same store within two seconds, and a remote verifier after its next poll of the signed
// list.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, type Verifier } from '../../src/verify/verifier.ts'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

const REFRESH_SECONDS = 1
const OTHER_PROCESS_MS = 2000
const FEED_MS = (REFRESH_SECONDS + 1) * 1000

const { makeFolder, start } = useServers()
const issuer = 'http://127.0.0.1:8787'
let options: { readonly dir: string; readonly env: Record<string, string> }
let one: RunningServer
let other: RunningServer
let remote: Verifier

beforeAll(async () => {
  options = {
    dir: makeFolder(),
    env: { CLAIMGATE_ISSUER: issuer, CLAIMGATE_RATE_LIMIT: 'off', CLAIMGATE_KEY_PUBLISH: '0' },
  }
  one = await start(options)
  other = await start(options)
  remote = createVerifier({
    issuer,
    audience: issuer,
    jwksUri: `${one.url}/.well-known/jwks.json`,
    revocation: { url: `${one.url}/.well-known/revocations`, refreshSeconds: REFRESH_SECONDS },
  })
})
afterAll(() => remote?.close())

async function createAccount(): Promise<Json> {
  return admin(one.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE] },
    status: 201,
  })
}

/** The verdict of the remote verifier on a token: `200`, or status and code. */
async function verifyRemotely(token: string): Promise<string> {
  const request = new Request('https://api.example/', {
    headers: { authorization: `Bearer ${token}`, origin: SITE },
  })
  return remote.verify(request).then(
    () => '200',
    (error: { status: number; code: string }) => `${error.status} ${error.code}`,
  )
}

interface Watch {
  /** When the first refusal was seen; `performance.now()`, milliseconds. */
  refusedAt: number | undefined
  /** Every result except `200`, without repeats. */
  readonly verdicts: Set<string>
}

/** Sends a token repeatedly until `isOver`, and records the verdicts. */
function watch(show: () => Promise<string>, isOver: () => boolean): Watch & { readonly done: Promise<void> } {
  const seen: Watch = { refusedAt: undefined, verdicts: new Set() }
  const run = async (): Promise<void> => {
    while (!isOver()) {
      const verdict = await show()
      if (verdict !== '200') {
        seen.refusedAt ??= performance.now()
        seen.verdicts.add(verdict)
      } else if (seen.refusedAt !== undefined) seen.verdicts.add('200 after a refusal')
      await sleep(15)
    }
  }
  return Object.assign(seen, { done: run() })
}

type Kind = readonly [
  name: string,
  end: (made: Json, token: string) => Promise<unknown>,
  claimsAgain: boolean,
]
const kinds: readonly Kind[] = [
  [
    'jti',
    (_, token) =>
      admin(one.url, 'POST', '/revocations', { body: { jti: payloadOf(token).jti }, status: 201 }),
    true,
  ],
  [
    'clientId',
    ({ credential }) =>
      admin(one.url, 'POST', '/revocations', { body: { clientId: credential.id }, status: 201 }),
    true,
  ],
  [
    'sub',
    ({ account }) => admin(one.url, 'POST', '/revocations', { body: { sub: account.id }, status: 201 }),
    true,
  ],
  [
    'credential, deleted',
    ({ credential }) => admin(one.url, 'DELETE', `/credentials/${credential.id}`, { status: 204 }),
    false,
  ],
  [
    'account, deleted',
    ({ account }) => admin(one.url, 'DELETE', `/accounts/${account.id}`, { status: 204 }),
    false,
  ],
  [
    'account, suspended',
    ({ account }) => admin(one.url, 'PATCH', `/accounts/${account.id}`, { body: { status: 'suspended' } }),
    false,
  ],
]

const byKey: Kind = [
  'kid',
  (_, token) =>
    admin(one.url, 'POST', '/revocations', {
      body: { kid: JSON.parse(atob(token.split('.')[0] as string)).kid },
      status: 201,
    }),
  true,
]

function testEnd(name: string, end: Kind[1], claimsAgain: boolean): void {
  test('a token in use is refused immediately by the service, and within 2 s by a remote verifier', {
    timeout: 30_000,
  }, async () => {
    const made = await createAccount()
    const secret: string = made.credential.token
    const { token } = await claim(one.url, secret, SITE)
    let isOver = false
    const shows = [
      () => whoami(one.url, token, SITE),
      () => whoami(other.url, token, SITE),
      () => verifyRemotely(token),
    ]
    for (const show of shows) expect(await show()).toBe('200')
    const watches = shows.map((show) => watch(show, () => isOver))
    await sleep(300)
    for (const { refusedAt } of watches) expect(refusedAt).toBeUndefined()

    const begun = performance.now()
    await end(made, token)
    const answered = performance.now()
    expect(await whoami(one.url, token, SITE)).toBe('401 token_revoked')
    if (claimsAgain) {
      // Tokens issued after the answer are accepted everywhere, also within the same second.
      for (const { url } of [one, other]) {
        const next = await claim(url, secret, SITE)
        expect(next.refusal).toBeUndefined()
        expect(await whoami(one.url, next.token, SITE)).toBe('200')
        expect(await whoami(other.url, next.token, SITE)).toBe('200')
        expect(await verifyRemotely(next.token)).toBe('200')
      }
    } else expect((await claim(one.url, secret, SITE)).refusal).toBe('401 unauthorized')

    await sleep(FEED_MS + 500)
    isOver = true
    await Promise.all(watches.map(({ done }) => done))
    // After its next fetch of the JWK Set the remote verifier does not know the revoked key.
    if (name === 'kid') watches[2]?.verdicts.delete('401 invalid_token')
    for (const { verdicts } of watches) expect([...verdicts]).toEqual(['401 token_revoked'])
    const [here, there, far] = watches.map(({ refusedAt }) => refusedAt as number)
    expect(here).toBeLessThan(answered + 50)
    expect(here).toBeGreaterThan(begun)
    expect((there as number) - answered).toBeLessThan(OTHER_PROCESS_MS)
    expect((far as number) - answered).toBeLessThan(FEED_MS)
  })
}

describe.concurrent.each(kinds)('ended by %s', testEnd)
// This one does not run concurrently, because revoking the signing key ends the tokens of all accounts.
describe.each([byKey])('ended by %s', testEnd)

test.concurrent('a token issued before the revocation within the same second is refused', {
  timeout: 60_000,
}, async () => {
  const rounds = Array.from({ length: 10 }, async () => {
    const { credential } = await createAccount()
    await sleep(Math.random() * 1000)
    const before = await claim(one.url, credential.token, SITE)
    await admin(one.url, 'POST', '/revocations', { body: { clientId: credential.id }, status: 201 })
    const after = await claim(one.url, credential.token, SITE)
    expect(await whoami(one.url, before.token, SITE)).toBe('401 token_revoked')
    expect(await whoami(one.url, after.token, SITE)).toBe('200')
  })
  await Promise.all(rounds)
})

test.concurrent('tokens of a resumed account work again', async () => {
  const made = await createAccount()
  const { token } = await claim(one.url, made.credential.token, SITE)
  await admin(one.url, 'PATCH', `/accounts/${made.account.id}`, { body: { status: 'suspended' } })
  expect(await whoami(one.url, token, SITE)).toBe('401 token_revoked')
  await admin(one.url, 'PATCH', `/accounts/${made.account.id}`, { body: { status: 'active' } })
  expect(await whoami(one.url, token, SITE)).toBe('200')
  await sleep(Math.max(OTHER_PROCESS_MS, FEED_MS))
  expect(await whoami(other.url, token, SITE)).toBe('200')
  expect(await verifyRemotely(token)).toBe('200')
})

test.concurrent('a revocation survives kill -9 right after the 201', {
  timeout: 60_000,
}, async () => {
  const dir = makeFolder()
  const settings = { ...options, dir }
  const ended: string[] = []
  let secret: string | undefined
  for (let round = 0; round < 8; round += 1) {
    const server = await start(settings)
    for (const token of ended) expect(await whoami(server.url, token, SITE)).toBe('401 token_revoked')
    secret ??= (
      await admin(server.url, 'POST', '/accounts', {
        body: { name: 'Shop', allowedOrigins: [SITE] },
        status: 201,
      })
    ).credential.token as string
    const { token } = await claim(server.url, secret, SITE)
    expect(await whoami(server.url, token, SITE)).toBe('200')
    const body =
      round % 2 === 0 ? { jti: payloadOf(token).jti } : { kid: JSON.parse(atob(token.split('.')[0])).kid }
    await admin(server.url, 'POST', '/revocations', { body, status: 201 })
    server.kill()
    await server.exited
    ended.push(token)
  }
})

test.concurrent('after CLAIMGATE_MAX_TTL is lowered, revocations and retiring keys last as long as the old tokens', {
  timeout: 30_000,
}, async () => {
  const dir = makeFolder()
  const DAY_SECONDS = 86_400
  const first = await start({ ...options, dir })
  const body = { name: 'Shop', allowedOrigins: [SITE] }
  const made = await admin(first.url, 'POST', '/accounts', { body, status: 201 })
  const { token } = await claim(first.url, made.credential.token, SITE, { expiresIn: DAY_SECONDS })
  await admin(first.url, 'DELETE', `/credentials/${made.credential.id}`, { status: 204 })
  first.kill()
  await first.exited

  const lowered = { ...options.env, CLAIMGATE_MAX_TTL: '60', CLAIMGATE_TOKEN_TTL: '60' }
  const { url } = await start({ dir, env: lowered })
  const { client_id: clientId, iat } = payloadOf(token)
  const document = payloadOf(await (await fetch(`${url}/.well-known/revocations`)).text())
  const entry = document.revoked.find((one: Json) => one.client_id === clientId)
  expect(entry.until).toBeGreaterThan(iat + DAY_SECONDS)
  const lastsADay = (ends: string) => expect(Date.parse(ends) / 1000).toBeGreaterThan(iat + DAY_SECONDS)
  const { revocation } = await admin(url, 'POST', '/revocations', { body: { sub: 'acct_a' }, status: 201 })
  lastsADay(revocation.expiresAt)
  const { keys } = await admin(url, 'POST', '/keys/rotate', { body: { force: true } })
  lastsADay(keys.find((key: Json) => key.state === 'retiring').expiresAt)
  // New tokens are limited by the new value.
  await admin(url, 'PATCH', `/accounts/${made.account.id}`, { body: { maxTtl: 61 }, status: 422 })
})

test('a leaked signing key leaves the key set, and a new one signs', async () => {
  const made = await createAccount()
  const { token } = await claim(one.url, made.credential.token, SITE)
  const { kid } = JSON.parse(atob(token.split('.')[0]))
  await admin(one.url, 'POST', '/revocations', { body: { kid }, status: 201 })
  const { keys } = (await (await fetch(`${one.url}/.well-known/jwks.json`)).json()) as Json
  expect(keys.map((key: Json) => key.kid)).not.toContain(kid)
  expect(keys.length).toBeGreaterThanOrEqual(2)
  const listed = await admin(one.url, 'GET', '/keys')
  const states = listed.keys.map((key: Json) => key.state)
  expect(states.filter((state: string) => state === 'current')).toHaveLength(1)
  expect(states.filter((state: string) => state === 'pending')).toHaveLength(1)
  expect(listed.keys.find((key: Json) => key.kid === kid)?.state).toBe('expired')
})
