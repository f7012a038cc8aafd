// Unusual HTTP requests, written as bytes to a socket: Host, other spellings of /admin, long heads, requests that never end,
// and access to the metrics.

import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_TOKEN, type RunningServer, useServers } from '../support/server.ts'

const servers = useServers()
let server: RunningServer
let port: number
beforeAll(async () => {
  server = await servers.start()
  port = Number(new URL(server.url).port)
})

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  /** Seconds until the server closed the connection. */
  readonly seconds: number
}

/** Sends `text`, then `trickle` twice a second. Reads until the server closes the connection, but at most `limitMs`. */
async function send(text: string, limitMs = 3000, trickle = ''): Promise<Answer> {
  const started = performance.now()
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    got += part
  })
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(text, 'latin1')
  const timer = trickle === '' ? undefined : setInterval(() => socket.write(trickle), 500)
  await Promise.race([closed, sleep(limitMs)])
  clearInterval(timer)
  socket.destroy()
  const [head = '', body = ''] = got.split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0)
  return { status, head, body, seconds: (performance.now() - started) / 1000 }
}

const get = (target: string, ...lines: readonly string[]): Promise<Answer> =>
  send(`GET ${target} HTTP/1.1\r\n${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`)

describe('Host', () => {
  test.each([
    ['300.1.1.1'],
    ['9.8.7.6.5'],
    ['99999999999'],
    [''],
    ['a b'],
    ['user@api.example.com'],
    ['api.example.com/x'],
    ['api.example.com?x'],
    ['api.example.com#x'],
    ['api.example.com:99999'],
    ['api.example.com:8o'],
    ['[::1'],
    ['a%zz'],
  ])('%j is refused at every path', async (host) => {
    for (const path of ['/healthz', '/auth/verify', '/.well-known/jwks.json', '/admin/keys', '/nowhere']) {
      const { status, body } = await get(path, `Host: ${host}`)
      expect(status, path).toBe(400)
      expect(JSON.parse(body)).toMatchObject({ error: 'invalid_request', status: 400 })
    }
  })

  test('is required exactly once in HTTP/1.1, and optional in HTTP/1.0', async () => {
    expect((await get('/healthz', 'Host: a.example', 'Host: a.example')).status).toBe(400)
    expect((await get('/healthz', 'Host: a.example', 'host: b.example')).status).toBe(400)
    expect((await get('/healthz')).status).toBe(400)
    expect((await send('GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200)
    expect((await get('/healthz', 'Host: any.example:8443')).status).toBe(200)
    expect((await get('/healthz', 'Host: [2001:db8::1]:80')).status).toBe(200)
  })
})

describe('malformed requests get a problem document, and the connection is closed:', () => {
  const HEAD = 'POST /auth/claim HTTP/1.1\r\nHost: a.example\r\n'
  test.each<[string, string, number, string]>([
    ['no request line', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: a.example\r\n\r\n', 400, 'invalid_request'],
    ['a header without a name', `${HEAD}: x\r\n\r\n`, 400, 'invalid_request'],
    ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400, 'invalid_request'],
    ['a wrong chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, 400, 'invalid_request'],
    ['a long header', `${HEAD}Cookie: c=${'y'.repeat(66_000)}\r\n\r\n`, 431, 'invalid_request'],
    [
      'long chunk extensions',
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;${'e'.repeat(17_000)}\r\n`,
      413,
      'payload_too_large',
    ],
  ])('%s', async (_, text, status, code) => {
    const answer = await send(text)
    expect(answer.status).toBe(status)
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i)
    expect(answer.head).toMatch(/cache-control: no-store/i)
    const problem = JSON.parse(answer.body)
    expect(problem).toMatchObject({ status, error: code, type: `${server.url}/docs#${code}` })
    expect(answer.head.toLowerCase()).toContain(`x-request-id: ${problem.requestId}`.toLowerCase())
    expect(answer.seconds).toBeLessThan(2.5)
  })

  test.each(['http://u@a.example', 'https://u:p@a.example:8443', 'HTTP://u@[::1]:80'])(
    'a target with user info: %s',
    async (origin) => {
      for (const path of ['/auth/claim', '/v1/m2m/token', '/oauth/token', '/healthz', '']) {
        const { status, body } = await send(
          `POST ${origin}${path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`,
        )
        expect(status, path).toBe(400)
        expect(JSON.parse(body)).toMatchObject({ error: 'invalid_request', status: 400 })
      }
    },
  )

  test('but an Expect header with an unknown value is ignored', async () => {
    expect((await get('/healthz', 'Host: a.example', 'Expect: the-best')).status).toBe(200)
  })
})

describe('/admin', () => {
  const authorization = `Authorization: Bearer ${ADMIN_TOKEN}`

  test.each([
    '/%61dmin/keys',
    '/admin/%6beys',
    '/admin%2Fkeys',
    '/admin/keys#x',
    '/admin#/keys',
    '//admin/keys',
    '/admin//keys',
    '/ADMIN/keys',
    '/admin;x/keys',
    '/admin/keys%3fx',
    'http://127.0.0.1/admin/keys',
    'http://other.example/admin/keys?limit=1',
  ])('does not answer at %s', async (target) => {
    expect((await get(target, 'Host: a.example', authorization)).status).toBe(404)
  })

  test('answers at its own paths, also with a query', async () => {
    expect((await get('/admin/keys', 'Host: a.example', authorization)).status).toBe(200)
    expect((await get('/admin/accounts?limit=1', 'Host: a.example', authorization)).status).toBe(200)
    expect((await get('/admin/accounts?limit=%31', 'Host: a.example', authorization)).status).toBe(200)
  })

  test('other paths also answer to the absolute form', async () => {
    expect((await get('http://a.example/healthz', 'Host: a.example')).status).toBe(200)
  })
})

describe('a head', () => {
  test('may have 60 KiB of cookies, but not 70', async () => {
    const withCookie = (length: number): Promise<Answer> =>
      get('/healthz', 'Host: a.example', `Cookie: c=${'x'.repeat(length)}`)
    expect((await withCookie(60 * 1024)).status).toBe(200)
    expect((await withCookie(70 * 1024)).status).toBe(431)
  })

  test('of an answer says that connections stay open for 75 seconds', async () => {
    const { head } = await send('GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n', 500)
    expect(head).toMatch(/keep-alive: timeout=75/i)
  })
})

describe('a request that never ends', () => {
  const LIMIT_MS = 36_000
  const PATHS = [
    ['/auth/claim', 'application/json', 'request_timeout'],
    ['/v1/m2m/token', 'application/json', 'request_timeout'],
    ['/oauth/token', 'application/x-www-form-urlencoded', 'invalid_request'],
    ['/admin/accounts', 'application/json', 'request_timeout'],
  ] as const

  const expectTimeout = ({ status, head, seconds }: Answer, what: string): void => {
    expect(status, what).toBe(408)
    expect(head, what).toMatch(/connection: close/i)
    expect(head, what).toMatch(/cache-control: no-store/i)
    expect(seconds, what).toBeGreaterThan(29)
    expect(seconds, what).toBeLessThan(34)
  }

  async function trickleHead(): Promise<void> {
    const answer = await send('GET /healthz HTTP/1.1\r\nHost: a.example\r\n', LIMIT_MS, 'X-More: x\r\n')
    expectTimeout(answer, 'head')
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'request_timeout', status: 408 })
  }

  async function trickleBody([path, type, code]: (typeof PATHS)[number]): Promise<void> {
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: a.example',
      `Content-Type: ${type}`,
      `Authorization: Bearer ${ADMIN_TOKEN}`,
      'Content-Length: 5000',
    ]
    const answer = await send(`${head.join('\r\n')}\r\n\r\n`, LIMIT_MS, ' ')
    expectTimeout(answer, path)
    const { error, code: named } = JSON.parse(answer.body)
    expect([error, named], path).toContain(code)
  }

  async function openOnly(): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    let isClosed = false
    socket.once('close', () => {
      isClosed = true
    })
    await sleep(LIMIT_MS)
    expect(isClosed).toBe(false)
    socket.destroy()
  }

  test('gets a 408 in the format of its path 30 seconds after the first byte of head or body; a connection without a byte stays open', {
    timeout: 60_000,
  }, async () => {
    await Promise.all([trickleHead(), openOnly(), ...PATHS.map(trickleBody)])
  })
})

describe('/metrics', () => {
  test.each([
    'X-Forwarded-For: 198.51.100.9',
    'X-Forwarded-Host: api.example.com',
    'X-Forwarded-Proto: https',
    'X-Real-IP: 198.51.100.9',
    'Forwarded: for=198.51.100.9',
    'Via: 1.1 proxy',
  ])('is 404 for a request with a header of a proxy: %s', async (line) => {
    expect((await get('/metrics', `Host: 127.0.0.1:${port}`, line)).status).toBe(404)
  })

  test('is readable from this machine, when Host is a loopback name or address', async () => {
    for (const host of [`127.0.0.1:${port}`, 'localhost', '127.8.8.8', '[::1]:80']) {
      expect((await get('/metrics', `Host: ${host}`)).status, host).toBe(200)
    }
    for (const host of ['auth.example.com', '10.0.0.1', 'localhost.example.com', '[2001:db8::1]']) {
      expect((await get('/metrics', `Host: ${host}`)).status, host).toBe(404)
    }
  })

  test('is 404 when a proxy on this machine is trusted', async () => {
    const behind = await servers.start({ env: { CLAIMGATE_TRUSTED_PROXIES: 'loopback' } })
    expect((await fetch(`${behind.url}/metrics`)).status).toBe(404)
  })
})
