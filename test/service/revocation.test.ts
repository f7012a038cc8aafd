// Step 5 (revocation) of the service's own verifier: what revokes a token, that results from memory are synchronous, and
// what decides while the database is down.

import { describe, expect, test } from 'vitest'
import type { Account, Credential } from '../../src/claims/records/account.ts'
import { createRevocationCheck } from '../../src/service/revocation/check.ts'
import { createRevocationRules } from '../../src/service/revocation/rules.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { makeAccount, makeAudit, makeCredential, makeRevocation } from '../support/records.ts'
import { claimsWith, HOUR, keepLog } from '../support/service-parts.ts'

/** Creates a check on a store that holds the account and the credential that `claims` name. */
async function start(account: Partial<Account> = {}, credential: Partial<Credential> = {}) {
  const owner = makeAccount(account)
  const record = makeCredential(owner.id, credential)
  const inner = createMemoryStorage()
  await inner.createAccount(owner, record, makeAudit())
  const storage = createCachedStorage(inner)
  const { log, lines } = keepLog()
  const rules = createRevocationRules({ storage, log, now: Date.now, sharesWork: true })
  const isEnded = (kid: string): boolean => kid === 'ended'
  return {
    storage,
    inner,
    rules,
    lines,
    claims: claimsWith({ sub: owner.id, client_id: record.id }),
    check: createRevocationCheck({ storage, rules, keyRing: { isEnded }, log }),
  }
}

/** A revocation, kept for an hour, of tokens that were issued up to one second from now. */
const revocationOf = (kind: 'jti' | 'client_id' | 'sub' | 'kid', value: string) =>
  makeRevocation({ kind, value, before: Date.now() + 1000, until: Date.now() + HOUR })

describe('a token is revoked', () => {
  test('with its signing key, whatever its account and credential are', async () => {
    const { check, claims, inner } = await start()
    expect(check(claims, 'ended')).toBe(true)
    await inner.close()
    expect(check(claims, 'ended')).toBe(true)
  })

  test.each<[string, Partial<Account>, Partial<Credential>, boolean]>([
    ['while its account is suspended', { status: 'suspended' }, {}, true],
    ['with its credential', {}, { revokedAt: 1 }, true],
    ['not when its credential has expired', {}, { expiresAt: 1 }, false],
    ['not when nothing was revoked', {}, {}, false],
  ])('%s', async (_, account, credential, isEnded) => {
    const { check, claims } = await start(account, credential)
    expect(await check(claims, 'key-1')).toBe(isEnded)
  })

  test.each([
    ['when its credential does not exist', { client_id: 'nobody' }],
    ['when its credential belongs to another account', { sub: 'acct_other' }],
  ])('%s', async (_, members) => {
    const { check, claims } = await start()
    expect(await check({ ...claims, ...members }, 'key-1')).toBe(true)
  })

  test.each(['jti', 'client_id', 'sub', 'kid'] as const)('by a revocation of its %s', async (kind) => {
    const { check, claims, storage, rules } = await start()
    expect(await check(claims, 'key-1')).toBe(false)
    const value = kind === 'kid' ? 'key-1' : claims[kind]
    await storage.addRevocation(revocationOf(kind, value), makeAudit())
    await rules.refresh()
    expect(check(claims, 'key-1')).toBe(true)
    // A token issued later passes.
    const later = { ...claims, iat: claims.iat + 3, exp: claims.exp + 3 }
    expect(check(later, 'key-1')).toBe(false)
  })

  test('while its account is suspended, and not after it is resumed', async () => {
    const { check, claims, storage, rules } = await start()
    const account = (await storage.getAccount(claims.sub)) ?? expect.unreachable('the account does not exist')
    const suspended = { ...account, status: 'suspended' as const, updatedAt: account.updatedAt + 1 }
    await storage.updateAccount(suspended, account.updatedAt, [])
    await rules.refresh()
    expect(await check(claims, 'key-1')).toBe(true)
    const resumed = { ...account, updatedAt: account.updatedAt + 2 }
    await storage.updateAccount(resumed, suspended.updatedAt, [])
    await rules.refresh()
    expect(await check(claims, 'key-1')).toBe(false)
  })
})

test('a result from memory is not a promise', async () => {
  const { check, claims } = await start()
  expect(await check(claims, 'key-1')).toBe(false)
  expect(check(claims, 'key-1')).toBe(false)
})

describe('while the database is down', () => {
  const fault = (): Promise<never> => Promise.reject(new StorageError('the store is down'))

  test('the last known records decide', async () => {
    const { check, claims, storage, rules, inner } = await start()
    await storage.addRevocation(revocationOf('jti', 'jti-2'), makeAudit())
    await rules.refresh()
    expect(await check(claims, 'key-1')).toBe(false)
    await inner.close()
    expect(await check(claims, 'key-1')).toBe(false)
    expect(await check({ ...claims, jti: 'jti-2' }, 'key-1')).toBe(true)
  })

  test('a token counts as valid when neither its credential nor any rules are in memory', async () => {
    const { log, lines } = keepLog()
    const check = createRevocationCheck({
      storage: { findCredentialStale: fault },
      rules: createRevocationRules({
        storage: { readRuleSeq: fault, listRuleChanges: fault },
        log,
        now: Date.now,
        sharesWork: true,
      }),
      keyRing: { isEnded: () => false },
      log,
    })
    expect(await check(claimsWith(), 'key-1')).toBe(false)
    expect(lines).toEqual([
      'error: revocations cannot be read; none are known',
      'warn: verifying without the database',
    ])
  })
})
