// A browser at an OAuth endpoint: refused before the form is parsed, counted, and audited when its secret is right.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyClient, type OAuthService, readAudit, startOAuth } from '../support/oauth-service.ts'
import { asserting, basicOf, expectRefusal, FORM_TYPE, formOf } from '../support/oauth-wire.ts'
import type { WireRequest } from '../support/wire.ts'
import { SITE } from '../support/world.ts'

let world: OAuthService
beforeEach(async () => {
  world = await startOAuth()
})
afterEach(() => world.stop())

type Ask = Omit<WireRequest, 'method'>
const PATH = '/oauth/token'
const typed = (type: string, body: string, path = PATH): Ask => ({
  path,
  body,
  headers: { 'content-type': type },
})
const form = (id: string, secret: string): string =>
  formOf({ grant_type: 'client_credentials', client_id: id, client_secret: secret })
const json = (id: string, secret: string): string => JSON.stringify({ client_id: id, client_secret: secret })
const part = (name: string, value: string): string =>
  `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

/** What a page can send with the client id and secret that it contains. */
const rows: readonly (readonly [rule: string, ask: (id: string, secret: string) => Ask])[] = [
  ['Basic', (id, secret) => ({ path: PATH, headers: { authorization: basicOf(id, secret) } })],
  [
    'Basic at revoke',
    (id, secret) => ({ path: '/oauth/revoke', headers: { authorization: basicOf(id, secret) } }),
  ],
  ['a form', (id, secret) => typed(FORM_TYPE, form(id, secret))],
  ['a form at introspect', (id, secret) => typed(FORM_TYPE, form(id, secret), '/oauth/introspect')],
  ['a form with a malformed pair', (id, secret) => typed(FORM_TYPE, `x=%zz&${form(id, secret)}`)],
  ['a form as text', (id, secret) => typed('text/plain', `client_id=${id}\r\nclient_secret=${secret}\r\n`)],
  [
    'a multipart form',
    (id, secret) =>
      typed(
        'multipart/form-data; boundary=X',
        `${part('client_id', id)}${part('client_secret', secret)}--X--`,
      ),
  ],
  ['JSON', (id, secret) => typed('application/json', json(id, secret))],
  ['JSON as text', (id, secret) => typed('text/plain', json(id, secret))],
  ['the query string', (id, secret) => ({ path: `${PATH}?${form(id, secret)}` })],
]

const browsers: readonly (readonly [name: string, headers: Readonly<Record<string, string>>])[] = [
  ['Origin', { origin: SITE }],
  ['Origin: null', { origin: 'null' }],
  ['an empty Origin', { origin: '' }],
  ['Sec-Fetch-Site', { 'sec-fetch-site': 'cross-site' }],
]

const send = (ask: Ask, browser: Readonly<Record<string, string>>, method = 'POST') =>
  world.send({ ...ask, method, headers: { ...ask.headers, ...browser } })
const readRecord = async () => (await readAudit(world)).filter(({ action }) => action === 'secret_in_browser')
const readCount = async (): Promise<number> =>
  Number(
    /^claimgate_secret_in_browser_total\{door="oauth"\} (\d+)$/m.exec(
      await world.deps.metrics.render(),
    )?.[1] ?? 0,
  )

describe.each(browsers)('detected by %s', (_, browser) => {
  test.each(rows)('%s', async (_rule, ask) => {
    expectRefusal(await send(ask(world.clientId, 'x'.repeat(43)), browser), 400, 'unauthorized_client', world)
    expect([await readCount(), await readRecord()]).toEqual([1, []])
    expectRefusal(
      await send(ask(world.clientId, world.clientSecret), browser),
      400,
      'unauthorized_client',
      world,
    )
    expect(await readCount()).toBe(2)
    const record = await readRecord()
    expect(record.map(({ target, detail }) => [target, detail?.door])).toEqual([[world.clientId, 'oauth']])
    expect(JSON.stringify(record)).not.toContain(world.clientSecret)
    expect(world.uses).toEqual([])
  })
})

test('without credentials, with a large body, with a malformed pair: refused and counted', async () => {
  const browser = { origin: SITE }
  for (const ask of [
    { path: PATH },
    typed(FORM_TYPE, 'x'.repeat(20_000)),
    typed(FORM_TYPE, `client_id=${world.clientId}`),
    typed(FORM_TYPE, `client_secret=${world.clientSecret}`),
    { path: PATH, headers: { authorization: 'Basic %%%' } },
    { path: PATH, headers: { authorization: basicOf('%', world.clientSecret) } },
    typed('application/octet-stream', '\u0000\u00ff'),
  ]) {
    expectRefusal(await send(ask, browser), 400, 'unauthorized_client', world)
  }
  expect([await readCount(), await readRecord()]).toEqual([7, []])
})

test('an assertion of a page is not used up', async () => {
  const client = await createKeyClient(world)
  const ask = typed(FORM_TYPE, formOf(asserting(await client.sign(), { grant_type: 'client_credentials' })))
  expectRefusal(await send(ask, { origin: SITE }), 400, 'unauthorized_client', world)
  expect((await send(ask, {})).status).toBe(200)
})

test.each([
  ['OPTIONS', 204],
  ['PUT', 405],
  ['DELETE', 405],
])('%s from a page is answered with %i, and is neither counted nor audited', async (method, status) => {
  const ask = { path: PATH, headers: { authorization: basicOf(world.clientId, world.clientSecret) } }
  expect((await send(ask, { origin: SITE }, method)).status).toBe(status)
  expect([await readCount(), await readRecord()]).toEqual([0, []])
})
