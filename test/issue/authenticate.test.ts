// Authentication as a table. Every answer takes one query and one hash, so that all refusals take the same time.

import { beforeEach, describe, expect, test, vi } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import type { Account, Credential } from '../../src/claims/records/account.ts'
import { createAuthenticate } from '../../src/issue/authenticate.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'

const NOW = Date.UTC(2026, 0, 1)
const SECRET = 'newest'
const PREVIOUS = 'previous'
const hash = nodeCryptoEngine.createSecretHash('pepper')

const account: Account = {
  id: 'acct_1',
  name: 'One',
  status: 'active',
  allowedOrigins: ['*'],
  scopes: [],
  maxTtl: null,
  browserPrototype: false,
  requireOrigin: false,
  createdAt: NOW,
  updatedAt: NOW,
}
const credential: Credential = {
  id: 'id1',
  accountId: account.id,
  name: 'default',
  scopes: null,
  browserPrototype: false,
  allowLocalhost: true,
  secretHash: await hash(SECRET),
  previousHash: null,
  previousExpiresAt: null,
  jwks: null,
  expiresAt: null,
  revokedAt: null,
  createdAt: NOW,
  lastUsedAt: null,
}
const rotated = { previousHash: await hash(PREVIOUS) }

/** What is stored, what is sent, and whether it authenticates. */
const rows: readonly (readonly [
  rule: string,
  stored: { credential?: Partial<Credential>; account?: Partial<Account> },
  sent: string,
  passes: boolean,
])[] = [
  ['right secret', {}, SECRET, true],
  ['wrong secret', {}, 'wrong', false],
  ['empty secret', {}, '', false],
  ['the hash instead of the secret', {}, credential.secretHash ?? '', false],
  ['the text that stands for a missing hash', {}, 'x'.repeat(43), false],
  ['the beginning of the secret', {}, SECRET.slice(0, -1), false],
  ['no secret on record, only public keys', { credential: { secretHash: null, jwks: '{}' } }, SECRET, false],
  ['with 10 s left', { credential: { expiresAt: NOW + 10_000 } }, SECRET, true],
  ['with less than 10 s left', { credential: { expiresAt: NOW + 9_999 } }, SECRET, false],
  ['expired at this moment', { credential: { expiresAt: NOW } }, SECRET, false],
  ['expired', { credential: { expiresAt: NOW - 1 } }, SECRET, false],
  ['revoked', { credential: { revokedAt: NOW - 1 } }, SECRET, false],
  ['revoked at the epoch', { credential: { revokedAt: 0 } }, SECRET, false],
  ['account suspended', { account: { status: 'suspended' } }, SECRET, false],
  [
    'previous secret in the overlap',
    { credential: { ...rotated, previousExpiresAt: NOW + 1 } },
    PREVIOUS,
    true,
  ],
  ['newest secret in the overlap', { credential: { ...rotated, previousExpiresAt: NOW + 1 } }, SECRET, true],
  [
    'previous secret at the end of the overlap',
    { credential: { ...rotated, previousExpiresAt: NOW } },
    PREVIOUS,
    false,
  ],
  [
    'previous secret after the overlap',
    { credential: { ...rotated, previousExpiresAt: NOW - 1 } },
    PREVIOUS,
    false,
  ],
  [
    'newest secret after the overlap',
    { credential: { ...rotated, previousExpiresAt: NOW - 1 } },
    SECRET,
    true,
  ],
  ['previous secret without an end of the overlap', { credential: rotated }, PREVIOUS, false],
  [
    'previous secret in the overlap of a revoked credential',
    { credential: { ...rotated, previousExpiresAt: NOW + 1, revokedAt: NOW } },
    PREVIOUS,
    false,
  ],
  [
    'previous secret in the overlap of an expired credential',
    { credential: { ...rotated, previousExpiresAt: NOW + 1, expiresAt: NOW } },
    PREVIOUS,
    false,
  ],
]

describe.each(['synchronously', 'as promises'] as const)('the store and the hash answer %s', (manner) => {
  let storage: Storage
  const findCredential = vi.fn<Storage['findCredential']>()
  const hashSecret = vi.fn<typeof hash>()
  const authenticate = createAuthenticate({ findCredential }, hashSecret)

  beforeEach(() => {
    storage = createMemoryStorage()
    const answer = <T>(value: T) => (manner === 'synchronously' ? value : Promise.resolve(value))
    findCredential.mockReset().mockImplementation((id) => answer(storage.findCredential(id)))
    hashSecret.mockReset().mockImplementation((secret) => answer(hash(secret)))
  })

  const store = (stored: (typeof rows)[number][1]) => {
    const audit = {
      id: 'a',
      at: NOW,
      actor: 'admin',
      action: 'account.create',
      target: 'x',
      detail: null,
    } as const
    return storage.createAccount(
      { ...account, ...stored.account },
      { ...credential, ...stored.credential },
      audit,
    )
  }

  test.each(rows)('%s', async (_, stored, sent, passes) => {
    await store(stored)
    const found = await authenticate({ clientId: credential.id, clientSecret: sent }, NOW)
    expect(found?.credential.id).toBe(passes ? credential.id : undefined)
    expect(found?.account.id).toBe(passes ? account.id : undefined)
    expect(findCredential.mock.calls).toEqual([[credential.id]])
    expect(hashSecret.mock.calls).toEqual([[sent]])
  })

  test.each([SECRET, 'wrong', 'x'.repeat(43)])(
    'an unknown id with the secret %s costs one query and one hash',
    async (sent) => {
      await store({})
      expect(await authenticate({ clientId: 'id2', clientSecret: sent }, NOW)).toBeUndefined()
      expect(findCredential.mock.calls).toEqual([['id2']])
      expect(hashSecret.mock.calls).toEqual([[sent]])
    },
  )

  test('a request without credentials causes no query', async () => {
    expect(await authenticate(undefined, NOW)).toBeUndefined()
    expect(findCredential).not.toHaveBeenCalled()
  })

  test('rejects when the store fails', async () => {
    findCredential.mockReset().mockReturnValue(Promise.reject(new Error('down')))
    await expect(
      (async () => authenticate({ clientId: credential.id, clientSecret: SECRET }, NOW))(),
    ).rejects.toThrow('down')
  })
})
