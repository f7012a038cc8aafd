// MultiSet's endpoint in one process: secrets in pages, limits, lifetimes, and a database that is down.

import { afterEach, describe, expect, test } from 'vitest'
import type { Credential } from '../../src/claims/records/account.ts'
import { formatMultisetProblem } from '../../src/issue/multiset-wire.ts'
import { createClientSecret, createSecret } from '../../src/signing/secret.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { basic } from '../support/multiset-rows.ts'
import { makeAudit, makeCredential, makeCredentialEnd } from '../support/records.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { claimRequest, createAccount, payloadOf } from '../support/world.ts'
import { readAudit, readCount } from './records-of-pages.ts'

const PAGE = 'https://page.example'
const LOCALHOST = 'http://localhost:5173'

let service: MemoryService
let accountId: string
/** A credential for backends. Its account allows pages, `PAGE` and the scopes `read write`. */
let backend: Json
/** The account's credential for pages. */
let prototype: Json
let wrong: Json

async function start(
  env: Readonly<Record<string, string>> = {},
  replace: Parameters<typeof startMemory>[1] = {},
): Promise<void> {
  service = await startMemory(env, replace)
  const account = { name: 'Shop', allowedOrigins: [PAGE], scopes: ['read', 'write'] }
  const made = await createAccount(service, account)
  accountId = made.account.id
  // Its first credential was made before pages were allowed, so that it is not for them.
  await patchAccount({ browserPrototype: true })
  backend = made.credential
  prototype = await addCredential({ browserPrototype: true, allowLocalhost: true })
  wrong = { clientId: prototype.clientId, clientSecret: createSecret() }
}
afterEach(() => service.stop())

async function patchAccount(patch: object): Promise<void> {
  const answer = await service.send({
    method: 'PATCH',
    path: `/admin/accounts/${accountId}`,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(patch),
  })
  expect(answer.status, answer.text).toBe(200)
}

async function addCredential(changes: Partial<Credential>): Promise<Json> {
  const pair = createClientSecret()
  const secretHash = await service.deps.hashSecret(pair.clientSecret)
  const credential = makeCredential(accountId, { id: pair.clientId, secretHash, ...changes })
  await service.deps.storage.createCredential(credential, makeAudit())
  return pair
}

const ask = (pair: Json, headers: Record<string, string> = {}, extra: Partial<WireRequest> = {}) =>
  service.send({
    method: 'POST',
    path: '/v1/m2m/token',
    headers: { authorization: basic(pair), ...headers },
    ...extra,
  })
const askPage = (pair: Json, origin = PAGE) => ask(pair, { origin })

function expectError(answer: WireAnswer, status: number, code: string): void {
  expect([answer.status, answer.json()]).toEqual([status, { error: expect.any(String), code }])
}

describe('secrets in pages', () => {
  test.each<[string, () => Promise<WireAnswer>, number, boolean]>([
    ['a secret for backends', () => askPage(backend), 403, true],
    [
      'a secret for backends, without Origin',
      () => ask(backend, { 'sec-fetch-site': 'same-origin' }),
      403,
      true,
    ],
    ['a secret for backends, at an origin that no account allows', () => askPage(backend, 'null'), 403, true],
    [
      'a secret for backends, with a body that is too large',
      () => ask(backend, { origin: PAGE }, { body: 'x'.repeat(20_000), path: '/m2m/token' }),
      403,
      true,
    ],
    ['a wrong secret', () => askPage(wrong), 401, false],
    ['no secret', () => service.send({ ...PLAIN, headers: { origin: PAGE } }), 401, false],
    [
      'a right pair in the body alone',
      () => service.send({ ...PLAIN, headers: { 'sec-fetch-site': 'none' }, body: JSON.stringify(backend) }),
      401,
      true,
    ],
    [
      'a wrong pair in the body alone',
      () => service.send({ ...PLAIN, headers: { origin: PAGE }, body: JSON.stringify(wrong) }),
      401,
      false,
    ],
    [
      'a body that is too large to look through',
      () => service.send({ ...PLAIN, headers: { origin: PAGE }, body: 'x'.repeat(20_000) }),
      401,
      false,
    ],
  ])('%s: counted, and audited when the secret is right', async (_rule, send, status, isRight) => {
    await start()
    expect((await send()).status).toBe(status)
    expect(await readCount(service, 'multiset')).toBe(1)
    const entry = { target: backend.clientId, detail: { door: 'multiset', account: accountId } }
    expect(await readAudit(service)).toEqual(isRight ? [expect.objectContaining(entry)] : [])
    for (const text of [JSON.stringify(await readAudit(service)), ...service.lines]) {
      expect(text).not.toContain(backend.clientSecret)
      expect(text).not.toContain(wrong.clientSecret)
    }
  })

  test.each<[string, () => Promise<WireAnswer>, number]>([
    ['a credential for pages', () => askPage(prototype), 200],
    ['a credential for pages at another origin', () => askPage(prototype, 'https://other.example'), 403],
    ['a backend', () => ask(backend), 200],
    ['a backend with a wrong secret', () => ask(wrong), 401],
    ['a preflight', () => ask(backend, { origin: PAGE, ...PREFLIGHT }, { method: 'OPTIONS' }), 204],
    ['another method', () => ask(backend, { origin: PAGE }, { method: 'PUT' }), 405],
  ])('%s does not count as a secret in a page', async (_rule, send, status) => {
    await start()
    expect((await send()).status).toBe(status)
    expect([await readCount(service, 'multiset'), await readAudit(service)]).toEqual([0, []])
  })
})

const PLAIN = { method: 'POST', path: '/v1/m2m/token' }
const PREFLIGHT = { 'access-control-request-method': 'POST' }

describe('credential and account decide', () => {
  test('allowLocalhost false: no token for localhost, and no CORS headers', async () => {
    await start()
    await service.deps.storage.revokeCredential(
      prototype.clientId,
      Date.now(),
      makeCredentialEnd(prototype.clientId, Date.now()),
      makeAudit(),
    )
    const remote = await addCredential({ browserPrototype: true, allowLocalhost: false })
    const refused = await askPage(remote, LOCALHOST)
    expectError(refused, 403, 'origin_not_allowed')
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
    expect((await askPage(remote)).status).toBe(200)

    await addCredential({ browserPrototype: true, allowLocalhost: true })
    const readable = await askPage(remote, LOCALHOST)
    expectError(readable, 403, 'origin_not_allowed')
    expect(readable.headers.get('access-control-allow-origin')).toBe(LOCALHOST)
  })

  test('pages may use the credential only while the account allows it too', async () => {
    await start()
    expect((await askPage(prototype)).status).toBe(200)
    await patchAccount({ browserPrototype: false })
    const refused = await askPage(prototype)
    expectError(refused, 403, 'secret_in_browser')
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
    expect(await readCount(service, 'multiset')).toBe(1)
    const asked = await ask(prototype, { origin: PAGE, ...PREFLIGHT }, { method: 'OPTIONS' })
    expect(asked.headers.get('access-control-allow-origin')).toBeNull()
    expect((await ask(prototype)).status).toBe(200)

    await patchAccount({ browserPrototype: true })
    const answer = await askPage(prototype)
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, PAGE])
  })

  test('pages may not use a credential for backends, even where the account allows it', async () => {
    await start()
    const made = await createAccount(service, {
      name: 'All',
      allowedOrigins: ['https://all.example'],
      browserPrototype: true,
    })
    accountId = made.account.id
    const other = await addCredential({ browserPrototype: false })
    expectError(await askPage(other, 'https://all.example'), 403, 'secret_in_browser')
    expect((await askPage(made.credential, 'https://all.example')).status).toBe(200)
  })

  test('the token has only the scopes that credential and account both hold', async () => {
    await start()
    const narrow = await addCredential({ browserPrototype: true, scopes: ['write', 'gone'] })
    expect(payloadOf((await askPage(narrow)).json().token).scope).toBe('write')
  })

  test.each<[string, Partial<Credential>]>([
    ['revoked', { revokedAt: 1 }],
    ['expired', { expiresAt: 1 }],
  ])('a credential that is %s gets 401 without CORS headers', async (_, changes) => {
    await start()
    await service.deps.storage.revokeCredential(
      prototype.clientId,
      Date.now(),
      makeCredentialEnd(prototype.clientId, Date.now()),
      makeAudit(),
    )
    const answer = await askPage(await addCredential({ browserPrototype: true, ...changes }))
    expectError(answer, 401, 'unauthorized')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('lifetimes', () => {
  test.each<[Record<string, string>, number | null, number]>([
    [{}, null, 1800],
    [{ CLAIMGATE_TOKEN_TTL: '60' }, null, 1800],
    [{ CLAIMGATE_TOKEN_TTL: '7200' }, null, 1800],
    [{ CLAIMGATE_TOKEN_TTL: '60', CLAIMGATE_MAX_TTL: '900' }, null, 900],
    [{}, 600, 600],
    [{}, 3600, 1800],
  ])('configured with %o, account limit %s s: a token of %i s', async (env, maxTtl, expected) => {
    await start(env)
    const made = await createAccount(service, { name: 'A', allowedOrigins: [PAGE], maxTtl })
    const { token, expires_in, expiresOn } = (await ask(made.credential)).json()
    const { iat, exp } = payloadOf(token)
    expect([exp - iat, expires_in, Date.parse(expiresOn)]).toEqual([expected, expected, exp * 1000])
  })
})

describe('limits', () => {
  test('successes share the count of the credential with its claims', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '3/60' })
    expect((await ask(backend)).headers.get('ratelimit')).toMatch(/^"claim";r=2;t=\d+$/)
    expect((await service.send(claimRequest({ token: backend.token, origin: PAGE }))).status).toBe(200)
    expect((await ask(backend)).headers.get('ratelimit')).toMatch(/^"claim";r=0;t=\d+$/)
    const answer = await ask(backend)
    expectError(answer, 429, 'rate_limited')
    expect(answer.headers.get('ratelimit-policy')).toBe('"claim";q=3;w=60')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await askPage(prototype)).status).toBe(200)
  })

  test('over the limit a page with a secret for backends is still reported', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '1/60' })
    await ask(backend)
    expectError(await askPage(backend), 429, 'rate_limited')
    expect(await readCount(service, 'multiset')).toBe(1)
    expect(await readAudit(service)).toEqual([expect.objectContaining({ target: backend.clientId })])
    await askPage(prototype)
    expectError(await askPage(prototype), 429, 'rate_limited')
    expect(await readCount(service, 'multiset')).toBe(1)
  })

  test('a page may read Retry-After', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '1/60' })
    await askPage(prototype)
    const answer = await askPage(prototype)
    expectError(answer, 429, 'rate_limited')
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After')
  })

  test.each<[string, () => Promise<WireAnswer>, number]>([
    ['from a page that may not use it', () => askPage(backend), 403],
    ['at an origin that is not allowed', () => askPage(prototype, 'null'), 403],
    ['with a body that is not JSON', () => ask(backend, {}, { body: '[]' }), 400],
    ['with a body that is too large', () => ask(backend, {}, { body: ' '.repeat(17_000) }), 413],
    ['with another pair in the body', () => ask(backend, {}, { body: JSON.stringify(wrong) }), 400],
  ])('a right pair %s counts for the credential', async (_, send, status) => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    const statuses = [await send(), await send(), await send()].map((answer) => answer.status)
    expect(statuses).toEqual([status, status, 429])
    for (const expected of [401, 401, 429]) expect((await ask(wrong)).status).toBe(expected)
  })

  test('only a 401 counts as a failure, and a right pair works after any number of them', async () => {
    await start({ CLAIMGATE_RATE_LIMIT: '2/60' })
    expectError(await ask(wrong), 401, 'unauthorized')
    expectError(await askPage(wrong), 401, 'unauthorized')
    const answer = await ask(wrong)
    expectError(answer, 429, 'rate_limited')
    expect(answer.headers.get('www-authenticate')).toBeNull()
    expect((await ask(backend)).status).toBe(200)
  })
})

describe('a database that is down', () => {
  let isDown = false
  let time = 0
  async function startBreakable(): Promise<void> {
    isDown = false
    const inner = createMemoryStorage()
    const broken = () => Promise.reject(new StorageError('down'))
    const storage = createCachedStorage(
      {
        ...inner,
        findCredential: (id) => (isDown ? broken() : inner.findCredential(id)),
        isPrototypeOriginListed: (...asked) => (isDown ? broken() : inner.isPrototypeOriginListed(...asked)),
      },
      { now: () => performance.now() + time },
    )
    await start({}, { storage })
  }

  test('503 in MultiSet’s format, readable for known pages, until the database is back', async () => {
    await startBreakable()
    expect((await askPage(prototype)).status).toBe(200)
    isDown = true
    time += 2000
    const answer = await askPage(prototype)
    expectError(answer, 503, 'unavailable')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE)

    const unknown = await askPage(prototype, LOCALHOST)
    expectError(unknown, 503, 'unavailable')
    expect(unknown.headers.get('access-control-allow-origin')).toBeNull()
    const asked = await ask(prototype, { origin: LOCALHOST, ...PREFLIGHT }, { method: 'OPTIONS' })
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, null])
    expect(service.lines.join('\n')).toContain('origins of credentials for pages could not be read')

    isDown = false
    time += 2000
    // Revocations are read again a second after the failure.
    await expect.poll(async () => (await askPage(prototype)).status, { timeout: 3000 }).toBe(200)
    expect((await askPage(prototype, LOCALHOST)).status).toBe(200)
  })

  test('malformed origins cause no query', async () => {
    await startBreakable()
    isDown = true
    for (const origin of ['null', 'garbage', `${PAGE}/`]) {
      const answer = await ask(prototype, { origin, ...PREFLIGHT }, { method: 'OPTIONS' })
      expect([answer.status, answer.headers.get('vary')]).toEqual([204, 'Origin'])
    }
    expect(service.lines.join('\n')).not.toContain('could not be read')
  })
})

test('an internal error has MultiSet’s format', async () => {
  await start()
  await service.stop()
  const { keyRing } = service.deps
  const sign = () => {
    throw new Error('the key is gone')
  }
  await start({}, { keyRing: { ...keyRing, sign } as typeof keyRing })
  expectError(await ask(backend), 500, 'internal')
})

test('a 422 becomes 400', () => {
  const problem = { code: 'invalid_request', status: 422, detail: 'that is wrong' } as const
  const refusal = formatMultisetProblem(problem, 'https://docs.example', 'id')
  expect([refusal.status, refusal.code]).toEqual([400, 'invalid_request'])
})
