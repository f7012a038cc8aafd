// Introspection and revocation of tokens that expire, end or belong to another credential; all refusals of a client cost the
// same work.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { endForGood } from '../../src/claims/records/revocation.ts'
import { randomBase62 } from '../../src/lib/random.ts'
import { createExamineToken } from '../../src/oauth/examine.ts'
import {
  askBy,
  createKeyClient,
  getToken,
  type OAuthService,
  post,
  readAudit,
  startOAuth,
} from '../support/oauth-service.ts'
import { asserting, expectRefusal } from '../support/oauth-wire.ts'
import { makeCredentialEnd } from '../support/records.ts'
import { payloadOf } from '../support/world.ts'

let world: OAuthService
let time = Date.now()
const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
  time = Date.now()
  world = await startOAuth(env, { now: () => time })
}
afterEach(() => world.stop())

const introspect = async (token: string) => (await post(world, '/oauth/introspect', { token })).json()
const revocations = async () =>
  (await readAudit(world)).filter(({ action }) => action === 'revocation.create')
const audit = (target: string) =>
  ({
    id: randomBase62(16),
    at: time,
    actor: 'admin',
    action: 'credential.revoke',
    target,
    detail: null,
  }) as const

describe('a token', () => {
  test('is inactive once it has expired, and revoking it writes nothing', async () => {
    await start()
    const token = await getToken(world)
    const { exp } = payloadOf(token)
    time = (exp + 5) * 1000 - 1
    expect((await introspect(token)).active).toBe(true)
    time = (exp + 5) * 1000
    expect(await introspect(token)).toEqual({ active: false })
    expect((await post(world, '/oauth/revoke', { token })).status).toBe(200)
    expect(await revocations()).toEqual([])
  })

  test('of another credential of the same account is active and can be revoked', async () => {
    await start()
    const client = await createKeyClient(world)
    const token = (await askBy(world, await client.sign())).json().access_token
    expect((await introspect(token)).client_id).toBe(client.clientId)
    expect((await post(world, '/oauth/revoke', { token })).status).toBe(200)
    expect(await introspect(token)).toEqual({ active: false })
    expect((await revocations()).map(({ actor, target }) => [actor, target])).toEqual([
      [world.clientId, payloadOf(token).jti],
    ])
  })

  test('ends with its credential', async () => {
    await start()
    const client = await createKeyClient(world)
    const token = (await askBy(world, await client.sign())).json().access_token
    await world.deps.storage.revokeCredential(
      client.clientId,
      time,
      makeCredentialEnd(client.clientId, time),
      audit(client.clientId),
    )
    expect(await introspect(token)).toEqual({ active: false })
    expectRefusal(await askBy(world, await client.sign()), 401, 'invalid_client', world)
  })

  test('cannot be examined by a client whose account is suspended or deleted', async () => {
    await start()
    const token = await getToken(world)
    const account = await world.deps.storage.getAccount(world.accountId)
    if (account === undefined) throw new Error('the account is not there')
    const suspended = { ...account, status: 'suspended', updatedAt: account.updatedAt + 1 } as const
    await world.deps.storage.updateAccount(suspended, account.updatedAt, [])
    for (const path of ['/oauth/introspect', '/oauth/revoke', '/oauth/token']) {
      expectRefusal(await post(world, path, { token }), 401, 'invalid_client', world)
    }
    const rule = { id: 'r', createdAt: time, ...endForGood('sub', account.id, time, 1000) }
    await world.deps.storage.deleteAccount(account.id, rule, {
      ...audit(account.id),
      action: 'account.delete',
    })
    expectRefusal(await post(world, '/oauth/introspect', { token }), 401, 'invalid_client', world)
  })
})

describe('examining', () => {
  const verified = { ok: true, value: { claims: { sub: 'a' }, kid: 'k' } } as never
  test.each([
    [false, true],
    [true, false],
    ['unavailable', false],
  ] as const)('a token whose revocation is %j is valid: %s', async (isRevoked, isActive) => {
    await start()
    const examine = createExamineToken({ verifyToken: () => verified, isRevoked: async () => isRevoked })
    expect((await examine('token', time)) !== undefined).toBe(isActive)
  })

  test('passes epoch seconds to the verifier; an invalid token is not looked up among the revocations', async () => {
    await start()
    const verifyToken = vi.fn(() => ({ ok: false }) as never)
    const isRevoked = vi.fn(() => false)
    expect(await createExamineToken({ verifyToken, isRevoked })('token', 5000)).toBeUndefined()
    expect(verifyToken.mock.calls).toEqual([['token', 5]])
    expect(isRevoked).not.toHaveBeenCalled()
  })
})

describe('one signature check, whichever client is named and whatever is wrong', () => {
  const spy = () => vi.spyOn(crypto.subtle, 'verify')
  afterEach(() => vi.restoreAllMocks())

  test.each(['ES256', 'EdDSA'] as const)('%s', async (alg) => {
    await start()
    const client = await createKeyClient(world, { alg })
    const other = await createKeyClient(world, { alg, kid: 'k1' })
    const wrongType = await createKeyClient(world, { alg: alg === 'ES256' ? 'EdDSA' : 'ES256' })
    const revoked = await createKeyClient(world, { alg, credential: { revokedAt: 1 } })
    const as = (clientId: string) => ({ iss: clientId, sub: clientId })
    const assertions = {
      'a wrong signature': await other.sign(as(client.clientId)),
      nobody: await client.sign(as('nobody')),
      'a client with a secret': await client.sign(as(world.clientId)),
      'a kid that is not registered': await client.sign({}, { kid: 'k2' }),
      'keys of another type': await client.sign(as(wrongType.clientId)),
      'a revoked credential': await revoked.sign(),
      'a wrong audience': await client.sign({ aud: 'https://other.example' }),
      'an expired assertion': await client.sign({ exp: 1 }),
    }
    const verify = spy()
    const answers = new Set<string>()
    for (const [rule, assertion] of Object.entries(assertions)) {
      verify.mockClear()
      const answer = await askBy(world, assertion)
      expectRefusal(answer, 401, 'invalid_client', world)
      expect(verify, rule).toHaveBeenCalledTimes(1)
      answers.add(answer.text)
    }
    expect(answers.size).toBe(1)
  })

  test('a signature that matches a dummy key does not authenticate', async () => {
    await start()
    // The stub accepts every signature: a match with a dummy key must not count.
    spy().mockResolvedValue(true)
    const client = await createKeyClient(world)
    const name = { iss: world.clientId, sub: world.clientId }
    expectRefusal(await askBy(world, await client.sign(name)), 401, 'invalid_client', world)
    expectRefusal(await askBy(world, await client.sign({}, { kid: 'k2' })), 401, 'invalid_client', world)
    expect((await askBy(world, await client.sign())).status).toBe(200)
  })
})

test('revoke and introspect accept assertions whose audience is their URL, the token endpoint or the issuer', async () => {
  await start()
  const client = await createKeyClient(world)
  for (const path of ['/oauth/revoke', '/oauth/introspect']) {
    for (const aud of [world.issuer, `${world.issuer}${path}`, `${world.issuer}/oauth/token`]) {
      const answer = await post(world, path, asserting(await client.sign({ aud }), { token: 'x' }), {})
      expect(answer.status, `${path} ${aud}`).toBe(200)
    }
    const elsewhere = path === '/oauth/revoke' ? '/oauth/introspect' : '/oauth/revoke'
    const assertion = await client.sign({ aud: `${world.issuer}${elsewhere}` })
    expectRefusal(
      await post(world, path, asserting(assertion, { token: 'x' }), {}),
      401,
      'invalid_client',
      world,
    )
  }
})
