// `openService` of claimgate/server: the issuer in a program that has its own server.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { getRequestListener, serve } from '@hono/node-server'
import express from 'express'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { ConfigError, openService, type Service, StorageError } from '../../src/server.ts'
import { ADMIN_TOKEN } from '../support/server.ts'

const ORIGIN = 'https://shop.example.org'
const folder = mkdtempSync(join(tmpdir(), 'claimgate-embedded-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const METRICS = { CLAIMGATE_METRICS: 'public' }
const opened: Service[] = []
afterEach(async () => {
  for (const service of opened.splice(0)) await service.close()
})

const environment = (name: string, more: Readonly<Record<string, string>> = {}) => ({
  CLAIMGATE_ISSUER: `https://${name}.example.com`,
  CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
  DATABASE_URL: `sqlite:${join(folder, `${name}.db`)}`,
  CLAIMGATE_KEYS_DIR: join(folder, `${name}-keys`),
  CLAIMGATE_LOG: 'silent',
  ...more,
})

async function open(name: string, more?: Readonly<Record<string, string>>): Promise<Service> {
  const service = await openService(environment(name, more))
  opened.push(service)
  return service
}

/** Sends a JSON body to a path below the service's issuer. */
function post(service: Service, path: string, body: unknown, authorization: string, ip = '203.0.113.7') {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${authorization}` }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  return service.fetch(new Request(service.config.issuer + path, init), { ip })
}

async function createSecret(service: Service): Promise<string> {
  const answer = await post(service, '/admin/accounts', { name: 'a', allowedOrigins: [ORIGIN] }, ADMIN_TOKEN)
  return (await answer.json()).credential.token
}

const askWho = (service: Service, token: string, ip?: string) =>
  service.fetch(
    new Request(`${service.config.issuer}/auth/whoami`, {
      headers: { origin: ORIGIN, authorization: `Bearer ${token}` },
    }),
    { ip },
  )

test('issues and verifies tokens by the address that fetch is given', async () => {
  const service = await open('address')
  const secret = await createSecret(service)
  const claimed = await post(service, '/auth/claim', { origin: ORIGIN, ip: '203.0.113.7' }, secret)
  const { token } = await claimed.json()
  expect(claimed.status).toBe(200)
  expect((await askWho(service, token, '203.0.113.7')).status).toBe(200)
  expect((await (await askWho(service, token, '203.0.113.8')).json()).error).toBe('ip_mismatch')
  expect((await (await askWho(service, token)).json()).error).toBe('ip_mismatch')
})

test('takes the address from the request of a Node server', async () => {
  const service = await open('socket')
  const secret = await createSecret(service)
  const { token } = await (
    await post(service, '/auth/claim', { origin: ORIGIN, ip: '127.0.0.1' }, secret)
  ).json()
  for (const fetch of [service.fetch, service.app.fetch]) {
    const server = serve({ fetch, port: 0, hostname: '127.0.0.1' })
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const headers = { origin: ORIGIN, authorization: `Bearer ${token}` }
    const answer = await globalThis.fetch(`http://127.0.0.1:${port}/auth/whoami`, { headers })
    expect(answer.status).toBe(200)
    await new Promise((resolve) => server.close(resolve))
  }
})

test('answers below a path of an Express app, with the URLs of its issuer', async () => {
  const service = await open('mounted', { CLAIMGATE_ISSUER: 'https://www.example.com/tokens' })
  const app = express()
  app.use('/tokens', getRequestListener(service.fetch))
  app.use((_request, response) => void response.status(418).end())
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const ask = (path: string, headers = {}) => globalThis.fetch(`http://127.0.0.1:${port}${path}`, { headers })
  const authorization = `Bearer ${ADMIN_TOKEN}`
  expect((await ask('/tokens/readyz')).status).toBe(200)
  expect((await ask('/tokens/admin/accounts', { authorization })).status).toBe(200)
  expect(await (await ask('/tokens/auth/whoami')).json()).toMatchObject({
    type: 'https://www.example.com/tokens/docs#missing_token',
  })
  expect((await ask('/readyz')).status).toBe(418)
  await new Promise((resolve) => server.close(resolve))
})

test('each call is a service of its own', async () => {
  const [one, two] = [await open('one', METRICS), await open('two', METRICS)]
  const secret = await createSecret(one)
  expect((await post(one, '/auth/claim', { origin: ORIGIN }, secret)).status).toBe(200)
  expect((await post(two, '/auth/claim', { origin: ORIGIN }, secret)).status).toBe(401)
  const read = async (service: Service) => {
    const request = new Request(`${service.config.issuer}/metrics`)
    return (await service.fetch(request)).text()
  }
  expect(await read(one)).toContain('claimgate_tokens_issued_total{door="claim"} 1')
  expect(await read(two)).toContain('claimgate_tokens_issued_total{door="claim"} 0')
})

test('two services on one database see each other as two processes do', async () => {
  const first = await open('shared')
  const secret = await createSecret(first)
  const second = await open('shared')
  expect((await post(second, '/auth/claim', { origin: ORIGIN }, secret)).status).toBe(200)
})

test('reads only the environment that it is given, and installs no signal handler', async () => {
  const listeners = () => ['SIGTERM', 'SIGINT', 'SIGHUP'].map((name) => process.listenerCount(name))
  const before = listeners()
  vi.stubEnv('CLAIMGATE_TYPO', 'ignored')
  vi.stubEnv('CLAIMGATE_AUDIENCE', 'https://elsewhere.example.com')
  try {
    const service = await open('environment')
    expect(service.config.audience).toEqual(['https://environment.example.com'])
  } finally {
    vi.unstubAllEnvs()
  }
  expect(listeners()).toEqual(before)
})

test('a development key is refused by the NODE_ENV that it is given, not by that of the process', async () => {
  await (await open('development')).close()
  const keys = join(folder, 'development-keys')
  const [first = ''] = readdirSync(keys).filter((name) => name.endsWith('.json'))
  const key = { ...JSON.parse(readFileSync(join(keys, first), 'utf8')), kid: 'dev-1' }
  writeFileSync(join(keys, 'dev-1.json'), JSON.stringify(key))
  await expect(openService(environment('development', { NODE_ENV: 'production' }))).rejects.toThrow(
    /dev-1\.json: is a development key/,
  )
  vi.stubEnv('NODE_ENV', 'production')
  try {
    await (await openService(environment('development'))).close()
  } finally {
    vi.unstubAllEnvs()
  }
})

test('after close, the service is not ready, and closing again does nothing', async () => {
  const service = await open('closing')
  const ask = (path: string) => service.fetch(new Request(service.config.issuer + path))
  expect((await ask('/readyz')).status).toBe(200)
  await Promise.all([service.close(), service.close()])
  expect((await ask('/readyz')).status).toBe(503)
})

test('rejects with ConfigError that lists all problems, and StorageError', async () => {
  const wrong = openService({ PORT: 'x', CLAIMGATE_ALG: 'none' })
  await expect(wrong).rejects.toBeInstanceOf(ConfigError)
  await expect(wrong).rejects.toMatchObject({ code: 'invalid_configuration', problems: [{}, {}] })
  await expect(openService(environment('redis', { REDIS_URL: 'redis://127.0.0.1' }))).rejects.toMatchObject({
    code: 'unsupported_configuration',
  })
  writeFileSync(join(folder, 'text.db'), 'this is no database, but long enough to be one'.repeat(20))
  const damaged = openService(environment('text'))
  await expect(damaged).rejects.toBeInstanceOf(StorageError)
  await expect(damaged).rejects.toMatchObject({ code: 'damaged' })
})

test('releases the database when the keys cannot be opened', async () => {
  writeFileSync(join(folder, 'no-folder'), '')
  const env = environment('released', { CLAIMGATE_KEYS_DIR: join(folder, 'no-folder') })
  await expect(openService(env)).rejects.toBeInstanceOf(StorageError)
  // SQLite removes the file of its write-ahead log when the last connection is closed.
  expect(existsSync(join(folder, 'released.db'))).toBe(true)
  expect(existsSync(join(folder, 'released.db-wal'))).toBe(false)
})

test.each(['', 'await service.close()'])('leaves nothing that keeps a process alive: %s', async (last) => {
  const code = `
    import { openService } from ${JSON.stringify(new URL('../../src/server.ts', import.meta.url).href)}
    const service = await openService(${JSON.stringify(environment('exit', { CLAIMGATE_LOG: 'debug' }))})
    await service.fetch(new Request('https://exit.example.com/healthz'))
    ${last}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    timeout: 20_000,
    env: { PATH: process.env.PATH },
  })
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toContainEqual(expect.objectContaining({ level: 'debug', msg: 'request', route: 'healthz' }))
})
