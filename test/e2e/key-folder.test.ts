// The folder of signing keys as deployments can have it: mounted read-only, missing while the server runs, not mounted at
// the start, changed by the command line as root, writable for others.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { ADMIN_TOKEN, type RunningServer, serverEnvironment, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'

const { makeFolder, start } = useServers()

const ORIGIN = 'https://keys.example'
const USER = 4713
const isRoot = process.geteuid?.() === 0

interface Shop {
  readonly server: RunningServer
  readonly secret: string
  /** Claims a token. Resolves to the answer, or to `{ refusal }`. */
  claim(): Promise<Json>
}

async function openShop(server: RunningServer): Promise<Shop> {
  const body = { name: 'Shop', allowedOrigins: [ORIGIN] }
  const { credential } = await admin(server.url, 'POST', '/accounts', { body, status: 201 })
  return shopAt(server, credential.token)
}

function shopAt(server: RunningServer, secret: string): Shop {
  return { server, secret, claim: () => claim(server.url, secret, ORIGIN) }
}

const kidOf = (token: string): string => JSON.parse(atob(token.split('.')[0] ?? '')).kid

/** The answer of /readyz as text, like `503 unready keys failed`. */
async function readiness({ url }: RunningServer): Promise<string> {
  const answer = await fetch(`${url}/readyz`)
  const { status, checks } = (await answer.json()) as Json
  return `${answer.status} ${status} keys ${checks.keys}`
}

async function publishedAt({ url }: RunningServer): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as Json
  return keys.map(({ kid }: Json) => kid)
}

const statesAt = async ({ url }: RunningServer): Promise<Json> =>
  Object.fromEntries((await admin(url, 'GET', '/keys')).keys.map(({ kid, state }: Json) => [kid, state]))

const revoke = ({ url }: RunningServer, kid: string) =>
  admin(url, 'POST', '/revocations', { body: { kid }, status: 201 })

/** The messages of the server's log lines at level warn or error. */
const warningsOf = (server: RunningServer): readonly string[] =>
  server
    .stdout()
    .split('\n')
    .filter((line) => /"level":"(warn|error)"/.test(line))
    .map((line) => JSON.parse(line).msg)

/** Makes a user the owner of a folder and everything in it. */
function giveAll(dir: string, user: number): void {
  chownSync(dir, user, user)
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }))
    chownSync(join(dir, name), user, user)
}

/** Makes a folder like a mounted secret: owned by root, readable for everybody, writable for root only. */
function lockAway(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (!name.endsWith('.json')) rmSync(join(dir, name))
    else {
      chownSync(join(dir, name), 0, 0)
      chmodSync(join(dir, name), 0o644)
    }
  }
  chownSync(dir, 0, 0)
  chmodSync(dir, 0o755)
}

describe.skipIf(!isRoot).concurrent('read-only (needs root, to run the server as another user)', () => {
  test('a revoked key never signs again, with or without a next key, also after a restart', async ({
    expect,
  }) => {
    const dir = makeFolder()
    giveAll(dir, USER)
    const env = { CLAIMGATE_ISSUER: 'https://issuer.example' }
    await (await start({ dir, env, runAs: USER })).stop()
    const keys = join(dir, 'keys')
    lockAway(keys)
    const files = (): Json => readdirSync(keys).map((name) => readFileSync(join(keys, name), 'utf8'))
    const before = files()

    const { server, secret, claim: claimOne } = await openShop(await start({ dir, env, runAs: USER }))
    expect(await readiness(server)).toBe('200 ready keys ok')
    const old = (await claimOne()).token
    const leaked = kidOf(old)
    await revoke(server, leaked)
    // After the answer no token of that key works, and none is signed with it.
    const young = (await claimOne()).token
    const next = kidOf(young)
    expect(next).not.toBe(leaked)
    expect(await whoami(server.url, old, ORIGIN)).toBe('401 token_revoked')
    expect(await whoami(server.url, young, ORIGIN)).toBe('200')
    expect(await publishedAt(server)).toEqual([next])
    expect(await statesAt(server)).toEqual({ [leaked]: 'expired', [next]: 'current' })
    expect(await readiness(server)).toBe('200 degraded keys failed')
    const feed = await (await fetch(`${server.url}/.well-known/revocations`)).text()
    expect(kidOf(feed)).toBe(next)
    await expect.poll(() => warningsOf(server).length, { timeout: 4000 }).toBe(1)
    await server.stop()

    const again = shopAt(await start({ dir, env, runAs: USER }), secret)
    expect(kidOf((await again.claim()).token)).toBe(next)
    expect(await readiness(again.server)).toBe('200 degraded keys failed')
    await revoke(again.server, next)
    const refused = await fetch(`${again.server.url}/auth/claim`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}` },
      body: new URLSearchParams({ origin: ORIGIN }),
    })
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, 5])
    expect(await whoami(again.server.url, young, ORIGIN)).toBe('401 token_revoked')
    expect(await publishedAt(again.server)).toEqual([])
    expect(await readiness(again.server)).toBe('503 unready keys failed')
    expect((await fetch(`${again.server.url}/.well-known/revocations`)).status).toBe(503)
    await again.server.stop()

    const third = shopAt(await start({ dir, env, runAs: USER }), secret)
    expect(await readiness(third.server)).toBe('503 unready keys failed')
    expect((await third.claim()).refusal).toBe('503 unavailable')
    expect(files()).toEqual(before)
    // It recovers by itself when the folder becomes writable.
    giveAll(keys, USER)
    await expect.poll(() => readiness(third.server), { timeout: 5000 }).toBe('200 ready keys ok')
    const healed = kidOf((await third.claim()).token)
    expect([leaked, next]).not.toContain(healed)
  }, 60_000)

  test('keys that root changes on the command line stay usable for the user of the server', async ({
    expect,
  }) => {
    const dir = makeFolder()
    giveAll(dir, USER)
    const shop = await openShop(await start({ dir, runAs: USER }))
    const { server } = shop
    const run = (...argv: string[]) => runCommand(dir, server.url, argv)
    const first = kidOf((await shop.claim()).token)
    await run('key', 'rotate', '--force')
    const foreign = () =>
      readdirSync(join(dir, 'keys')).filter((name) => statSync(join(dir, 'keys', name)).uid !== USER)
    expect(foreign()).toEqual([])
    await expect.poll(async () => kidOf((await shop.claim()).token), { timeout: 3000 }).not.toBe(first)
    await admin(server.url, 'POST', '/keys/rotate', { body: { force: true } })
    const third = kidOf((await shop.claim()).token)
    await run('revoke', '--kid', third)
    await expect.poll(async () => kidOf((await shop.claim()).token), { timeout: 3000 }).not.toBe(third)
    expect(foreign()).toEqual([])
    const listed = JSON.parse(await run('key', 'list', '--json')).keys
    expect(listed).toEqual((await admin(server.url, 'GET', '/keys')).keys)
    expect(await readiness(server)).toBe('200 ready keys ok')
    expect(warningsOf(server)).toEqual([])
    await server.stop()

    // The same for the first keys in an empty folder.
    for (const name of readdirSync(join(dir, 'keys'))) rmSync(join(dir, 'keys', name))
    await run('key', 'rotate', '--force')
    expect(foreign()).toEqual([])
    const again = shopAt(await start({ dir, runAs: USER }), shop.secret)
    expect((await again.claim()).refusal).toBeUndefined()
  }, 60_000)
})

/** Runs the command line as the user of this test (root) on the server's folder. Expects success; resolves to its stdout. */
async function runCommand(dir: string, issuer: string, argv: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [resolve('scripts/claimgate.mjs'), ...argv], {
    cwd: dir,
    env: serverEnvironment(dir, { CLAIMGATE_ISSUER: issuer }),
    timeout: 30_000,
  })
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (text) => {
      out[name] += text
    })
  const code = await new Promise((done) => child.once('close', done))
  expect(`${argv.join(' ')}: ${code}`, out.stderr).toBe(`${argv.join(' ')}: 0`)
  return out.stdout
}

describe.concurrent('while the server runs', () => {
  test.for<[string, (keys: string, aside: string) => () => void]>([
    [
      'missing',
      (keys, aside) => {
        renameSync(keys, aside)
        return () => renameSync(aside, keys)
      },
    ],
    [
      'empty',
      (keys, aside) => {
        mkdirSync(aside)
        const names = readdirSync(keys)
        for (const name of names) renameSync(join(keys, name), join(aside, name))
        return () => {
          for (const name of names) renameSync(join(aside, name), join(keys, name))
        }
      },
    ],
  ])(
    'a folder that is %s makes the server unready, and claims and verification go on until it is back',
    { timeout: 40_000 },
    async ([_, take], { expect }) => {
      const dir = makeFolder()
      const shop = await openShop(await start({ dir, env: { CLAIMGATE_KEY_PUBLISH: '0' } }))
      const { server } = shop
      const { token } = await shop.claim()
      const published = await publishedAt(server)
      const keys = join(dir, 'keys')
      const giveBack = take(keys, join(dir, 'aside'))
      await expect.poll(() => readiness(server), { timeout: 5000 }).toBe('503 unready keys failed')
      expect(kidOf((await shop.claim()).token)).toBe(kidOf(token))
      expect(await whoami(server.url, token, ORIGIN)).toBe('200')
      expect(await publishedAt(server)).toEqual(published)
      const rotating = await fetch(`${server.url}/admin/keys/rotate`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        body: '{"force":true}',
      })
      expect(rotating.status).toBe(503)
      await new Promise((done) => setTimeout(done, 2500))
      const found = statSync(keys, { throwIfNoEntry: false }) ? readdirSync(keys) : []
      expect(found.filter((name) => name.endsWith('.json'))).toEqual([])
      if (found.length > 0) for (const name of found) rmSync(join(keys, name))
      giveBack()
      await expect.poll(() => readiness(server), { timeout: 5000 }).toBe('200 ready keys ok')
      expect(await publishedAt(server)).toEqual(published)
      expect(await whoami(server.url, token, ORIGIN)).toBe('200')
    },
  )
})

describe.concurrent('at the start', () => {
  const GONE = /^new signing keys were made although credentials have been used before/

  test('an unmounted folder: new keys for a database with used credentials are a warning', async ({
    expect,
  }) => {
    const dir = makeFolder()
    const shop = await openShop(await start({ dir }))
    const keys = join(dir, 'keys')
    // Nobody has used the credential yet, so no token is lost.
    await shop.server.stop()
    rmSync(keys, { recursive: true })
    const second = shopAt(await start({ dir }), shop.secret)
    expect(warningsOf(second.server)).toEqual([])
    await second.claim()
    await second.server.stop()
    const third = await start({ dir })
    expect(warningsOf(third)).toEqual([])
    await third.stop()
    rmSync(keys, { recursive: true })
    const fourth = await start({ dir })
    expect(warningsOf(fourth)).toEqual([expect.stringMatching(GONE)])
    await expect.poll(() => fourth.stderr()).toMatch(/^Warning: new signing keys were made/m)
    expect(second.server.stderr() + third.stderr()).not.toContain('Warning')
  }, 40_000)

  test('a folder that others may write to causes a warning and keeps its mode', async ({ expect }) => {
    const dir = makeFolder()
    const keys = join(dir, 'keys')
    mkdirSync(keys)
    chmodSync(keys, 0o777)
    const server = await start({ dir })
    expect(warningsOf(server)).toEqual(['other users may change the signing keys'])
    expect(server.stdout()).toContain(`"reason":"${keys}: users other than its owner may write`)
    expect(statSync(keys).mode & 0o777).toBe(0o777)
    await server.stop()
    chmodSync(keys, 0o755)
    const quiet = await start({ dir })
    expect(warningsOf(quiet)).toEqual([])
    expect(statSync(keys).mode & 0o777).toBe(0o755)
  }, 40_000)
})
