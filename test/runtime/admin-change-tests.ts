// Changes through the admin API, checked by their effect: whether the changed account can claim, and whether its tokens are
// accepted. Each test creates its own account.

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { claimRequest, createAccount, expectProblem, payloadOf, SITE, type World } from '../support/world.ts'
import { asAdmin } from './admin-rows.ts'

/** Sends a request to the service under test. */
export type Send = (request: WireRequest) => Promise<WireAnswer>

export function describeChanges(getWorld: () => World, send: Send): void {
  /** Sends a request with the admin token, expects this status and resolves to the body. */
  async function demand(status: number, method: string, path: string, body?: object): Promise<Json> {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await send(asAdmin(method, path, body === undefined ? {} : json))
    expect(answer.status, answer.text).toBe(status)
    if (status === 204) expect(answer.text).toBe('')
    return status === 204 ? undefined : answer.json()
  }
  const open = () =>
    createAccount(getWorld(), { name: 'Changing', allowedOrigins: [SITE], scopes: ['read', 'write'] })
  const claim = (token: string) => getWorld().send(claimRequest({ token, origin: SITE }))

  async function mint(token: string): Promise<string> {
    const answer = await claim(token)
    expect(answer.status, answer.text).toBe(200)
    return answer.json().token
  }
  const expectRefused = async (token: string) =>
    expectProblem(await claim(token), 401, 'unauthorized', getWorld())

  /** Whether a token is accepted. A refused one must get `token_revoked`. */
  async function isLive(token: string): Promise<boolean> {
    const headers = { origin: SITE, authorization: `Bearer ${token}` }
    const answer = await getWorld().send({ method: 'GET', path: '/auth/whoami', headers })
    if (answer.status !== 200) expectProblem(answer, 401, 'token_revoked', getWorld())
    return answer.status === 200
  }

  /** Actions on these targets, oldest first. */
  async function readActions(...targets: readonly string[]): Promise<readonly string[]> {
    const { entries } = await demand(200, 'GET', '/admin/audit?limit=200')
    const found = entries.filter(({ target }: Json) => targets.includes(target))
    return found.map(({ action }: Json) => action).reverse()
  }

  describe('admin: changes', () => {
    test('a suspended account cannot claim, and its tokens stop working until it is resumed', async () => {
      const { account, credential } = await open()
      const path = `/admin/accounts/${account.id}`
      const token = await mint(credential.token)
      const { account: suspended } = await demand(200, 'PATCH', path, { status: 'suspended', name: 'Rests' })
      expect(suspended).toEqual({
        ...account,
        status: 'suspended',
        name: 'Rests',
        updatedAt: expect.any(String),
      })
      expect(Date.parse(suspended.updatedAt)).toBeGreaterThan(Date.parse(account.updatedAt))
      await expectRefused(credential.token)
      expect(await isLive(token)).toBe(false)
      await demand(200, 'PATCH', path, { status: 'active' })
      expect(await isLive(token)).toBe(true)
      expect(await isLive(await mint(credential.token))).toBe(true)
      const actions = await readActions(account.id)
      const made = ['account.create', 'account.suspend', 'account.update', 'account.resume']
      expect([...actions].sort()).toEqual(made.sort())
    })

    test('a change without effect leaves no audit entry', async () => {
      const { account } = await open()
      for (const patch of [{}, { name: account.name, status: 'active' }]) {
        expect(await demand(200, 'PATCH', `/admin/accounts/${account.id}`, patch)).toEqual({ account })
      }
      expect(await readActions(account.id)).toEqual(['account.create'])
    })

    test('50 concurrent changes all succeed', { timeout: 20_000 }, async () => {
      const { account } = await open()
      const path = `/admin/accounts/${account.id}`
      const names = Array.from({ length: 50 }, (_, index) => `Name ${index}`)
      const changed = await Promise.all(names.map((name) => demand(200, 'PATCH', path, { name })))
      expect(changed.map((answer) => answer.account.name)).toEqual(names)
      expect(new Set(changed.map((answer) => answer.account.updatedAt)).size).toBe(50)
      expect((await readActions(account.id)).filter((action) => action === 'account.update')).toHaveLength(50)
    })

    test('new origins, scopes and lifetime apply to the next claim', async () => {
      const { account, credential } = await open()
      const patch = { allowedOrigins: ['https://next.example'], scopes: ['write'], maxTtl: 60 }
      await demand(200, 'PATCH', `/admin/accounts/${account.id}`, patch)
      expectProblem(await claim(credential.token), 403, 'origin_not_allowed', getWorld())
      const request = claimRequest({ token: credential.token, origin: 'https://next.example' })
      expect((await getWorld().send(request)).json()).toMatchObject({ expiresIn: 60, scope: 'write' })
    })

    test('deleting an account ends its credentials and its tokens', async () => {
      const { account, credential } = await open()
      const token = await mint(credential.token)
      await demand(204, 'DELETE', `/admin/accounts/${account.id}`)
      await demand(404, 'DELETE', `/admin/accounts/${account.id}`)
      await demand(404, 'GET', `/admin/accounts/${account.id}`)
      await demand(404, 'DELETE', `/admin/credentials/${credential.id}`)
      await expectRefused(credential.token)
      expect(await isLive(token)).toBe(false)
      expect(await readActions(account.id, credential.id)).toEqual(['account.create', 'account.delete'])
    })

    test('revoking a second credential ends it and its tokens only', async () => {
      const { account, credential: first } = await open()
      const path = `/admin/accounts/${account.id}/credentials`
      const { credential } = await demand(201, 'POST', path, { name: 'CI', scopes: ['read'] })
      const tokens = [await mint(first.token), await mint(credential.token)] as const
      expect(payloadOf(tokens[1]).scope).toBe('read')
      await demand(204, 'DELETE', `/admin/credentials/${credential.id}`)
      await demand(404, 'DELETE', `/admin/credentials/${credential.id}`)
      await demand(409, 'POST', `/admin/credentials/${credential.id}/rotate`)
      await expectRefused(credential.token)
      expect([await isLive(tokens[0]), await isLive(tokens[1])]).toEqual([true, false])
      const { credentials } = await demand(200, 'GET', `/admin/accounts/${account.id}`)
      expect(credentials.map(({ id, status }: Json) => [id, status])).toEqual(
        expect.arrayContaining([
          [first.id, 'active'],
          [credential.id, 'revoked'],
        ]),
      )
      expect(await readActions(credential.id)).toEqual(['credential.create', 'credential.revoke'])
    })

    test('a credential with registered keys has no secret', async () => {
      const { account } = await open()
      const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
      const jwks = { keys: [{ ...jwk, kid: 'a', use: 'sig' }] }
      const made = await demand(201, 'POST', `/admin/accounts/${account.id}/credentials`, { jwks })
      expect(made).toEqual({ credential: { id: expect.any(String), clientId: made.credential.id } })
      await demand(409, 'POST', `/admin/credentials/${made.credential.id}/rotate`)
    })

    test('after rotations the newest two secrets work, without overlap only the newest', async () => {
      const { credential: first } = await open()
      const rotate = async (body?: object): Promise<Json> =>
        (await demand(200, 'POST', `/admin/credentials/${first.id}/rotate`, body)).credential
      const second = await rotate()
      expect([second.id, second.clientId]).toEqual([first.id, first.id])
      expect(Math.abs(Date.parse(second.previousExpiresAt) - Date.now() - 86_400_000)).toBeLessThan(60_000)
      await mint(first.token)
      await mint(second.token)
      const third = await rotate({ overlap: 60 })
      await expectRefused(first.token)
      await mint(second.token)
      const token = await mint(third.token)
      const last = await rotate({ overlap: 0 })
      expect(Date.parse(last.previousExpiresAt)).toBeLessThanOrEqual(Date.now())
      await expectRefused(third.token)
      await mint(last.token)
      expect(await isLive(token)).toBe(true)
      expect(await readActions(first.id)).toEqual(Array.from({ length: 3 }, () => 'credential.rotate'))
    })

    test('concurrent rotations: those that lost answer 409, and the newest secrets work', async () => {
      const { credential } = await open()
      const path = `/admin/credentials/${credential.id}/rotate`
      const answers = await Promise.all(Array.from({ length: 8 }, () => send(asAdmin('POST', path))))
      const shown = answers.filter(({ status }) => status === 200).map((answer) => answer.json().credential)
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(8 - shown.length)
      expect(shown.length).toBeGreaterThan(0)
      // A rotation ends all secrets except the newest two, so of those that succeeded at least the newest two work.
      const outcomes = await Promise.all(shown.map(async ({ token }) => (await claim(token)).status))
      expect(outcomes.filter((status) => status === 200).length).toBeGreaterThanOrEqual(
        Math.min(2, shown.length),
      )
      expect((await readActions(credential.id)).length).toBe(shown.length)
    })
  })

  describe('admin: revocations', () => {
    test.each(['clientId', 'sub'])(
      'by %s ends tokens issued before, and none issued after the answer',
      async (name) => {
        const { account, credential } = await open()
        const value = name === 'sub' ? account.id : credential.id
        for (let round = 0; round < 3; round += 1) {
          const before = await mint(credential.token)
          expect(await isLive(before)).toBe(true)
          const { revocation } = await demand(201, 'POST', '/admin/revocations', { [name]: value })
          expect(revocation).toMatchObject({ id: expect.any(String), [name]: value })
          const after = await mint(credential.token)
          expect([await isLive(before), await isLive(after)]).toEqual([false, true])
        }
        expect(await readActions(value)).toEqual(expect.arrayContaining(['revocation.create']))
      },
    )

    test('by jti ends one token', async () => {
      const { credential } = await open()
      const tokens = [await mint(credential.token), await mint(credential.token)] as const
      await demand(201, 'POST', '/admin/revocations', { jti: payloadOf(tokens[0]).jti })
      expect([await isLive(tokens[0]), await isLive(tokens[1])]).toEqual([false, true])
    })

    test('with a time in the past ends only tokens issued before it', async () => {
      const { account, credential } = await open()
      const token = await mint(credential.token)
      const { iat } = payloadOf(token)
      const revoke = (issuedBefore: unknown) =>
        demand(201, 'POST', '/admin/revocations', { sub: account.id, issuedBefore })
      await revoke(iat)
      expect(await isLive(token)).toBe(true)
      await revoke(new Date((iat - 60) * 1000).toISOString())
      expect(await isLive(token)).toBe(true)
    })

    test('resuming an account does not bring back what was revoked', async () => {
      const { account, credential } = await open()
      const path = `/admin/accounts/${account.id}`
      const token = await mint(credential.token)
      await demand(201, 'POST', '/admin/revocations', { sub: account.id })
      await demand(200, 'PATCH', path, { status: 'suspended' })
      await demand(200, 'PATCH', path, { status: 'active' })
      expect(await isLive(token)).toBe(false)
    })
  })

  test('admin: keys are listed without material, always one current and one pending', async () => {
    const answer = await send(asAdmin('GET', '/admin/keys'))
    const time = expect.stringMatching(/^\d{4}-.*Z$/)
    const { keys } = answer.json()
    for (const state of ['current', 'pending']) {
      expect(keys.filter((key: Json) => key.state === state)).toEqual([
        {
          kid: expect.stringMatching(/^[\w-]{43}$/),
          alg: 'ES256',
          state,
          createdAt: time,
          currentSince: state === 'current' ? time : null,
          expiresAt: null,
        },
      ])
    }
    expect(answer.text).not.toMatch(/"[dxyk]"/)
  })
}
