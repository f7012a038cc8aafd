// The commands of Trefle's own documentation, run by real curl and real Node against a real server: only the host differs, and
// two typing errors are corrected. Then requests as Trefle's other clients send them, and each bound of the token.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { sendToSocket, type Target, type WireAnswer, type WireRequest } from '../support/wire.ts'
import { createWorld, expectProblem, SITE, type World } from '../support/world.ts'

const run = promisify(execFile)
const SWIFT_ORIGIN = 'http://127.0.0.1/test>'
const SAMPLE = `const fetch = require('node-fetch');

const params = {
  origin: 'YOUR-WEBSITE-URL',
  ip: 'THE-WEBSITE-USER-IP',
  token: 'YOUR_TREFLE_TOKEN'
};

(async () => {
  const response = await fetch(
    'https://trefle.io/api/auth/claim', {
      method: 'post',
      body: JSON.stringify(params),
      headers: { 'Content-Type': 'application/json' }
    });
  const json = await response.json();
  console.log(json);
})();
`

let server: RunningServer
let world: World
let folder: string
/** A token that expires ten seconds after the tests began. The last test waits until then. */
let shortLived: { token: string; expiresAt: string }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-trefle-'))
  server = await startServer({ env: { CLAIMGATE_CLOCK_TOLERANCE: '0' } })
  const target: Target = {
    issuer: server.url,
    send: (request) => sendToSocket(server.url, request),
    stop: () => server.stop(),
  }
  world = await createWorld(target)
  shortLived = JSON.parse(await shell(`${correctedLine(SITE, '127.0.0.1').slice(0, -1)}&expiresIn=10'`))
})

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server?.stop()
})

describe('the curl line', () => {
  test('gets a token with an expiration in the documented format', async () => {
    const answer = JSON.parse(await shell(correctedLine(SITE, '12.34.56.78')))
    expectTrefleAnswer(answer)
    expect(answer).toMatchObject({ origin: SITE, ip: '12.34.56.78' })
  })

  test('as printed, with its stray quote: 422 for the address', async () => {
    const status = await shell(
      `${correctedLine(SITE, '12.34.56.78').slice(0, -1)}"' -o ${folder}/body -w '%{http_code}'`,
    )
    expect(status).toBe('422')
    const problem = JSON.parse(await shell(`cat ${folder}/body`))
    expect(problem).toMatchObject({ error: 'invalid_request', errors: [{ parameter: 'ip' }] })
    expect(problem.errors).toHaveLength(1)
  })
})

test('the Node sample, as a CommonJS script, gets a token that works', async () => {
  const script = join(folder, 'sample.cjs')
  writeFileSync(
    script,
    SAMPLE.replace('https://trefle.io', server.url)
      .replace('YOUR-WEBSITE-URL', SITE)
      .replace('THE-WEBSITE-USER-IP', '127.0.0.1')
      .replace('YOUR_TREFLE_TOKEN', world.token),
  )
  // The real node-fetch, of the major version that scripts of this kind can load.
  const env = { ...process.env, NODE_PATH: join(import.meta.dirname, '../../node_modules') }
  const { stdout } = await run(process.execPath, ['--no-warnings', script], { env })
  const member = (name: string) => new RegExp(`\\b${name}: '([^']+)'`).exec(stdout)?.[1] ?? ''
  expectTrefleAnswer({ token: member('token'), expiration: member('expiration') })
  expect(await whoami(member('token'))).toBe('200')
})

describe('the token, sent by curl', () => {
  let token: string
  beforeAll(async () => {
    token = JSON.parse(await shell(correctedLine(SITE, '127.0.0.1'))).token
  })

  test('works from its origin and address', async () => {
    expect(await whoami(token)).toBe('200')
  })

  test('works in the query string, where Trefle has it', async () => {
    const { status } = await world.send(get(`/auth/whoami?token=${token}`, { origin: SITE }))
    expect(status).toBe(200)
  })

  test.each([
    ['is refused without an Origin', [], 'origin_required'],
    ['is refused from another origin', ['Origin: https://evil.example'], 'origin_mismatch'],
    ['is refused from its origin over plain HTTP', ['Origin: http://www.example.com'], 'origin_mismatch'],
  ])('%s', async (_, headers, code) => {
    expect(await whoami(token, headers)).toBe(`401 ${code}`)
  })

  test('from another address is refused', async () => {
    const elsewhere = JSON.parse(await shell(correctedLine(SITE, '12.34.56.78'))).token
    expect(await whoami(elsewhere)).toBe('401 ip_mismatch')
  })

  test('with one bit of the signature flipped is refused', async () => {
    const [header, payload, signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    bytes[10] = (bytes[10] ?? 0) ^ 1
    expect(await whoami(`${header}.${payload}.${bytes.toString('base64url')}`)).toBe('401 invalid_token')
  })
})

describe('other clients', () => {
  const post = (path: string, extra: Partial<WireRequest> = {}) =>
    world.send({ method: 'POST', path, ...extra })
  const elixir = (token: string, body: object) =>
    post(`/api/auth/claim?token=${token}`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  test('trifolium: token in the query string, the rest in JSON, ip null', async () => {
    const answer = await elixir(world.token, { origin: SITE, ip: null })
    expect(answer.status, answer.text).toBe(200)
    expectTrefleAnswer(answer.json())
    expect(answer.json()).not.toHaveProperty('ip')
  })

  test('Swift: everything in the query string, no body and no media type', async () => {
    const answer = await post(`/api/auth/claim?token=${world.token}&origin=${SITE}&ip=203.0.113.7`)
    expect(answer.status, answer.text).toBe(200)
    expectTrefleAnswer(answer.json())
    expect(answer.json()).toMatchObject({ origin: SITE, ip: '203.0.113.7' })
  })

  test('an origin with a path and a stray character: the token is bound to the origin alone', async () => {
    const query = `token=${world.open}&origin=${encodeURIComponent(SWIFT_ORIGIN)}`
    const answer = await post(`/api/auth/claim?${query}`)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.json().origin).toBe('http://127.0.0.1')
    expect(await whoami(answer.json().token, ['Origin: http://127.0.0.1'])).toBe('200')
  })

  test.each([
    ['a wrong token, before the missing origin', () => world.wrong, {}, 401, 'unauthorized'],
    ['no origin', () => world.token, {}, 422, 'invalid_request'],
    ['an origin that is null', () => world.token, { origin: null, ip: null }, 422, 'invalid_request'],
    ['a bare host', () => world.token, { origin: 'localhost', ip: null }, 422, 'invalid_request'],
    [
      'an origin that is not listed',
      () => world.token,
      { origin: 'https://x.example' },
      403,
      'origin_not_allowed',
    ],
  ])('refused with a problem document: %s', async (_, token, body, status, code) => {
    expectProblem(await elixir(token(), body), status, code, world)
  })
})

test('after its ten seconds the token is refused', async () => {
  expect(await whoami(shortLived.token)).toBe('200')
  const left = Date.parse(shortLived.expiresAt) - Date.now()
  expect(left).toBeLessThanOrEqual(10_000)
  await new Promise((resolve) => setTimeout(resolve, left + 50))
  expect(await whoami(shortLived.token)).toBe('401 token_expired')
})

/** The documented line with its placeholders filled in and its last quote corrected. */
function correctedLine(origin: string, ip: string): string {
  return `curl -X POST '${server.url}/api/auth/claim?token=${world.token}&origin=${origin}&ip=${ip}'`
}

/** Runs a line in a shell and resolves to its stdout. Adds flags to curl: no progress output, a time limit. */
async function shell(line: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', line.replace(/^curl /, 'curl -sS --max-time 10 ')])
  return stdout
}

/** Sends the token by curl. Resolves to the status, and the code of a refusal, whose whole body must be JSON. */
async function whoami(token: string, headers: readonly string[] = [`Origin: ${SITE}`]): Promise<string> {
  const lines = [`Authorization: Bearer ${token}`, ...headers].flatMap((header) => ['-H', header])
  const { stdout } = await run('curl', [
    '-sS',
    '-i',
    '--max-time',
    '10',
    ...lines,
    `${server.url}/auth/whoami`,
  ])
  const [head = '', body = ''] = stdout.split('\r\n\r\n')
  const [statusLine = '', ...fields] = head.split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  if (status === 200) return '200'
  const problem = JSON.parse(body)
  const seen = new Headers(fields.map((field) => field.split(/: (.*)/s).slice(0, 2) as [string, string]))
  const answer: WireAnswer = { status, headers: seen, text: body, json: () => problem }
  expectProblem(answer, status, problem.error, world)
  return `${status} ${problem.error}`
}

function get(path: string, headers: Record<string, string>): WireRequest {
  return { method: 'GET', path, headers }
}

function expectTrefleAnswer(answer: { token: string; expiration: string }): void {
  expect(answer.token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  expect(answer.expiration).toMatch(/^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])-\d{4} ([01]\d|2[0-3]):[0-5]\d$/)
  const { exp } = JSON.parse(Buffer.from(answer.token.split('.')[1] ?? '', 'base64url').toString())
  const [date = '', time] = answer.expiration.split(' ')
  const [month, day, year] = date.split('-')
  expect(Date.parse(`${year}-${month}-${day}T${time}:00Z`)).toBe(Math.floor(exp / 60) * 60_000)
}
