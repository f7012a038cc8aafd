// Which client an assertion authenticates, and that it works once.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAccountToken } from '../../src/signing/secret.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import {
  askBy,
  createKeyClient,
  getToken,
  type KeyClient,
  type OAuthService,
  post,
  startOAuth,
} from '../support/oauth-service.ts'
import { asserting, expectRefusal } from '../support/oauth-wire.ts'
import { payloadOf } from '../support/world.ts'

/** The time, on a whole second so that the limits below are exact. */
const NOW = Math.floor(Date.now() / 1000)
let world: OAuthService
let client: KeyClient
let other: KeyClient
beforeAll(async () => {
  world = await startOAuth({ CLAIMGATE_RATE_LIMIT: 'off' }, { now: () => NOW * 1000 })
  client = await createKeyClient(world)
  other = await createKeyClient(world)
})
afterAll(() => world.stop())

async function expectAccepted(assertion: string): Promise<void> {
  const answer = await askBy(world, assertion)
  expect(answer.status, answer.text).toBe(200)
}

async function expectRefused(assertion: string): Promise<void> {
  const used = world.uses.length
  expectRefusal(await askBy(world, assertion), 401, 'invalid_client', world)
  expect(world.uses.length).toBe(used)
}

describe('the client', () => {
  test.each([
    ['revoked', { revokedAt: NOW * 1000 - 1 }],
    ['expired at this moment', { expiresAt: NOW * 1000 }],
    ['expiring in less than 10 s', { expiresAt: NOW * 1000 + 9_999 }],
    ['without keys', { jwks: null }],
  ])('whose credential is %s is refused', async (_, credential) => {
    const own = await createKeyClient(world, { credential })
    await expectRefused(await own.sign())
  })

  test('of a suspended account is refused', async () => {
    const { storage } = world.deps
    const id = (await storage.findCredential(parseAccountToken(world.open)?.clientId ?? ''))?.account.id ?? ''
    const own = await createKeyClient(world, { account: id })
    await expectAccepted(await own.sign())
    const account = (await storage.getAccount(id)) as NonNullable<
      Awaited<ReturnType<typeof storage.getAccount>>
    >
    const updatedAt = account.updatedAt + 1
    expect(
      await storage.updateAccount({ ...account, status: 'suspended', updatedAt }, account.updatedAt, []),
    ).toBe(true)
    await expectRefused(await own.sign())
  })

  test('gets a token of its account with its client id, and its use is noted', async () => {
    const own = await createKeyClient(world)
    const answer = await askBy(world, await own.sign(), { client_id: own.clientId })
    expect(payloadOf(answer.json().access_token)).toMatchObject({
      sub: world.accountId,
      client_id: own.clientId,
    })
    expect(world.uses.at(-1)).toBe(own.clientId)
  })

  test('is refused with another client_id', async () => {
    for (const client_id of [other.clientId, world.clientId, 'nobody', `${client.clientId} `]) {
      const answer = await askBy(world, await client.sign(), { client_id })
      expectRefusal(answer, 401, 'invalid_client', world)
    }
  })

  test('is refused with another client_assertion_type', async () => {
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer'
    const answer = await askBy(world, await client.sign(), { client_assertion_type })
    expectRefusal(answer, 401, 'invalid_client', world)
  })

  test('is refused with an access token as assertion', async () => expectRefused(await getToken(world)))
})

describe('an assertion works once', () => {
  test('the second use is refused, at every endpoint', async () => {
    const assertion = await client.sign()
    await expectAccepted(assertion)
    await expectRefused(assertion)
    for (const path of ['/oauth/revoke', '/oauth/introspect']) {
      const answer = await post(world, path, asserting(assertion, { token: 'x' }), {})
      expectRefusal(answer, 401, 'invalid_client', world)
    }
  })

  test('another assertion with the same jti is refused', async () => {
    await expectAccepted(await client.sign({ jti: 'same' }))
    await expectRefused(await client.sign({ jti: 'same', exp: NOW + 90 }))
    await expectAccepted(await client.sign({ jti: 'Same' }))
  })

  test('another client may use the same jti', async () => {
    await expectAccepted(await client.sign({ jti: 'common' }))
    await expectAccepted(await other.sign({ jti: 'common' }))
  })

  test('exactly one of 50 concurrent uses gets a token', async () => {
    const assertion = await client.sign()
    const answers = await Promise.all(Array.from({ length: 50 }, () => askBy(world, assertion)))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, ...new Array(49).fill(401)])
  })

  test('it is not used up by a forgery with its jti, or by a request with another client_id', async () => {
    await expectRefused(await client.sign({ jti: 'kept', aud: 'https://other.example' }))
    await expectRefused(await other.sign({ jti: 'kept', iss: client.clientId, sub: client.clientId }))
    const assertion = await client.sign({ jti: 'kept' })
    expect((await askBy(world, assertion, { client_id: 'nobody' })).status).toBe(401)
    await expectAccepted(assertion)
  })

  test('it is used up by a request that is refused for its parameters', async () => {
    const assertion = await client.sign()
    expectRefusal(await askBy(world, assertion, { scope: 'admin' }), 400, 'invalid_scope', world)
    await expectRefused(assertion)
  })

  test('it is stored with its client id, for longer than any process accepts it', async () => {
    const asked: [string, string, number][] = []
    const inner = createMemoryStorage()
    const storage = createCachedStorage({
      ...inner,
      useAssertion(...mark) {
        asked.push(mark)
        return inner.useAssertion(...mark)
      },
    })
    const own = await startOAuth({}, { storage })
    const someone = await createKeyClient(own)
    const exp = Math.floor(Date.now() / 1000) + 100
    expect((await askBy(own, await someone.sign({ jti: 'once', exp }))).status).toBe(200)
    expect((await askBy(own, await someone.sign({ jti: 'once', exp }))).status).toBe(401)
    const kept = [someone.clientId, 'once', (exp + 300) * 1000]
    expect(asked).toEqual([kept, kept])
    await own.stop()
  })
})
