// Runs README's blocks for API developers and for customers against a real service: each block is unchanged, except for the
// addresses, and gets a few lines that make it listen.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { admin, claim } from '../support/admin-api.ts'
import { createMaker, hashToken, type Maker } from '../support/dpop-maker.ts'
import { findFreePort } from '../support/ports.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import type { Project } from './project.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
const SITE = 'https://www.example.com'
/** A revoked token must be refused after this time: two polls of the list, and their duration. */
const REVOKED_WITHIN_MS = 6000

/** The TypeScript block of README whose first line begins with this comment, in the section with this heading. */
function blockOf(section: string, comment: string): string {
  const [, after = ''] = README.split(`\n## ${section}\n`)
  const [text = ''] = after.split('\n## ')
  const found = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const block = found.find((one) => one.startsWith(`// ${comment}`))
  if (block === undefined) throw new Error(`README has no block that begins with // ${comment}`)
  return block
}

const READY = `console.log('ready')`
const HONO_SERVER = `import { serve } from '@hono/node-server'`

/** For each framework: imports, and the lines that make `app` listen on `port`. */
const apis: Readonly<Record<string, readonly [imports: string, listen: (port: number) => string]>> = {
  Express: ['', (port) => `app.listen(${port}, '127.0.0.1', () => ${READY})`],
  Fastify: ['', (port) => `await app.listen({ port: ${port}, host: '127.0.0.1' }); ${READY}`],
  Hono: [
    HONO_SERVER,
    (port) => `serve({ fetch: app.fetch, port: ${port}, hostname: '127.0.0.1' }, () => ${READY})`,
  ],
}

const backends: typeof apis = {
  ...apis,
  'Next.js': [
    HONO_SERVER,
    (port) =>
      `serve({ fetch: (request) => (request.method === 'POST' ? POST : OPTIONS)(request), port: ${port}, hostname: '127.0.0.1' }, () => ${READY})`,
  ],
  'Cloudflare Workers': [
    HONO_SERVER,
    (port) =>
      `serve({ fetch: (request) => worker.fetch(request, process.env), port: ${port}, hostname: '127.0.0.1' }, () => ${READY})`,
  ],
}

interface Running {
  readonly url: string
  readonly stop: () => void
}

/** The quick start's shell blocks as README says to change them in a project that installed the package. */
function quickStartWhenInstalled(port: number): readonly string[] {
  const [, after = ''] = README.split('\n## Quick start\n')
  const [text = ''] = after.split('\n## ')
  expect(text).toContain('`npm install claimgate` and `npx claimgate serve &` do the same')
  const [, ...blocks] = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
  return blocks.map((block) =>
    block.replace('npm start &', 'npx claimgate serve &').replaceAll('127.0.0.1:8787', `127.0.0.1:${port}`),
  )
}

export function describeReadmeRuns(project: () => Project): void {
  let issuer: RunningServer
  let account: Json
  let secret: string

  beforeAll(async () => {
    issuer = await startServer()
    const made = await admin(issuer.url, 'POST', '/accounts', {
      body: { name: 'README', allowedOrigins: [SITE], scopes: ['read', 'things:write'] },
      status: 201,
    })
    account = made.account
    secret = made.credential.token
  })
  afterAll(() => issuer?.stop())

  test('README’s quick start works in a project that installed the package', async () => {
    const port = await findFreePort()
    const folder = join(project().folder, 'quick-start')
    mkdirSync(folder)
    // With job control, as in a terminal: `kill %1` then reaches the server below npx too.
    const script = ['set -m', ...quickStartWhenInstalled(port), 'kill %1; wait'].join('\n')
    const { stdout } = await promisify(execFile)('bash', ['-c', script], {
      cwd: folder,
      env: {
        PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
        HOME: folder,
        PORT: String(port),
        npm_config_update_notifier: 'false',
      },
      timeout: 50_000,
    })
    const expected = [
      '"status":"ready"',
      '"tokenType":"Bearer"',
      '"keyBound":false',
      '"error":"origin_mismatch"',
    ]
    const places = [...expected, '"msg":"stopped"'].map((part) => stdout.indexOf(part))
    expect(places, stdout).toEqual(places.toSorted((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  /** Starts a block as a process; resolves when it listens. */
  async function run(name: string, text: string, [imports, listen]: (typeof apis)[string]): Promise<Running> {
    const port = await findFreePort()
    const url = `http://127.0.0.1:${port}`
    const here = text
      .replaceAll('https://auth.example.com', issuer.url)
      .replaceAll('https://api.example.com', url)
      .replace('export default {', 'const worker = {')
    const file = project().write(
      `run/${name.replace(/\W/g, '-')}.ts`,
      `${imports}\n${here}\n${listen(port)}\n`,
    )
    const child: ChildProcess = spawn(process.execPath, [file], {
      cwd: project().folder,
      env: {
        PATH: process.env.PATH,
        CLAIMGATE_ISSUER: issuer.url,
        CLAIMGATE_ACCOUNT_TOKEN: secret,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    child.stderr?.on('data', (part) => {
      errors += part
    })
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const [first] = await Promise.race([once(lines, 'line'), once(child, 'exit')])
    if (first !== 'ready') throw new Error(`${name} does not start:\n${errors}`)
    return { url, stop: () => void child.kill() }
  }

  describe.each(Object.entries(apis))('README protects an API in %s', (name, adapter) => {
    let api: Running
    let maker: Maker
    beforeAll(async () => {
      maker = await createMaker('ES256')
      api = await run(`api-${name}`, blockOf('Protect your API', name), adapter)
    })
    afterAll(() => api?.stop())

    /** Status, and the account or error code of the answer. */
    async function ask(path: string, headers: Record<string, string>, method = 'GET'): Promise<string> {
      const response = await fetch(api.url + path, { method, headers: { origin: SITE, ...headers } })
      const text = await response.text()
      const { error, account: own } = text === '' ? ({} as Json) : JSON.parse(text)
      return [response.status, error ?? (own === account.id ? 'the account' : own)].join(' ').trim()
    }
    const mint = async (more: object = {}): Promise<string> =>
      (await claim(issuer.url, secret, SITE, more)).token

    test('a token passes on its site only, with the scopes that it has', async () => {
      const authorization = `Bearer ${await mint({ scope: 'read' })}`
      expect(await ask('/api/me', { authorization })).toBe('200 the account')
      expect(await ask('/api/me', { authorization, origin: 'https://evil.example' })).toBe(
        '401 origin_mismatch',
      )
      expect(await ask('/api/me', {})).toBe('401 missing_token')
      expect(await ask('/api/things/1', { authorization }, 'DELETE')).toBe('403 insufficient_scope')
      expect(await ask('/api/things/1', { authorization: `Bearer ${await mint()}` }, 'DELETE')).toBe('204')
    })

    test('a key-bound token passes with a proof only', async () => {
      const token = await mint({ jkt: maker.jkt })
      const claims = { htu: `${api.url}/api/me`, iat: Math.floor(Date.now() / 1000), ath: hashToken(token) }
      const dpop = maker.proof(claims)
      expect(await ask('/api/me', { authorization: `DPoP ${token}`, dpop })).toBe('200 the account')
      expect(await ask('/api/me', { authorization: `DPoP ${token}`, dpop })).toBe('401 invalid_proof')
      expect(await ask('/api/me', { authorization: `Bearer ${token}` })).toBe('401 proof_required')
    })

    test('a revoked token is refused', async () => {
      const token = await mint()
      const authorization = `Bearer ${token}`
      expect(await ask('/api/me', { authorization })).toBe('200 the account')
      const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      await admin(issuer.url, 'POST', '/revocations', { body: { jti }, status: 201 })
      await expect
        .poll(() => ask('/api/me', { authorization }), { timeout: REVOKED_WITHIN_MS, interval: 250 })
        .toBe('401 token_revoked')
    })
  })

  describe.each(Object.entries(backends))('README’s route of a customer in %s', (name, adapter) => {
    let backend: Running
    beforeAll(async () => {
      // The reader's own check of the session, which the block imports.
      project().write('run/session.js', `export const isSignedIn = (cookie) => cookie === 'session=1'\n`)
      backend = await run(`backend-${name}`, blockOf('For customers', name), adapter)
    })
    afterAll(() => backend?.stop())

    const post = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${backend.url}/api/client-token`, {
        method: 'POST',
        headers: { origin: SITE, cookie: 'session=1', 'content-type': 'application/json', ...headers },
        body: '{}',
      })

    test('gives a token to its signed-in visitors', async () => {
      const answer = (await (await post({})).json()) as Json
      expect(answer).toMatchObject({ tokenType: 'Bearer', config: { baseUrl: backend.url } })
      const whoami = await fetch(`${issuer.url}/auth/whoami`, {
        headers: { origin: SITE, authorization: `Bearer ${answer.token}` },
      })
      expect(await whoami.json()).toMatchObject({ sub: account.id, origin: SITE })
    })

    test('gives none to other visitors and other pages', async () => {
      expect((await post({ cookie: 'session=2' })).status).toBe(401)
      expect((await post({ origin: 'https://evil.example' })).status).toBe(403)
    })

    test('answers the preflight of its own pages', async () => {
      const response = await fetch(`${backend.url}/api/client-token`, {
        method: 'OPTIONS',
        headers: { origin: SITE, 'access-control-request-method': 'POST' },
      })
      expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([204, SITE])
    })
  })
}
