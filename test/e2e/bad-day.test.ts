// A secret has leaked, and an attacker claims tokens in a loop from both processes on one database. Once an operator's
// change is answered, neither process accepts a token of the attacker, and a remote verifier refuses it after its next
// poll. The customer can go on working.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, type Verifier } from '../../src/verify/verifier.ts'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { type RunningServer, serverEnvironment, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

const ROUNDS = 20
const REFRESH_SECONDS = 1
const issuer = 'http://127.0.0.1:8787'
const { makeFolder, start } = useServers()
const dir = makeFolder()
const env = { CLAIMGATE_ISSUER: issuer, CLAIMGATE_RATE_LIMIT: 'off' }
let servers: readonly RunningServer[]
let one: RunningServer
let remote: Verifier

beforeAll(async () => {
  one = await start({ dir, env })
  servers = [one, await start({ dir, env })]
  remote = createVerifier({
    issuer,
    audience: issuer,
    jwksUri: `${one.url}/.well-known/jwks.json`,
    revocation: { url: `${one.url}/.well-known/revocations`, refreshSeconds: REFRESH_SECONDS },
  })
})
afterAll(() => remote?.close())

const createAccount = (more: object = {}): Promise<Json> =>
  admin(one.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE], ...more },
    status: 201,
  })

/** The verdict of the remote verifier on a token: `200`, or status and code. */
async function verifyRemotely(token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, origin: SITE }
  return remote.verify(new Request('https://api.example/', { headers })).then(
    () => '200',
    (error: { status: number; code: string }) => `${error.status} ${error.code}`,
  )
}

interface Thief {
  /** Every token that the thief got. `askedAt` is when it was requested, in milliseconds of `performance.now`. */
  readonly tokens: { readonly askedAt: number; readonly token: string }[]
  /** Stops the loops. Resolves when the last answer has arrived. */
  stop(): Promise<void>
}

/** Claims tokens in a loop from each process. */
function steal(secret: string, more: object = {}, pauseMs = 25): Thief {
  const tokens: { askedAt: number; token: string }[] = []
  let isOver = false
  const loop = async ({ url }: RunningServer): Promise<void> => {
    while (!isOver) {
      const askedAt = performance.now()
      const { token } = await claim(url, secret, SITE, more)
      if (token !== undefined) tokens.push({ askedAt, token })
      await sleep(pauseMs)
    }
  }
  const loops = servers.map(loop)
  return {
    tokens,
    async stop() {
      isOver = true
      await Promise.all(loops)
    },
  }
}

/** For each token that a process or the remote verifier accepts: the verdicts of all of them. */
async function findSurvivors(tokens: readonly string[]): Promise<string[]> {
  const alive: string[] = []
  for (const token of tokens) {
    const verdicts = await Promise.all([
      ...servers.map(({ url }) => whoami(url, token, SITE)),
      verifyRemotely(token),
    ])
    if (verdicts.includes('200')) alive.push(verdicts.join())
  }
  return alive
}

const textOf = ({ tokens }: Thief): string[] => tokens.map(({ token }) => token)
const poll = (): Promise<void> => sleep((REFRESH_SECONDS + 2.5) * 1000)

test('a leaked secret: rotated without overlap, then revoked by client', { timeout: 85_000 }, async () => {
  const rounds = Array.from({ length: ROUNDS }, async (_unused, round) => {
    // In five groups, so that calls start at different parts of a second.
    await sleep((round % 5) * 4500 + round * 47)
    const { credential } = await createAccount()
    const thief = steal(credential.token, {}, 60)
    await sleep(1200)
    const rotated = await admin(one.url, 'POST', `/credentials/${credential.id}/rotate`, {
      body: { overlap: 0 },
    })
    const rotatedAt = performance.now()
    const body = { clientId: credential.id }
    await admin(one.url, 'POST', '/revocations', { body, status: 201 })
    // Tokens of the new secret are accepted, also those issued in the second of the answer.
    const next = await Promise.all(servers.map(async ({ url }) => claim(url, rotated.credential.token, SITE)))
    for (const { url } of servers) {
      for (const { refusal, token } of next) {
        expect(refusal).toBeUndefined()
        expect(await whoami(url, token, SITE)).toBe('200')
      }
    }
    await thief.stop()
    await poll()
    expect(thief.tokens.length).toBeGreaterThan(5)
    const late = thief.tokens.filter(({ askedAt }) => askedAt > rotatedAt)
    const alive = await findSurvivors(textOf(thief))
    for (const { token } of next) expect(await verifyRemotely(token)).toBe('200')
    return { late: late.length, alive: alive.length }
  })
  expect(await Promise.all(rounds)).toEqual(Array(ROUNDS).fill({ late: 0, alive: 0 }))
})

/** Runs the command line on the same database. */
async function cli(...parameters: string[]): Promise<void> {
  const script = join(import.meta.dirname, '../../scripts/claimgate.mjs')
  const child = spawn(process.execPath, [script, ...parameters, '--json'], {
    cwd: dir,
    env: serverEnvironment(dir, env),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  expect(code, stderr).toBe(0)
}

type End = (made: Json) => Promise<unknown>
const patch =
  (body: object): End =>
  ({ account }) =>
    admin(one.url, 'PATCH', `/accounts/${account.id}`, { body })

/** Ways to end the tokens of an account. `works` is whether the secret can still claim new tokens afterwards. */
const ends: readonly (readonly [name: string, end: End, works: boolean])[] = [
  [
    'a revocation of the sub',
    ({ account }) => admin(one.url, 'POST', '/revocations', { body: { sub: account.id }, status: 201 }),
    true,
  ],
  ['a PATCH with endTokens', patch({ endTokens: true }), true],
  ['a PATCH with endTokens and another change', patch({ endTokens: true, name: 'Other' }), true],
  [
    'deleting the credential',
    ({ credential }) => admin(one.url, 'DELETE', `/credentials/${credential.id}`, { status: 204 }),
    false,
  ],
  [
    'deleting the account',
    ({ account }) => admin(one.url, 'DELETE', `/accounts/${account.id}`, { status: 204 }),
    false,
  ],
  ['suspending the account', patch({ status: 'suspended' }), false],
  ['revoke on the command line', ({ account }) => cli('revoke', '--account', account.id), true],
  [
    'credential revoke on the command line',
    ({ credential }) => cli('credential', 'revoke', credential.id),
    false,
  ],
]

describe.concurrent('ended by', () => {
  test.each(ends)('%s', { timeout: 40_000 }, async (_name, end, works) => {
    const made = await createAccount()
    const thief = steal(made.credential.token)
    await sleep(1200)
    await end(made)
    const answeredAt = performance.now()
    const known = thief.tokens.filter(({ askedAt }) => askedAt < answeredAt - 1500)
    expect(known.length).toBeGreaterThan(0)
    const after = await Promise.all(servers.map(({ url }) => claim(url, made.credential.token, SITE)))
    for (const { refusal } of after) expect(refusal).toBe(works ? undefined : '401 unauthorized')
    if (works) {
      for (const { url } of servers) {
        for (const { token } of after) expect(await whoami(url, token, SITE)).toBe('200')
      }
    }
    await thief.stop()
    await poll()
    // If the secret still works, a claim sent before the answer may have been signed after it.
    const cutAt = works
      ? Math.min(...after.map(({ token }) => payloadOf(token).iat))
      : Number.POSITIVE_INFINITY
    const ended = textOf(thief).filter((token) => payloadOf(token).iat < cutAt)
    expect(ended.length).toBeGreaterThan(5)
    expect(await findSurvivors(ended)).toEqual([])
  })

  test('tokens and claims of a suspended account are refused until it is resumed, and then work again', {
    timeout: 40_000,
  }, async () => {
    const { account, credential } = await createAccount()
    const { token } = await claim(one.url, credential.token, SITE)
    await patch({ status: 'suspended' })({ account })
    for (const { url } of servers) expect(await whoami(url, token, SITE)).toBe('401 token_revoked')
    await patch({ status: 'active' })({ account })
    for (const { url } of servers) {
      expect(await whoami(url, token, SITE)).toBe('200')
      expect((await claim(url, credential.token, SITE)).refusal).toBeUndefined()
    }
    await poll()
    expect(await verifyRemotely(token)).toBe('200')
  })

  test('renaming an account ends no token, and claims at both processes still succeed', {
    timeout: 40_000,
  }, async () => {
    const { account, credential } = await createAccount()
    const refusals: string[] = []
    let isOver = false
    const loops = servers.map(async ({ url }) => {
      while (!isOver) {
        const { refusal } = await claim(url, credential.token, SITE)
        if (refusal !== undefined) refusals.push(refusal)
        await sleep(5)
      }
    })
    for (let round = 0; round < 12; round += 1) {
      await patch({ name: `Name ${round}` })({ account })
      await sleep(330)
    }
    isOver = true
    await Promise.all(loops)
    expect(refusals).toEqual([])
  })

  test.each<[string, object, object, (claims: Json) => boolean]>([
    [
      'a scope',
      { scopes: ['read', 'write'] },
      { scopes: ['read'] },
      ({ scope }) => String(scope).includes('write'),
    ],
    ['the longest lifetime', { maxTtl: 3600 }, { maxTtl: 60 }, ({ iat, exp }) => exp - iat > 60],
    [
      'an origin',
      { allowedOrigins: [SITE, 'https://b.example'] },
      { allowedOrigins: ['https://b.example'] },
      () => true,
    ],
  ])(
    'removing or lowering %s: no token beyond the new value is issued after the answer',
    { timeout: 40_000 },
    async (_name, more, body, isBeyond) => {
      const { account, credential } = await createAccount(more)
      const thief = steal(credential.token, {}, 10)
      await sleep(1200)
      await patch(body)({ account })
      const answeredAt = performance.now()
      await sleep(1500)
      await thief.stop()
      expect(thief.tokens.filter(({ token }) => isBeyond(payloadOf(token))).length).toBeGreaterThan(5)
      const late = thief.tokens.filter(({ askedAt }) => askedAt > answeredAt)
      expect(late.filter(({ token }) => isBeyond(payloadOf(token)))).toEqual([])
    },
  )
})
