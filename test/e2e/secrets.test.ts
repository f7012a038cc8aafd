// A real server at log level debug gets many valid and invalid requests. Then everything that the server wrote (log, banner,
// refusals, metrics, database) is searched for all secrets, tokens, query strings and client addresses of those requests.

import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { ADMIN_TOKEN, startServer } from '../support/server.ts'
import { sendToSocket, type WireAnswer, type WireRequest } from '../support/wire.ts'
import { claimRequest, createAccount, createWorld, SITE, type World } from '../support/world.ts'

const PEPPER = `pepper-${randomBytes(24).toString('hex')}`
const WRONG_ADMIN = `wrong-admin-${randomBytes(24).toString('hex')}`
const NAME = 'Planted Marker 4711'
const QUERY_MARK = 'querymark0815'
const CLIENTS = ['203.0.113.77', '198.51.100.88', '2001:db8:77:1:dead:beef:0:99']
const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

/** Texts that must not be found. The value of each is a name that test output may show. */
const secrets = new Map<string, string>([
  [PEPPER, 'pepper'],
  [ADMIN_TOKEN, 'admin token'],
  [WRONG_ADMIN, 'wrong admin token'],
  [QUERY_MARK, 'query string'],
  ...CLIENTS.map((address) => [address, `client address ${address}`] as const),
])
/** Everything that the server wrote, by the place where it wrote it. */
const written = new Map<string, Buffer>()
const refusals: string[] = []
const statuses = new Map<number, number>()
let lastRequestId = ''

beforeAll(async () => {
  const server = await startServer({
    env: {
      CLAIMGATE_LOG: 'debug',
      CLAIMGATE_PEPPER: PEPPER,
      CLAIMGATE_TRUSTED_PROXIES: 'loopback',
      // This machine is a trusted proxy here, and requests through a proxy may not read metrics by default.
      CLAIMGATE_METRICS: 'public',
    },
  })
  try {
    const send = async (request: WireRequest): Promise<WireAnswer> => {
      const answer = await sendToSocket(server.url, request)
      record(answer.status, `${JSON.stringify([...answer.headers])}\n${answer.text}`)
      if (answer.status >= 400) lastRequestId = answer.headers.get('x-request-id') ?? ''
      return answer
    }
    const world = await createWorld({ issuer: server.url, send, stop: () => server.stop() })
    const planted = await createAccount(world, { name: NAME, allowedOrigins: ['*'] })
    for (const token of [world.token, world.wrong, world.open, planted.credential.token])
      addAccountToken(token)
    const tokens = await sendClaims(world)
    await sendTokens(world, tokens)
    await sendAdminRequests(world)
    await sendBrokenHttp(server.url, [...tokens, world.token])
    const metrics = await send({ method: 'GET', path: '/metrics' })
    expect(metrics.status).toBe(200)
    written.set('metrics', Buffer.from(metrics.text))
    readFolder('while it runs', server.dir)
    for (const file of readdirSync(join(server.dir, 'keys')).filter((name) => name.endsWith('.json'))) {
      secrets.set(JSON.parse(readFileSync(join(server.dir, 'keys', file), 'utf8')).d, 'private key')
    }
  } finally {
    server.child.kill('SIGTERM')
    await server.exited
    readFolder('after its end', server.dir)
    written.set('stdout', Buffer.from(server.stdout()))
    written.set('stderr', Buffer.from(server.stderr()))
    written.set('refusals', Buffer.from(refusals.join('\n')))
    await server.stop()
  }
})

describe('the search can find texts', () => {
  test.each([
    ['stdout', () => lastRequestId],
    ['stderr', () => '  $ '],
    ['refusals', () => 'secret_in_browser'],
    ['refusals', () => 'www-authenticate'],
    ['metrics', () => 'claimgate_tokens_issued_total'],
  ])('in %s', (place, needle) => {
    expect(needle()).not.toBe('')
    expect(written.get(place)?.includes(needle())).toBe(true)
  })

  test('in the database, while the server runs and after its end', () => {
    for (const moment of ['while it runs', 'after its end']) {
      const places = [...written.keys()].filter((place) => place.endsWith(moment))
      expect(places.length).toBeGreaterThan(0)
      expect(places.some((place) => written.get(place)?.includes(NAME))).toBe(true)
    }
    expect([...written.keys()]).toContain('claimgate.db-wal while it runs')
  })

  test('the requests got every kind of answer', () => {
    expect([...statuses.keys()].sort()).toEqual([200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422, 431])
    expect(secrets.size).toBeGreaterThan(50)
  })
})

test('nothing secret was written anywhere', () => {
  const leaks: string[] = []
  for (const [place, bytes] of written) {
    for (const [secret, name] of secrets) if (bytes.includes(secret)) leaks.push(`${name} in ${place}`)
  }
  expect(leaks).toEqual([])
})

/** Claims tokens in every valid form, and sends claims with every kind of fault. Resolves to the tokens. */
async function sendClaims(world: World): Promise<readonly string[]> {
  const { send, token, wrong } = world
  const tokens: string[] = []
  const claim = async (request: WireRequest): Promise<void> => {
    const answer = await send(request)
    if (answer.status === 200) tokens.push(addJwt(answer.json().token))
  }
  const from = (address: string) => ({ 'x-forwarded-for': address })
  for (const address of CLIENTS) {
    const base = { token, origin: SITE, ip: address }
    await claim(claimRequest(base, { headers: { ...JSON_TYPE, ...from(address) } }))
    await claim({
      method: 'POST',
      path: `/auth/claim?${new URLSearchParams({ ...base, x: QUERY_MARK })}`,
      headers: from(address),
    })
    await claim({
      method: 'POST',
      path: '/api/auth/claim',
      headers: { ...FORM_TYPE, ...from(address) },
      body: String(new URLSearchParams(base)),
    })
  }
  const bearer = { authorization: `Bearer ${token}` }
  await claim({ method: 'POST', path: `/auth/claim?origin=${SITE}&${QUERY_MARK}`, headers: bearer })
  await claim(claimRequest({ token, origin: SITE, jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' }))
  expect(tokens).toHaveLength(11)

  for (const secret of [token, wrong, `${wrong}x`, `cgk_${createSecret()}`]) {
    addSecret(secret, 'sent account token')
    const faults: readonly Partial<WireRequest>[] = [
      { body: JSON.stringify({ token: secret, origin: secret, ip: secret, scope: secret, jkt: secret }) },
      { body: JSON.stringify({ token: secret, origin: SITE, expiresIn: secret, [secret]: 1, IP: secret }) },
      { body: JSON.stringify({ token: secret, origin: SITE, scope: `read ${secret}` }) },
      { body: JSON.stringify({ token: secret, origin: `https://${secret}.example/` }) },
      { body: `{"token":"${secret}","token":"${secret}"}` },
      { body: `{"token":"${secret}"` },
      { body: Buffer.from(`{"token":"${secret}\xff"}`, 'latin1') },
      { body: JSON.stringify({ token: secret, pad: 'x'.repeat(17_000) }) },
      { body: `token=${secret}`, headers: { 'content-type': `text/${secret}` } },
      { body: `token=${secret}&x=%zz`, headers: FORM_TYPE },
      { path: `/auth/claim?token=${secret}&token=${secret}2&${QUERY_MARK}` },
      { path: `/auth/claim?token=${secret}&origin=${QUERY_MARK}`, body: '' },
      { headers: { ...JSON_TYPE, origin: SITE }, body: JSON.stringify({ token: secret }) },
      { headers: { 'sec-fetch-site': 'cross-site' }, path: `/auth/claim?token=${secret}`, body: '' },
      { method: 'GET', path: `/auth/claim?token=${secret}` },
      { method: 'OPTIONS', path: `/auth/claim?token=${secret}` },
      { headers: { authorization: `Basic ${Buffer.from(`id:${secret}`).toString('base64')}` }, body: '' },
    ]
    for (const fault of faults) await send(claimRequest({}, fault))
    secrets.set(Buffer.from(`id:${secret}`).toString('base64'), 'Basic pair')
  }
  return tokens
}

/** Sends valid and altered tokens to whoami, in every place of a request. */
async function sendTokens({ send, token }: World, tokens: readonly string[]): Promise<void> {
  const whoami = (headers: Record<string, string>, query = '') =>
    send({ method: 'GET', path: `/auth/whoami${query}`, headers: { origin: SITE, ...headers } })
  for (const jwt of tokens) {
    const [header = '', payload = '', signature = ''] = jwt.split('.')
    const altered = addJwt(`${header}.${payload}.${signature.split('').reverse().join('')}`)
    for (const text of [jwt, altered, `${jwt}.${jwt}`, jwt.slice(0, -9), token]) {
      for (const address of CLIENTS) {
        await whoami({ authorization: `Bearer ${text}`, 'x-forwarded-for': address })
      }
      await whoami({ authorization: `DPoP ${text}`, dpop: text })
      await whoami({ 'x-client-token': text, origin: 'https://evil.example' })
      await whoami({}, `?token=${text}&${QUERY_MARK}`)
      await whoami({ authorization: `Bearer ${text}` }, `?token=${text}${text}`)
    }
  }
}

/** Sends valid and invalid requests to the admin API and to public paths, with secrets in unusual places. */
async function sendAdminRequests({ send, token, accountId }: World): Promise<void> {
  const ask = (method: string, path: string, body?: string, admin = ADMIN_TOKEN) =>
    send({
      method,
      path,
      headers: { ...JSON_TYPE, authorization: `Bearer ${admin}`, 'x-forwarded-for': CLIENTS[0] as string },
      ...(body !== undefined && { body }),
    })
  for (const path of ['/admin/accounts', `/admin/accounts/${accountId}`, '/admin/audit', '/admin/nowhere']) {
    await ask('GET', path)
    await ask('GET', `${path}?cursor=${QUERY_MARK}&limit=${token}`)
    await ask('GET', path, undefined, WRONG_ADMIN)
    await ask('GET', path, undefined, token)
  }
  for (const body of ['{', '[]', '{}', JSON.stringify({ name: NAME, allowedOrigins: [token], [token]: 1 })]) {
    await ask('POST', '/admin/accounts', body)
  }
  for (const path of ['/nowhere', '/healthz', '/readyz', '/docs', '/.well-known/jwks.json']) {
    await ask('GET', `${path}?${QUERY_MARK}=${token}`)
  }
}

/** Requests that no HTTP client sends. Node's parser or the adapter behind it must refuse them. */
async function sendBrokenHttp(url: string, texts: readonly string[]): Promise<void> {
  const { hostname, port } = new URL(url)
  for (const text of texts) {
    for (const lines of [
      [`GET /auth/whoami?token=${text}&${QUERY_MARK} HTTP/1.1`, 'Host: not a host'],
      [`GET /auth/whoami?token=${text} HTTP/1.1`, 'Host: a', `Authorization: Bearer ${text}`, ` ${text}`],
      [`GET /${text} HTTP/1.1`, 'Host: a', `X: ${text}`, `Y: ${'y'.repeat(70_000)}`],
    ]) {
      const answer = await new Promise<string>((resolve, reject) => {
        let seen = ''
        const socket = connect(Number(port), hostname, () => {
          socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`)
        })
        socket.on('data', (chunk) => {
          seen += chunk
        })
        socket.on('close', () => resolve(seen))
        socket.on('error', reject)
      })
      record(Number(answer.split(' ')[1]), answer)
    }
  }
}

/** Counts the status, and keeps the text of a refusal. A success is not kept, because it may contain the new token. */
function record(status: number, text: string): void {
  statuses.set(status, (statuses.get(status) ?? 0) + 1)
  if (status >= 400) refusals.push(text)
}

function addAccountToken(token: string): void {
  addSecret(token, 'account token')
  const [, clientId = '', clientSecret = ''] = token.split('_')
  expect(formatAccountToken({ clientId, clientSecret })).toBe(token)
  addSecret(clientSecret, 'client secret')
}

function addJwt(jwt: string): string {
  addSecret(jwt, 'token')
  addSecret(jwt.slice(jwt.lastIndexOf('.') + 1), 'signature of a token')
  return jwt
}

function addSecret(secret: string, name: string): void {
  if (!secrets.has(secret)) secrets.set(secret, name)
}

/** Stores every byte of the files in the server's folder, which are those of the database. Signing keys are in a subfolder. */
function readFolder(moment: string, dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.isFile()) written.set(`${entry.name} ${moment}`, readFileSync(join(dir, entry.name)))
  }
}
