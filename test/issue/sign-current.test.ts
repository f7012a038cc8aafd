// The last check before a token is issued: how old the record and the revocation rules may be, and which requests wait.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CredentialWithAccount } from '../../src/claims/records/account.ts'
import type { IssuedToken } from '../../src/issue/issue.ts'
import { createSignCurrent } from '../../src/issue/sign-current.ts'
import { ok } from '../../src/lib/result.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { makeAccount, makeCredential } from '../support/records.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const ISSUED = { token: 'a token' } as unknown as IssuedToken

/** A store and rules of one credential, as a test sets them. */
function createTrial() {
  const account = makeAccount()
  const found: CredentialWithAccount = { account, credential: makeCredential(account.id) }
  const trial = {
    found,
    /** What the database holds now. */
    latest: found as CredentialWithAccount | undefined,
    endsBefore: 0,
    /** The rule after a refresh; undefined: unchanged. */
    refreshed: undefined as number | undefined,
    /** Which of the two reads fails. */
    failing: undefined as 'record' | 'rules' | undefined,
    /** Runs while a signature is made. */
    whileSigning: (): void => undefined,
    signatureMs: 0,
    asked: 0,
    signedAt: [] as number[],
    sign: () => signCurrent(found, makeToken),
  }
  const readAt = new Map<CredentialWithAccount, number>([[found, performance.now()]])
  const makeToken = async (time: number) => {
    trial.signedAt.push(time)
    trial.whileSigning()
    await vi.advanceTimersByTimeAsync(trial.signatureMs)
    return ok(ISSUED)
  }
  const signCurrent = createSignCurrent({
    storage: {
      readAtOf: (record) => readAt.get(record),
      async findCredentialLatest() {
        trial.asked += 1
        if (trial.failing === 'record') throw new StorageError('the store is down')
        if (trial.latest === undefined) return undefined
        const copy = structuredClone(trial.latest)
        readAt.set(copy, performance.now())
        return copy
      },
    },
    readStanding() {
      if (trial.failing === 'rules') throw new StorageError('the store is down')
      return { readAt: performance.now(), endsBefore: trial.endsBefore }
    },
    async refreshRules() {
      trial.endsBefore = trial.refreshed ?? trial.endsBefore
    },
    now: Date.now,
  })
  return trial
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test.each([
  [0, 0],
  [900, 0],
  [901, 1],
  [60_000, 1],
])('a record that is %i ms old: the token is signed after %i more queries', async (ageMs, lookups) => {
  const trial = createTrial()
  await pass(ageMs)
  expect(await trial.sign()).toEqual(ok(ISSUED))
  expect(trial.asked).toBe(lookups)
})

const changes: readonly (readonly [
  string,
  (found: CredentialWithAccount) => typeof found | undefined,
  boolean,
])[] = [
  ['gone', () => undefined, false],
  ['with another secret', (found) => withCredential(found, { secretHash: 'bmV3' }), false],
  ['revoked', (found) => withCredential(found, { revokedAt: 1 }), false],
  [
    'suspended',
    ({ account, ...found }) => ({ ...found, account: { ...account, status: 'suspended' } }),
    false,
  ],
  [
    'with fewer scopes',
    ({ account, ...found }) => ({ ...found, account: { ...account, scopes: [] } }),
    false,
  ],
  ['as it was', (found) => found, true],
  ['as it was, but used', (found) => withCredential(found, { lastUsedAt: 5 }), true],
]
test.each(changes)('an old record that is now %s', async (_, change, isSigned) => {
  const trial = createTrial()
  trial.latest = change(trial.found)
  await pass(950)
  const signed = await trial.sign()
  if (isSigned) return expect(signed).toEqual(ok(ISSUED))
  expect(signed).toMatchObject({
    ok: false,
    reason: { code: 'unavailable', headers: { 'retry-after': '1' } },
  })
  expect(trial.signedAt).toEqual([])
})

function withCredential(found: CredentialWithAccount, changed: object): CredentialWithAccount {
  return { ...found, credential: { ...found.credential, ...changed } }
}

test('a signature that took too long is made again, up to five times', async () => {
  const trial = createTrial()
  trial.signatureMs = 1100
  const signed = await trial.sign()
  expect(signed).toMatchObject({ ok: false, reason: { code: 'unavailable' } })
  expect(trial.signedAt).toHaveLength(5)
  trial.signatureMs = 100
  expect(await trial.sign()).toEqual(ok(ISSUED))
})

test.each([
  [1, true, undefined],
  [1400, true, undefined],
  [2500, true, undefined],
  [2501, false, '3'],
  [59_500, false, '60'],
  [86_400_000, false, '60'],
])(
  'a revocation whose moment is %i ms ahead: signed %s, Retry-After %s',
  async (settlesInMs, isSigned, retryAfter) => {
    const trial = createTrial()
    trial.endsBefore = Date.now() + settlesInMs
    const signing = trial.sign()
    await pass(2600)
    const signed = await signing
    if (isSigned) {
      expect(signed).toEqual(ok(ISSUED))
      expect(trial.signedAt.every((time) => time >= trial.endsBefore)).toBe(true)
    } else {
      expect(signed).toMatchObject({
        reason: { code: 'unavailable', headers: { 'retry-after': retryAfter } },
      })
      expect(trial.signedAt).toEqual([])
    }
  },
)

test('a rule that was lifted meanwhile causes no wait', async () => {
  const trial = createTrial()
  trial.endsBefore = Date.now() + 300_000
  trial.refreshed = 0
  expect(await trial.sign()).toEqual(ok(ISSUED))
})

test('1000 requests may wait, more get 503', async () => {
  const trial = createTrial()
  trial.endsBefore = Date.now() + 1500
  const signings = Array.from({ length: 1200 }, () => trial.sign())
  await pass(0)
  const last = await Promise.race([signings[1199], pass(1)])
  expect(last).toMatchObject({ ok: false, reason: { code: 'unavailable', headers: { 'retry-after': '2' } } })
  await pass(1600)
  const all = await Promise.all(signings)
  expect(all.filter(({ ok: isSigned }) => isSigned)).toHaveLength(1000)
})

test.each(['record', 'rules'] as const)(
  'no token is signed from an old record while the %s cannot be read',
  async (failing) => {
    const trial = createTrial()
    trial.failing = failing
    await pass(950)
    await expect(trial.sign()).rejects.toThrow(StorageError)
    expect(trial.signedAt).toEqual([])
  },
)

test('a rule that arrives during a slow signature delays the token until its moment', async () => {
  const trial = createTrial()
  trial.signatureMs = 1100
  let moment = 0
  trial.whileSigning = () => {
    if (moment > 0) return
    moment = Date.now() + 2000
    trial.endsBefore = moment
    trial.signatureMs = 0
    // The signature that has already started still takes long.
    vi.advanceTimersByTime(1100)
  }
  const signing = trial.sign()
  await pass(3000)
  expect(await signing).toEqual(ok(ISSUED))
  const later = trial.signedAt.slice(1)
  expect(later.length).toBeGreaterThan(0)
  for (const time of later) expect(time).toBeGreaterThanOrEqual(moment)
})

test('a credential that ends during a slow signature gets no token', async () => {
  const trial = createTrial()
  trial.signatureMs = 1100
  trial.whileSigning = () => {
    trial.latest = withCredential(trial.found, { revokedAt: 1 })
  }
  expect(await trial.sign()).toMatchObject({ ok: false, reason: { code: 'unavailable' } })
  expect(trial.signedAt).toHaveLength(1)
})
