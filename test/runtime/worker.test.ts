// The Worker with real workerd and D1, started and bundled by the npm scripts.

import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_TOKEN } from '../support/server.ts'
import { sendToSocket, type WireAnswer } from '../support/wire.ts'
import { claimRequest, claimToken, createWorld, payloadOf, SITE, type World } from '../support/world.ts'
import { type RunningWorkerd, startWorkerd } from './workerd.ts'

const REPOSITORY = join(import.meta.dirname, '../..')

function targetOf({ url, stop }: RunningWorkerd): Parameters<typeof createWorld>[0] {
  return { issuer: url, send: (request) => sendToSocket(url, request), stop: async () => void (await stop()) }
}

function get(url: string, path: string, headers: Record<string, string> = {}): Promise<WireAnswer> {
  return sendToSocket(url, { method: 'GET', path, headers })
}

async function keyIds(url: string): Promise<readonly string[]> {
  const answer = await get(url, '/.well-known/jwks.json')
  expect(answer.status, answer.text).toBe(200)
  return answer.json().keys.map((key: { kid: string }) => key.kid)
}

/** The pids of a process and its descendants, from /proc. */
function pidsFrom(root: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = readStat(Number(name))?.parent
    if (parent !== undefined) parents.set(Number(name), parent)
  }
  const below = [...parents].filter(([, parent]) => parent === root).map(([pid]) => pid)
  return [root, ...below.flatMap(pidsFrom)]
}

/** Parent pid and command of a process. Undefined when it does not exist or is a zombie. */
function readStat(pid: number): { readonly parent: number; readonly command: string } | undefined {
  try {
    const [, command = '', state, parent] =
      /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return state === 'Z' ? undefined : { parent: Number(parent), command }
  } catch {
    return undefined
  }
}

/** Runs the commands that the output shows after `$`, in this folder. Returns the JSON that each prints. */
function pasteCommands(server: RunningWorkerd, folder: string): readonly unknown[] {
  const commands = [...server.output().matchAll(/^ {2}\$ (.*)$/gm)].map(([, command = '']) => command)
  return commands.map((command) => {
    const run = spawnSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' })
    return JSON.parse(run.stdout)
  })
}

async function expectStops(server: RunningWorkerd, signal: NodeJS.Signals): Promise<void> {
  const pids = pidsFrom(server.pid)
  expect(pids.map((pid) => readStat(pid)?.command)).toContain('workerd')
  await server.stop(signal)
  await expect.poll(() => pids.filter((pid) => readStat(pid) !== undefined), { timeout: 5000 }).toEqual([])
}

describe('dev:worker', () => {
  let folder: string
  let checkout: string
  let persistTo: string
  let server: RunningWorkerd
  let world: World
  let coldKeys: readonly (readonly string[])[]

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'claimgate-worker-'))
    checkout = join(folder, 'checkout')
    persistTo = join(folder, 'state')
    // A copy without .dev.vars: the test sees how they are created, and the developer's own stay unchanged.
    cpSync(join(REPOSITORY, 'wrangler.toml'), join(checkout, 'wrangler.toml'))
    for (const name of ['node_modules', 'package.json', 'src', 'tsconfig.json']) {
      symlinkSync(join(REPOSITORY, name), join(checkout, name))
    }
    server = await startWorkerd({ CLAIMGATE_TRUSTED_PROXIES: 'loopback' }, { checkout, persistTo })
    coldKeys = await Promise.all(Array.from({ length: 8 }, () => keyIds(server.url)))
    world = await createWorld(targetOf(server))
  })
  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('concurrent first requests to an empty database get the same two keys', () => {
    expect(coldKeys[0]).toHaveLength(2)
    for (const keys of coldKeys) expect(keys).toEqual(coldKeys[0])
  })

  test('it creates a master key that only its owner can read', () => {
    const file = join(checkout, '.dev.vars')
    expect(readFileSync(file, 'utf8')).toMatch(/^CLAIMGATE_MASTER_KEY=[\w-]{43}\n$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['/healthz', { status: 'ok' }],
    ['/readyz', { status: 'ready', checks: { database: 'ok', keys: 'ok' } }],
  ])('%s', async (path, body) => {
    const answer = await get(server.url, path)
    expect([answer.status, answer.json()]).toEqual([200, body])
  })

  test('the issuer is the loopback address and the port', async () => {
    expect(payloadOf(await claimToken(world))).toMatchObject({ iss: server.url, aud: server.url })
  })

  test('a token verifies with the published keys, which have no private member', async () => {
    const answer = await get(server.url, '/.well-known/jwks.json')
    for (const key of answer.json().keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    }
    const options = { issuer: server.url, audience: server.url, typ: 'at+jwt', algorithms: ['ES256'] }
    const { payload } = await jwtVerify(await claimToken(world), createLocalJWKSet(answer.json()), options)
    expect(payload).toMatchObject({ sub: world.accountId, origin: SITE })
  })

  test.each([
    ['the right origin', { origin: SITE }, 200, undefined],
    ['no origin', {}, 401, 'origin_required'],
    ['a wrong origin', { origin: 'https://evil.example' }, 401, 'origin_mismatch'],
  ])('whoami from %s', async (_, headers: Record<string, string>, status, code) => {
    const authorization = `Bearer ${await claimToken(world)}`
    const answer = await get(server.url, '/auth/whoami', { ...headers, authorization })
    expect([answer.status, answer.json().error]).toEqual([status, code])
  })

  test('the list of revocations verifies with the published keys', async () => {
    const answer = await get(server.url, '/.well-known/revocations')
    expect(answer.status, answer.text).toBe(200)
    const keys = (await get(server.url, '/.well-known/jwks.json')).json()
    const { payload } = await jwtVerify(answer.text, createLocalJWKSet(keys), {
      issuer: server.url,
      typ: 'revocations+jwt',
    })
    expect(payload.revoked).toEqual([])
  })

  test('a wrong secret is refused', async () => {
    const answer = await world.send(claimRequest({ token: world.wrong, origin: SITE }))
    expect([answer.status, answer.json().error]).toEqual([401, 'unauthorized'])
  })

  test.each([
    ['cf-connecting-ip', 200, undefined],
    ['x-forwarded-for', 401, 'ip_mismatch'],
    ['x-real-ip', 401, 'ip_mismatch'],
  ])('the client address in %s: %i', async (name, status, code) => {
    const authorization = `Bearer ${await claimToken(world, { ip: '203.0.113.9' })}`
    const headers = { authorization, origin: SITE, [name]: '203.0.113.9' }
    const answer = await get(server.url, '/auth/whoami', headers)
    expect([answer.status, answer.json().error]).toEqual([status, code])
  })

  test('the commands that it prints work unchanged, and no output contains the admin token', () => {
    const answers = pasteCommands(server, checkout)
    expect(answers).toEqual([
      expect.objectContaining({ account: expect.anything() }),
      expect.objectContaining({ origin: SITE }),
      expect.objectContaining({ origin: SITE }),
      expect.objectContaining({ error: 'origin_mismatch' }),
    ])
    expect(server.output()).not.toContain(ADMIN_TOKEN)
  })

  test('no secret and no unencrypted private key is on disk', () => {
    const files = readdirSync(persistTo, { recursive: true, encoding: 'utf8' })
      .map((name) => join(persistTo, name))
      .filter((file) => statSync(file).isFile())
    const text = files.map((file) => readFileSync(file, 'latin1')).join('\n')
    // The search covered the file with the records:
    expect(text).toContain(world.accountId)
    const sealed = text.match(/eyJhbGciOiJkaXIi[\w-]+\.\.[\w-]{16}\.[\w-]+\.[\w-]{22}/g)
    expect(new Set(sealed).size).toBe(2)
    expect(text).not.toContain('"d":')
    expect(text).not.toContain(world.clientSecret)
  })

  test('a restart keeps accounts and keys', async () => {
    const token = await claimToken(world)
    await expectStops(server, 'SIGTERM')
    server = await startWorkerd({}, { checkout, persistTo })
    expect(await keyIds(server.url)).toEqual(coldKeys[0])
    const again = { ...world, ...targetOf(server) }
    expect(payloadOf(await claimToken(again)).sub).toBe(world.accountId)
    // Another port is another issuer, so the token is refused although its signature is valid.
    const old = await get(server.url, '/auth/whoami', { authorization: `Bearer ${token}`, origin: SITE })
    expect([old.status, old.json().error]).toEqual([401, 'invalid_token'])
  })

  test('an admin token in .dev.vars is not printed, and the files made from it are removed', async () => {
    await server.stop()
    const kept = 'kept-in-dev-vars-0123456789-abcdef'
    appendFileSync(join(checkout, '.dev.vars'), `CLAIMGATE_ADMIN_TOKEN="${kept}"\n`)
    server = await startWorkerd({ CLAIMGATE_ADMIN_TOKEN: undefined }, { checkout, persistTo })
    expect(pasteCommands(server, checkout)[0]).toHaveProperty('account')
    expect(server.output()).not.toContain(kept)
    const headers = () => readdirSync(join(checkout, '.wrangler')).filter((name) => name.includes('header'))
    expect(headers().map((name) => statSync(join(checkout, '.wrangler', name)).mode & 0o777)).toEqual([0o600])
    await server.stop()
    expect(headers()).toEqual([])
    server = await startWorkerd({}, { checkout, persistTo })
  })

  test('with another master key it answers 503, the log says why, and no new keys are created', async () => {
    const other = await startWorkerd({}, { persistTo })
    try {
      const answer = await get(other.url, '/.well-known/jwks.json')
      expect([answer.status, answer.json().error]).toEqual([503, 'unavailable'])
      await expect.poll(other.output).toContain('cannot be decrypted with this master key')
    } finally {
      await other.stop()
    }
    expect(await keyIds(server.url)).toEqual(coldKeys[0])
  })
})

describe('a deployment that is not configured', () => {
  let server: RunningWorkerd
  beforeAll(async () => {
    const bad = { CLAIMGATE_TOKEN_TTL: 'half-an-hour', CLAIMGATE_ISUER: 'https://auth.example.com' }
    server = await startWorkerd({ CLAIMGATE_MASTER_KEY: '', CLAIMGATE_ISSUER: '', ...bad })
  })
  afterAll(() => server?.stop())

  test.each(['/healthz', '/auth/claim', '/admin/accounts', '/nowhere'])('%s is 503', async (path) => {
    const answer = await get(server.url, path)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(answer.json()).toEqual({
      type: `${server.url}/docs#unavailable`,
      title: expect.any(String),
      status: 503,
      detail: expect.stringContaining('not configured'),
      error: 'unavailable',
      requestId: answer.headers.get('x-request-id'),
    })
  })

  test('each problem is one log line, without the value', async () => {
    await get(server.url, '/healthz')
    const read = () => server.output().match(/\{"time".*"the configuration cannot be used".*\}/g) ?? []
    await expect.poll(() => read().length).toBe(4)
    const reasons = read().map((line): string => JSON.parse(line).reason)
    expect(reasons.map((reason) => reason.split(':')[0]).sort()).toEqual([
      'CLAIMGATE_ISSUER',
      'CLAIMGATE_ISUER',
      'CLAIMGATE_MASTER_KEY',
      'CLAIMGATE_TOKEN_TTL',
    ])
    expect(reasons.join()).not.toContain('half-an-hour')
  })

  test('SIGINT stops it and all of its processes', () => expectStops(server, 'SIGINT'))
})

test.each(['0', '65536', '99999'])('dev:worker refuses --port %s', (port) => {
  const run = spawnSync(process.execPath, ['scripts/dev-worker.ts', '--port', port], { encoding: 'utf8' })
  expect([run.status, run.stderr.split(':')[0]]).toEqual([1, '--port'])
})

test('deploy:worker --dry-run shows the size of the bundle, which is under 1 MB gzipped', () => {
  const outDir = mkdtempSync(join(tmpdir(), 'claimgate-bundle-'))
  try {
    const flags = ['scripts/deploy-worker.ts', '--dry-run', '--outdir', outDir]
    const run = spawnSync(process.execPath, flags, { encoding: 'utf8' })
    expect(run.status, run.stdout + run.stderr).toBe(0)
    expect(run.stdout).toMatch(/Total Upload: .* gzip: .*/)
    expect(run.stdout).toContain('env.DB')
    const bundle = readFileSync(join(outDir, 'worker.js'))
    expect(bundle.toString()).toContain('/auth/claim')
    expect(gzipSync(bundle).length).toBeLessThan(1_000_000)
  } finally {
    rmSync(outDir, { recursive: true, force: true })
  }
})
