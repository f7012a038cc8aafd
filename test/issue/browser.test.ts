// A secret in a page, sent in every way that a page can: refused, counted, and audited when it is right.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireRequest } from '../support/wire.ts'
import { createWorld, expectProblem, SITE, type World } from '../support/world.ts'

const FORM = 'application/x-www-form-urlencoded'
const BOUNDARY = '----WebKitFormBoundary0123456789abcdef'

let world: World
const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
  world = await createWorld(await startMemory(env))
}
beforeEach(() => start())
afterEach(() => world.stop())

type Ask = Omit<WireRequest, 'method' | 'path'> & { readonly path?: string }

const typed = (type: string | undefined, body: string, more: Ask = {}): Ask => ({
  ...more,
  body,
  headers: { ...(type !== undefined && { 'content-type': type }), ...more.headers },
})
const json = (token: string): string => JSON.stringify({ token, origin: SITE })
const form = (token: string): string => `token=${token}&origin=${encodeURIComponent(SITE)}`
const multipart = (token: string): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="token"\r\n\r\n${token}\r\n--${BOUNDARY}--\r\n`

/** What a page can send with the secret that it contains. */
const rows: readonly (readonly [rule: string, ask: (token: string) => Ask])[] = [
  // Requests that need no preflight: fetch with mode no-cors, forms and sendBeacon.
  ['JSON as text/plain', (token) => typed('text/plain;charset=UTF-8', json(token))],
  ['JSON without a type, as of a Blob', (token) => typed(undefined, json(token))],
  [
    'a form of enctype text/plain that makes JSON',
    (token) => typed('text/plain', `{"token":"${token}","origin":"${SITE}","x":"="}\r\n`),
  ],
  ['a form of enctype text/plain', (token) => typed('text/plain', `token=${token}\r\norigin=${SITE}\r\n`)],
  ['an urlencoded form', (token) => typed(FORM, form(token))],
  ['URLSearchParams', (token) => typed(`${FORM};charset=UTF-8`, form(token))],
  ['a multipart form', (token) => typed(`multipart/form-data; boundary=${BOUNDARY}`, multipart(token))],
  ['the query string alone', (token) => ({ path: `/auth/claim?${form(token)}` })],
  ['the query string at the second path', (token) => ({ path: `/api/auth/claim?${form(token)}` })],
  ['the query string, without an origin', (token) => ({ path: `/auth/claim?token=${token}` })],
  [
    'the query string, and a form',
    (token) => typed(FORM, 'colour=blue', { path: `/auth/claim?token=${token}` }),
  ],
  // Other faults of the request do not hide the secret.
  [
    'the query string, with malformed percent-encoding',
    (token) => ({ path: `/auth/claim?token=${token}&x=%zz` }),
  ],
  ['the query string, after a malformed pair', (token) => ({ path: `/auth/claim?x=%ff&token=${token}` })],
  [
    'the query string, and malformed JSON',
    (token) => typed('application/json', '{', { path: `/auth/claim?${form(token)}` }),
  ],
  [
    'the query string, and a text body',
    (token) => typed('text/plain', 'hello', { path: `/auth/claim?${form(token)}` }),
  ],
  ['a form with a malformed pair', (token) => typed(FORM, `${form(token)}&x=%`)],
  ['a parameter given twice', (token) => typed(FORM, `${form(token)}&origin=https://b.example`)],
  ['every value wrong', (token) => ({ path: `/auth/claim?token=${token}&origin=*&ip=&expires_in=1` })],
  // Requests that need a preflight. It is refused, so only an old browser or a proxy sends them.
  ['JSON', (token) => typed('application/json', json(token))],
  ['a Bearer header', (token) => ({ headers: { authorization: `Bearer ${token}` } })],
  [
    'a Bearer header, and malformed JSON',
    (token) => typed('application/json', '{', { headers: { authorization: `Bearer ${token}` } }),
  ],
  [
    'a Bearer header, and a body that is too large',
    (token) =>
      typed('application/json', 'x'.repeat(20_000), { headers: { authorization: `Bearer ${token}` } }),
  ],
]

/** The headers by which a browser is detected. */
const browsers: readonly (readonly [name: string, headers: Readonly<Record<string, string>>])[] = [
  ['Origin', { origin: SITE }],
  ['Origin: null', { origin: 'null' }],
  ['Sec-Fetch-Site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
]

const send = (ask: Ask, browser: Readonly<Record<string, string>>, method = 'POST') =>
  world.send({ method, path: '/auth/claim', ...ask, headers: { ...ask.headers, ...browser } })

async function readAudit(): Promise<readonly Json[]> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  const answer = await world.send({ method: 'GET', path: '/admin/audit?limit=200', headers })
  return answer.json().entries.filter(({ action }: Json) => action === 'secret_in_browser')
}

async function readCount(): Promise<number> {
  const { text } = await world.send({ method: 'GET', path: '/metrics' })
  const values = [...text.matchAll(/^claimgate_secret_in_browser_total(?:\{.*\})? (\d+)$/gm)]
  return values.reduce((sum, [, value]) => sum + Number(value), 0)
}

async function expectRefused(ask: Ask, browser: Readonly<Record<string, string>>): Promise<void> {
  const answer = await send(ask, browser)
  expectProblem(answer, 403, 'secret_in_browser', world)
  const cors = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
  expect(cors).toEqual([])
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

describe.each(browsers)('detected by %s', (_, browser) => {
  test.each(rows)('%s', async (_rule, ask) => {
    await expectRefused(ask(world.wrong), browser)
    expect(await readCount()).toBe(1)
    expect(await readAudit()).toEqual([])

    await expectRefused(ask(world.token), browser)
    expect(await readCount()).toBe(2)
    expect(await readAudit()).toEqual([expect.objectContaining({ target: world.clientId })])
    expect(JSON.stringify(await readAudit())).not.toContain(world.clientSecret)
  })
})

test('a secret in the query string of a page is audited also when query secrets are off', async () => {
  await world.stop()
  await start({ CLAIMGATE_QUERY_SECRETS: 'off' })
  await expectRefused({ path: `/auth/claim?${form(world.token)}` }, { origin: SITE })
  expect(await readAudit()).toEqual([expect.objectContaining({ target: world.clientId })])
})

test('a page without a secret is refused and counted', async () => {
  await expectRefused({}, { origin: SITE })
  await expectRefused({ path: '/auth/claim?token=' }, { origin: SITE })
  await expectRefused({ path: `/auth/claim?token=${world.token.slice(0, -1)}` }, { origin: SITE })
  expect([await readCount(), await readAudit()]).toEqual([3, []])
})

test.each([
  ['OPTIONS', 204],
  ['GET', 405],
  ['PUT', 405],
  ['DELETE', 405],
])('%s from a page is answered with %i, and is neither counted nor audited', async (method, status) => {
  const ask = { path: `/auth/claim?${form(world.token)}` }
  expect((await send(ask, { origin: SITE }, method)).status).toBe(status)
  expect([await readCount(), await readAudit()]).toEqual([0, []])
})

test('a page that closes after half of its body is refused, and no error is logged', async () => {
  const service = await startMemory()
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"token":"cgk_'))
    },
    pull: () => Promise.reject(new Error('the connection is gone')),
  })
  const headers = { 'content-type': 'text/plain', origin: SITE }
  const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
  const answer = await service.app.fetch(new Request(`${service.issuer}/auth/claim`, init))
  expect(answer.status).toBe(403)
  expect(service.lines.filter((line) => line.includes('"level":"error"'))).toEqual([])
  await service.stop()
})
