// What a start prints and creates, and what makes it fail. Each test starts the real server in a folder of its own.

import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../support/ports.ts'
import {
  ADMIN_TOKEN,
  HAS_IPV6,
  type RunningServer,
  runServer,
  type ServerVariables,
  useServers,
} from '../support/server.ts'

const { makeFolder, start } = useServers()

const PREFIX = 'claimgate cannot start: '
const MASTER_KEY = 'bWFya2VkbWFya2VkbWFya2VkbWFya2VkbWFya2VkbWE'

function post(url: string, body: object): Promise<Response> {
  return fetch(`${url}/admin/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

/** The lines of a failed start, without their common prefix. */
function problemsOf(stderr: string): readonly string[] {
  expect(stderr.endsWith('\n')).toBe(true)
  const lines = stderr.slice(0, -1).split('\n')
  for (const line of lines) expect(line.startsWith(PREFIX), line).toBe(true)
  return lines.map((line) => line.slice(PREFIX.length))
}

/** Starts a server that must fail to start. Resolves to the problems that it reports. */
async function failToStart(env: ServerVariables, dir: string = makeFolder()): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runServer({ dir, env })
  expect(stdout).toBe('')
  expect(code, stderr).toBe(1)
  return problemsOf(stderr)
}

/** The key files among the names in a folder of keys; the other files are locks. */
const keysAmong = (names: readonly string[]): readonly string[] =>
  names.filter((name) => name.endsWith('.json'))

describe.concurrent('a start', () => {
  test('writes JSON lines to stdout, one of them with its URL, and the banner to stderr', async () => {
    const server = await start({ env: { CLAIMGATE_LOG: 'debug' } })
    expect(new URL(server.url).hostname).toBe('127.0.0.1')
    const made = await (await post(server.url, { name: 'A', allowedOrigins: ['*'] })).json()
    for (const path of ['/healthz', `/auth/claim?token=${made.credential.token}&origin=https://a.example`]) {
      await fetch(server.url + path, { method: path === '/healthz' ? 'GET' : 'POST' })
    }
    await server.stop()
    const lines = server
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const line of lines) {
      expect(line).toMatchObject({
        time: expect.any(String),
        level: expect.any(String),
        msg: expect.any(String),
      })
    }
    const listening = lines.filter(({ msg }) => msg === 'listening')
    expect(listening).toEqual([expect.objectContaining({ url: server.url })])
    expect(lines.filter(({ msg }) => msg === 'request')).toHaveLength(3)
    expect(server.stderr()).toMatch(/^claimgate listens on http/)
    expect(server.stderr()).not.toMatch(/warning/i)
    for (const secret of [made.credential.token, made.credential.clientSecret, ADMIN_TOKEN]) {
      expect(server.stdout() + server.stderr()).not.toContain(secret)
    }
  })

  test('creates the folders of data and keys, for their owner only', async () => {
    const dir = makeFolder()
    await start({ dir, env: { DATABASE_URL: undefined, CLAIMGATE_KEYS_DIR: undefined } })
    expect(modeOf(join(dir, 'data'))).toBe('700')
    for (const name of readdirSync(join(dir, 'data')))
      expect(`${name} ${modeOf(join(dir, 'data', name))}`).toBe(`${name} 600`)
    expect(readdirSync(join(dir, 'data'))).toContain('claimgate.db')
    expect(modeOf(join(dir, 'keys'))).toBe('700')
    const names = readdirSync(join(dir, 'keys'))
    expect(keysAmong(names)).toHaveLength(2)
    for (const name of names) expect(modeOf(join(dir, 'keys', name))).toBe('600')
  })

  test('listens on PORT, and uses it in the default issuer', async () => {
    const port = await findFreePort()
    const server = await start({ env: { PORT: String(port) } })
    expect(server.url).toBe(`http://127.0.0.1:${port}`)
    expect(await claimIssuer(server)).toBe(server.url)
  })

  test('with another issuer, still prints where it listens', async () => {
    const server = await start({
      env: { HOST: '0.0.0.0', CLAIMGATE_ISSUER: 'https://auth.example.com/t/' },
    })
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await claimIssuer(server)).toBe('https://auth.example.com/t')
  })

  test('reads .env in the working directory; the environment has precedence', async () => {
    const dir = makeFolder()
    writeFileSync(
      join(dir, '.env'),
      '\ufeffCLAIMGATE_ISSUER=https://from-file.example\nPORT=70000\nCLAIMGATE_TOKEN_TTL="77"\n# a comment\n',
    )
    const server = await start({ dir })
    expect(await claimIssuer(server)).toBe('https://from-file.example')
    expect(await claimLifetime(server)).toBe(77)
  })

  test.skipIf(!HAS_IPV6)('listens on ::1 (needs a machine with IPv6)', async () => {
    const server = await start({ env: { HOST: '::1' } })
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect(await claimIssuer(server)).toBe(server.url)
  })
})

async function occupyPort(): Promise<{ server: ReturnType<typeof createServer>; port: number }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

async function claimPayload({ url }: RunningServer): Promise<{ iss: string; iat: number; exp: number }> {
  const { credential } = await (await post(url, { name: 'A', allowedOrigins: ['*'] })).json()
  const body = new URLSearchParams({ token: credential.token, origin: 'https://a.example' })
  const { token } = await (await fetch(`${url}/auth/claim`, { method: 'POST', body })).json()
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
}

async function claimIssuer(server: RunningServer): Promise<string> {
  return (await claimPayload(server)).iss
}

async function claimLifetime(server: RunningServer): Promise<number> {
  const { iat, exp } = await claimPayload(server)
  return exp - iat
}

describe.concurrent('a bad environment', () => {
  test('is reported in one line for each problem, without the values', async () => {
    const env = {
      PORT: '70000',
      HOST: 'http://marked.example',
      CLAIMGATE_ISSUER: 'https://user:marked-password@auth.example.com',
      CLAIMGATE_AUDIENCE: 'marked,,marked',
      CLAIMGATE_ALG: 'RS256',
      CLAIMGATE_TOKEN_TTL: '9',
      CLAIMGATE_MAX_TTL: '1e4',
      CLAIMGATE_CLOCK_TOLERANCE: '301',
      CLAIMGATE_KEY_ROTATION: 'never',
      CLAIMGATE_KEY_PUBLISH: '-1',
      DATABASE_URL: 'mysql://root:marked-password@db.example/x',
      REDIS_URL: 'http://:marked-password@redis.example',
      CLAIMGATE_MASTER_KEY: `${MASTER_KEY}=`,
      CLAIMGATE_PEPPER: 'marked-pepper',
      CLAIMGATE_ADMIN_TOKEN: 'marked-admin-token',
      CLAIMGATE_TRUSTED_PROXIES: 'marked-proxy',
      CLAIMGATE_FORWARDED_HEADER: 'x-real-ip',
      CLAIMGATE_QUERY_SECRETS: 'marked',
      CLAIMGATE_RATE_LIMIT: 'marked',
      CLAIMGATE_WORKERS: '0',
      CLAIMGATE_METRICS: 'marked',
      CLAIMGATE_LOG: 'marked',
      CLAIMGATE_ADMIN_TOKN: 'marked-unknown-name-of-a-secret-variable',
      CLAIMGATE_SOMETHING_ELSE: 'marked',
    }
    const problems = await failToStart(env)
    expect(problems.map((line) => line.split(':')[0])).toEqual(Object.keys(env))
    for (const line of problems) expect(line).toMatch(/^[A-Z_]+: .+ \(example: .+\)$/)
    expect(problems.join('\n')).not.toMatch(/marked|bWFya2Vk/)
    expect(problems.find((line) => line.startsWith('CLAIMGATE_ADMIN_TOKN'))).toContain(
      'CLAIMGATE_ADMIN_TOKEN',
    )
  })

  test.each([
    [{ HOST: '0.0.0.0' }, 'CLAIMGATE_ISSUER'],
    [{ HOST: '::' }, 'CLAIMGATE_ISSUER'],
    [{ CLAIMGATE_TOKEN_TTL: '100', CLAIMGATE_MAX_TTL: '99' }, 'CLAIMGATE_TOKEN_TTL'],
    [{ DATABASE_URL: 'postgres://me:marked-password@127.0.0.1/x' }, 'CLAIMGATE_MASTER_KEY'],
    [{ CLAIMGATE_PORT: '8787' }, 'CLAIMGATE_PORT'],
    [{ HOST: '192.0.2.1', CLAIMGATE_ISSUER: 'https://auth.example.com' }, 'HOST'],
  ])('%o: one line about %s', async (env, variable) => {
    const problems = await failToStart(env)
    expect(problems).toEqual([expect.stringMatching(`^${variable}: .+ \\(example: .+\\)$`)])
    expect(problems[0]).not.toContain('marked')
  })

  test('variables of the customer’s backend are accepted and ignored', async () => {
    const env = { CLAIMGATE_ACCOUNT_TOKEN: 'x', CLAIMGATE_API_URL: 'x', CLAIMGATE_ALLOWED_ORIGINS: 'x' }
    await start({ env })
  })

  test('a feature that this version does not have is refused, not ignored', async () => {
    const problems = await failToStart({
      DATABASE_URL: 'postgres://me:marked-password@127.0.0.1/x',
      CLAIMGATE_MASTER_KEY: MASTER_KEY,
      REDIS_URL: 'redis://:marked-password@127.0.0.1',
      CLAIMGATE_WORKERS: 'auto',
    })
    expect(problems).toEqual([
      expect.stringMatching(/^REDIS_URL: .*not available in this version \(example: .+\)$/),
      expect.stringMatching(/^CLAIMGATE_WORKERS: .*not available in this version \(example: .+\)$/),
    ])
    expect(problems.join()).not.toContain('marked')
    expect(await failToStart({ CLAIMGATE_WORKERS: '2' })).toHaveLength(1)
  })

  test('a bad value in .env also stops the start', async () => {
    const dir = makeFolder()
    writeFileSync(join(dir, '.env'), 'CLAIMGATE_ALG=none\nCLAIMGATE_TYPO=1\n')
    const problems = await failToStart({}, dir)
    expect(problems.map((line) => line.split(':')[0])).toEqual(['CLAIMGATE_ALG', 'CLAIMGATE_TYPO'])
  })

  test('a .env that cannot be read is named', async () => {
    const dir = makeFolder()
    mkdirSync(join(dir, '.env'))
    expect(await failToStart({}, dir)).toEqual([expect.stringContaining('.env cannot be read')])
  })

  test.each([
    ['a line that is no assignment', 'PORT=0\nmarked-secret\n', 2],
    ['a quote that is not closed', '\n\nCLAIMGATE_PEPPER="marked-secret\n', 3],
    ['UTF-16', Buffer.from('\ufeffCLAIMGATE_PEPPER=marked-secret', 'utf16le'), 1],
  ])('%s in .env is one line with its number, without its text', async (_, content, line) => {
    const dir = makeFolder()
    writeFileSync(join(dir, '.env'), content)
    const problems = await failToStart({}, dir)
    expect(problems).toEqual([expect.stringMatching(`^\\.env, line ${line}: .+ \\(example: .+\\)$`)])
    expect(problems.join()).not.toContain('marked')
  })

  test('a port in use is reported, and the process that listens there goes on', async () => {
    const { server, port } = await occupyPort()
    const problems = await failToStart({ PORT: String(port) })
    expect(problems).toEqual([
      expect.stringMatching(/^PORT: another process listens there.*\(example: .+\)$/),
    ])
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(void socket.destroy()))
      socket.on('error', reject)
    })
    server.close()
  })
})

let template: string
beforeAll(async () => {
  const server = await start()
  template = server.dir
  await post(server.url, { name: 'A', allowedOrigins: ['*'] })
  await server.stop()
})

/** A folder with a database that has been in use, and with its keys. */
function makeUsed(): string {
  const dir = makeFolder()
  cpSync(template, dir, { recursive: true, preserveTimestamps: true })
  return dir
}

/** Inverts the bytes of a file from `from` up to `to`. */
function flip(path: string, from: number, to: number): void {
  const bytes = readFileSync(path)
  for (let at = from; at < to; at++) bytes[at] = ~(bytes[at] ?? 0)
  writeFileSync(path, bytes)
}

describe.concurrent('a database that cannot be read or written', () => {
  test.each<[string, RegExp, (database: string) => void]>([
    [
      'a file that is not a database',
      /is not a SQLite database/,
      (file) => writeFileSync(file, 'a letter to a friend\n'.repeat(500)),
    ],
    ['a damaged header', /is not a SQLite database/, (file) => flip(file, 0, 16)],
    ['a damaged schema page', /is corrupt/, (file) => flip(file, 100, 140)],
    ['a damaged page further on', /is corrupt/, (file) => flip(file, 4096 * 3, 4096 * 3 + 64)],
    ['a database cut short', /is corrupt/, (file) => truncateSync(file, 4096 * 3)],
    ['a file without write permission', /is read-only/, (file) => chmodSync(file, 0o444)],
    ['a folder without write permission', /is read-only/, (file) => chmodSync(dirname(file), 0o555)],
  ])('%s: exit 1, one line that names the file, and no byte changes', async (_, fault, harm) => {
    const dir = makeUsed()
    const records = join(dir, 'records')
    mkdirSync(records)
    const file = join(records, 'claimgate.db')
    renameSync(join(dir, 'claimgate.db'), file)
    harm(file)
    const before = { bytes: readFileSync(file), mode: modeOf(file) }
    const problems = await failToStart({ DATABASE_URL: `sqlite:${file}` }, dir)
    expect(problems).toEqual([expect.stringMatching(fault)])
    expect(problems[0]).toContain(file)
    expect(readFileSync(file).equals(before.bytes)).toBe(true)
    expect(modeOf(file)).toBe(before.mode)
    expect(readdirSync(records)).toEqual(['claimgate.db'])
    chmodSync(records, 0o700)
  })

  test('a folder instead of a file is reported with its path', async () => {
    const dir = makeFolder()
    expect(await failToStart({ DATABASE_URL: `sqlite:${dir}` }, dir)).toEqual([
      expect.stringContaining(`${dir} is not a file`),
    ])
  })

  test('a path through a file is reported, and the file does not change', async () => {
    const dir = makeFolder()
    const file = join(dir, 'data')
    writeFileSync(file, 'mine')
    const path = join(file, 'claimgate.db')
    expect(await failToStart({ DATABASE_URL: `sqlite:${path}` }, dir)).toEqual([
      expect.stringContaining(path),
    ])
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  test('a relative path is reported as it was given', async () => {
    const dir = makeFolder()
    writeFileSync(join(dir, 'data'), 'mine')
    expect(await failToStart({ DATABASE_URL: undefined }, dir)).toEqual([
      expect.stringContaining('data/claimgate.db'),
    ])
  })
})

describe.concurrent('signing keys that cannot be used', () => {
  test.each<[string, (file: string) => void]>([
    ['cut short', (file) => truncateSync(file, 100)],
    ['empty', (file) => truncateSync(file, 0)],
    ['JSON without the members of a key', (file) => writeFileSync(file, '{"kty":"EC"}')],
    ['under another name', (file) => renameSync(file, join(dirname(file), 'another-name.json'))],
  ])('a file that is %s: exit 1, one line that names it, and no file changes', async (_, harm) => {
    const dir = makeUsed()
    const keys = join(dir, 'keys')
    const [first = ''] = keysAmong(readdirSync(keys))
    const material = JSON.parse(readFileSync(join(keys, first), 'utf8')).d
    harm(join(keys, first))
    const before = readdirSync(keys).map((name) => [name, readFileSync(join(keys, name), 'utf8')])
    const problems = await failToStart({}, dir)
    const named = readdirSync(keys).includes(first) ? first : 'another-name.json'
    expect(problems).toEqual([expect.stringContaining(join(keys, named))])
    expect(problems[0]).not.toContain(material)
    expect(readdirSync(keys).map((name) => [name, readFileSync(join(keys, name), 'utf8')])).toEqual(before)
  })

  test('a file instead of the folder of keys is reported with its path', async () => {
    const dir = makeFolder()
    writeFileSync(join(dir, 'keys'), 'mine')
    expect(await failToStart({}, dir)).toEqual([expect.stringContaining(join(dir, 'keys'))])
  })

  test('a development key stops the start in production', async () => {
    const dir = makeUsed()
    const keys = join(dir, 'keys')
    const [first = ''] = keysAmong(readdirSync(keys))
    const key = { ...JSON.parse(readFileSync(join(keys, first), 'utf8')), kid: 'dev-1' }
    writeFileSync(join(keys, 'dev-1.json'), JSON.stringify(key))
    expect(await failToStart({ NODE_ENV: 'production' }, dir)).toEqual([
      expect.stringMatching(/dev-1\.json: is a development key/),
    ])
  })
})
