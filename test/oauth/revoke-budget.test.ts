// How many tokens customers may revoke: each account up to its limit, and all accounts together up to theirs. Operators are
// never refused.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../../src/claims/records/account.ts'
import type { Revocation } from '../../src/claims/records/revocation.ts'
import { sleep } from '../../src/lib/timing.ts'
import { getToken, type OAuthService, post, readAudit, startOAuth } from '../support/oauth-service.ts'
import { basicOf, type Headers } from '../support/oauth-wire.ts'
import { listRules, makeRevocation } from '../support/records.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { WireAnswer } from '../support/wire.ts'
import { createAccount, payloadOf, SITE } from '../support/world.ts'

const HOUR = 3_600_000
const OF_ACCOUNT = 1000
const OF_ALL = 50_000

let world: OAuthService
/** The second credential of the main account. */
let second: Headers
/** A credential of another account. */
let other: { readonly id: string; readonly headers: Headers }
beforeEach(async () => {
  world = await startOAuth({ CLAIMGATE_RATE_LIMIT: 'off' })
  const made = (await askAdmin(`/admin/accounts/${world.accountId}/credentials`, { name: 'second' })).json()
  second = headersOf(made.credential)
  const { account, credential } = await createAccount(world, { name: 'Other', allowedOrigins: [SITE] })
  other = { id: account.id, headers: headersOf(credential) }
})
afterEach(() => world.stop())

function headersOf({ clientId, clientSecret }: { clientId: string; clientSecret: string }): Headers {
  return { authorization: basicOf(clientId, clientSecret) }
}

function askAdmin(path: string, body: object): Promise<WireAnswer> {
  return world.send({
    method: 'POST',
    path,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Stores this many revocations for the accounts of `accountOf`; they end in an hour unless `until` says otherwise. */
async function fill(
  count: number,
  accountOf: (index: number) => string | null,
  more: Partial<Revocation> = {},
) {
  const { storage } = world.deps
  const now = Date.now()
  const account = (await storage.getAccount(world.accountId)) as Account
  const put = Array.from({ length: count }, (_unused, index) =>
    makeRevocation({ account: accountOf(index), before: now, until: now + HOUR, createdAt: now, ...more }),
  )
  const next = { ...account, updatedAt: account.updatedAt + 1 }
  expect(await storage.updateAccount(next, account.updatedAt, [], { put, lift: [] })).toBe(true)
}

async function tokenFor(headers?: Headers): Promise<string> {
  if (headers === undefined) return getToken(world)
  const answer = await post(world, '/oauth/token', { grant_type: 'client_credentials' }, headers)
  expect(answer.status, answer.text).toBe(200)
  return answer.json().access_token
}

const revoke = (token: string, headers?: Headers): Promise<WireAnswer> =>
  post(world, '/oauth/revoke', { token }, headers)

async function isActive(token: string): Promise<boolean> {
  return (await post(world, '/oauth/introspect', { token })).json().active
}

function expectRetryAfter(answer: WireAnswer, longest: number): void {
  const seconds = Number(answer.headers.get('retry-after'))
  expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= longest, String(seconds)).toBe(true)
}

describe('an account at its limit', () => {
  test('gets 429 with each of its credentials; other accounts do not', async () => {
    await fill(OF_ACCOUNT - 1, () => world.accountId)
    const [last, over, ofSecond] = [await tokenFor(), await tokenFor(), await tokenFor(second)]
    expect((await revoke(last, second)).status).toBe(200)
    for (const [token, headers] of [
      [over, undefined],
      [ofSecond, second],
    ] as const) {
      const refused = await revoke(token, headers)
      expect([refused.status, refused.json().error]).toEqual([429, 'rate_limited'])
      // The time until the first of them ends.
      expectRetryAfter(refused, HOUR / 1000)
      expect(await isActive(token)).toBe(true)
    }
    const ofOther = await tokenFor(other.headers)
    expect((await revoke(ofOther, other.headers)).status).toBe(200)
    expect(await world.deps.metrics.render()).toMatch(/^claimgate_revocations_full_total 0$/m)
  })

  test('gets Retry-After until its first revocation ends', async () => {
    await fill(OF_ACCOUNT - 1, () => world.accountId)
    await fill(1, () => world.accountId, { until: Date.now() + 90_000 })
    const refused = await revoke(await tokenFor())
    expect(refused.status).toBe(429)
    expectRetryAfter(refused, 90)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(80)
  })

  test('may revoke the same token again: it counts once, and the answer is 200', async () => {
    await fill(OF_ACCOUNT - 2, () => world.accountId)
    const [first, last, over] = [await tokenFor(), await tokenFor(), await tokenFor()]
    for (let times = 0; times < 3; times += 1) expect((await revoke(first)).status).toBe(200)
    expect((await revoke(last)).status).toBe(200)
    expect((await revoke(over)).status).toBe(429)
    expect((await revoke(first)).status).toBe(200)
    const { jti } = payloadOf(first)
    expect((await readAudit(world)).filter(({ target }) => target === jti)).toHaveLength(1)
    expect(
      (await listRules(world.deps.storage, Date.now())).filter(({ value }) => value === jti),
    ).toHaveLength(1)
  })

  test('is not at its limit because of expired revocations or those of operators', async () => {
    await fill(OF_ACCOUNT, () => world.accountId, { until: Date.now() - 1 })
    await fill(OF_ACCOUNT, () => null)
    expect((await revoke(await tokenFor())).status).toBe(200)
  })
})

describe('when all accounts together are at the limit', () => {
  beforeEach(async () => {
    await fill(OF_ALL, (index) => `acct_full${index % 60}`)
    // On a busy machine one read of so many revocations may take longer than a request waits for it.
    for (let tries = 0; tries < 20; tries += 1) {
      if ((await world.deps.rules.read())?.rules.length === OF_ALL) return
      await sleep(250)
    }
  })

  async function countFull(): Promise<number> {
    return Number(/^claimgate_revocations_full_total (\d+)$/m.exec(await world.deps.metrics.render())?.[1])
  }

  test('each gets 503, which is counted; tokens stay valid; operators can still revoke', async () => {
    expect(await countFull()).toBe(0)
    const [mine, theirs] = [await tokenFor(), await tokenFor(other.headers)]
    for (const [token, headers] of [
      [mine, undefined],
      [theirs, other.headers],
    ] as const) {
      const refused = await revoke(token, headers)
      expect(refused.status).toBe(503)
      expectRetryAfter(refused, 3600)
    }
    expect(await countFull()).toBe(2)
    expect(await isActive(mine)).toBe(true)
    const byOperator = await askAdmin('/admin/revocations', { jti: payloadOf(mine).jti })
    expect(byOperator.status, byOperator.text).toBe(201)
    expect(await isActive(mine)).toBe(false)
  })
})
