// Requests whose last byte arrives late: a credential that ends meanwhile gets no token, at every endpoint.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { createKeyClient } from '../support/oauth-service.ts'
import { asserting, basicOf, FORM_TYPE, formOf } from '../support/oauth-wire.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { createAccount, createWorld } from '../support/world.ts'

const SITE = 'https://garden.example'
/** The start of every test, on a whole second. Epoch milliseconds. */
const START = Math.floor(Date.now() / 1000) * 1000

let service: MemoryService
let clock = START
let account: Json
/** Expires a minute after the start. */
let credential: Json

beforeEach(async () => {
  clock = START
  service = await startMemory({ CLAIMGATE_RATE_LIMIT: '5/600' }, { now: () => clock })
  account = (await createAccount(service, { name: 'Garden', allowedOrigins: [SITE], scopes: ['seed'] }))
    .account
  const expiresAt = new Date(START + 60_000).toISOString()
  const made = await admin('POST', `/admin/accounts/${account.id}/credentials`, { expiresAt })
  credential = made.credential
})
afterEach(() => service.stop())

async function admin(method: string, path: string, body: object = {}): Promise<Json> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
  const answer = await service.send({ method, path, headers, body: JSON.stringify(body) })
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer.text === '' ? undefined : answer.json()
}

interface Ask {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends a request without its last byte. The returned function sends that byte and resolves to the answer. */
function hold({ path, headers, body }: Ask): () => Promise<{ status: number; text: string }> {
  const bytes = new TextEncoder().encode(body)
  let finish = (): void => undefined
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes.slice(0, -1))
      finish = () => {
        controller.enqueue(bytes.slice(-1))
        controller.close()
      }
    },
  })
  const init = { method: 'POST', headers, body: stream, duplex: 'half' } as RequestInit
  const answer = service.app.fetch(new Request(service.issuer + path, init))
  return async () => {
    // In this time the service does every check that it can do without the last byte.
    await new Promise((resolve) => setTimeout(resolve, 30))
    finish()
    const { status, ...response } = await toText(await answer)
    return { status, text: response.text }
  }
}

async function toText(response: Response): Promise<{ status: number; text: string }> {
  return { status: response.status, text: await response.text() }
}

const json = { 'content-type': 'application/json' }
const form = { 'content-type': FORM_TYPE }
const basic = () => basicOf(credential.clientId, credential.clientSecret)

const endpoints: Readonly<Record<string, () => Ask>> = {
  'a claim': () => ({
    path: '/auth/claim',
    headers: { ...json, authorization: `Bearer ${credential.token}` },
    body: JSON.stringify({ origin: SITE }),
  }),
  'a claim, token in its body': () => ({
    path: '/api/auth/claim',
    headers: form,
    body: formOf({ token: credential.token, origin: SITE }),
  }),
  'a MultiSet token': () => ({
    path: '/v1/m2m/token',
    headers: { ...json, authorization: basic() },
    body: '{}',
  }),
  'an AI Fabrix token': () => ({
    path: '/api/v1/auth/token',
    headers: { 'x-client-id': credential.clientId, 'x-client-secret': credential.clientSecret },
    body: '{}',
  }),
  'an OAuth token': () => ({
    path: '/oauth/token',
    headers: { ...form, authorization: basic() },
    body: formOf({ grant_type: 'client_credentials' }),
  }),
  introspection: () => ({
    path: '/oauth/introspect',
    headers: { ...form, authorization: basic() },
    body: formOf({ token: 'x' }),
  }),
  revocation: () => ({
    path: '/oauth/revoke',
    headers: { ...form, authorization: basic() },
    body: formOf({ token: 'x' }),
  }),
}

const endings: Readonly<Record<string, () => unknown>> = {
  'its secret was rotated without overlap': () =>
    admin('POST', `/admin/credentials/${credential.clientId}/rotate`, { overlap: 0 }),
  'its credential was deleted': () => admin('DELETE', `/admin/credentials/${credential.clientId}`),
  'its account was suspended': () => admin('PATCH', `/admin/accounts/${account.id}`, { status: 'suspended' }),
  'its account was deleted': () => admin('DELETE', `/admin/accounts/${account.id}`),
  'its credential has expired': () => {
    clock = START + 60_000
  },
  'its credential has less than 10 s left': () => {
    clock = START + 50_001
  },
}

describe.each(Object.entries(endpoints))('%s', (_, ask) => {
  test('answers 200 when nothing has ended', async () => {
    const finish = hold(ask())
    clock = START + 50_000
    expect((await finish()).status).toBe(200)
  })

  test.each(Object.entries(endings))('%s while the body arrives: no token', async (_name, end) => {
    const finish = hold(ask())
    await end()
    const { status, text } = await finish()
    expect([status, text]).toEqual([401, expect.not.stringContaining('eyJ')])
  })
})

describe('a change while the body arrives applies to', () => {
  const narrow = (patch: object) => admin('PATCH', `/admin/accounts/${account.id}`, patch)

  test('an origin that the account no longer allows', async () => {
    const finish = hold(endpoints['a claim']?.() as Ask)
    await narrow({ allowedOrigins: ['https://other.example'] })
    expect((await finish()).status).toBe(403)
  })

  test('an origin that the account now requires', async () => {
    const finish = hold(endpoints['a MultiSet token']?.() as Ask)
    await narrow({ requireOrigin: true })
    expect((await finish()).status).toBe(400)
  })

  test('pages that the account no longer allows', async () => {
    await narrow({ browserPrototype: true })
    const path = `/admin/accounts/${account.id}/credentials`
    const { credential: page } = await admin('POST', path, { browserPrototype: true })
    const authorization = basicOf(page.clientId, page.clientSecret)
    const fromPage = { path: '/m2m/token', headers: { ...json, authorization, origin: SITE }, body: '{}' }
    expect((await hold(fromPage)()).status).toBe(200)
    const finish = hold(fromPage)
    await narrow({ browserPrototype: false })
    expect((await finish()).status).toBe(403)
  })

  test('a rate limit that is used up', async () => {
    const claim = endpoints['a claim']?.() as Ask
    const finish = hold(claim)
    for (let sent = 0; sent < 5; sent += 1) expect((await hold(claim)()).status).toBe(200)
    expect((await finish()).status).toBe(429)
  })
})

test('an assertion that expires while the body arrives is refused', async () => {
  const world = await createWorld(service)
  const client = await createKeyClient({ ...world, deps: service.deps, lines: [], uses: [] })
  const send = async (lifeSeconds: number) => {
    const assertion = await client.sign({ exp: clock / 1000 + lifeSeconds })
    const members = asserting(assertion, { grant_type: 'client_credentials' })
    return hold({ path: '/oauth/token', headers: form, body: formOf(members) })
  }
  const [short, long] = [await send(12), await send(13)]
  clock = START + 12_000
  expect([(await short()).status, (await long()).status]).toEqual([401, 200])
})
