// A write through the cache immediately drops the results that it affects, pending ones included, and no others.

import { beforeEach, expect, test } from 'vitest'
import type { Account, Credential } from '../../src/claims/records/account.ts'
import type { MaybePromise } from '../../src/lib/result.ts'
import { type CachedStorage, createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'

const ROTATION = { secretHash: 'bmV3', previousHash: null, previousExpiresAt: null }

let inner: Storage
let cached: CachedStorage
let asked: string[]
/** Each call lets one delayed look-up continue. */
let gates: (() => void)[]
let isSlow: boolean
let account: Account
let credential: Credential
let second: Credential
let other: Awaited<ReturnType<typeof addAccount>>

beforeEach(async () => {
  inner = createMemoryStorage()
  asked = []
  gates = []
  isSlow = false
  cached = createCachedStorage(probe(inner), { now: () => 0 })
  ;({ account, credential } = await addAccount(inner))
  second = makeCredential(account.id, { browserPrototype: true })
  await inner.createCredential(second, makeAudit())
  other = await addAccount(inner, { allowedOrigins: ['https://other.example'] })
  for (const id of [credential.id, second.id, other.credential.id, 'nobody']) await cached.findCredential(id)
  await cached.isAnyOriginListed(account.allowedOrigins)
  await cached.isPrototypeOriginListed(account.allowedOrigins, false, 0)
  asked.length = 0
})

/** The store. Its look-ups are recorded in `asked`, and delayed while `isSlow` is true. */
function probe(store: Storage): Storage {
  function ask<T>(name: string, read: () => MaybePromise<T>): MaybePromise<T> {
    asked.push(name)
    const value = read()
    return isSlow ? new Promise((resolve) => gates.push(() => resolve(value))) : value
  }
  return {
    ...store,
    findCredential: (id) => ask(id, () => store.findCredential(id)),
    isAnyOriginListed: (patterns) => ask('origins', () => store.isAnyOriginListed(patterns)),
    isPrototypeOriginListed: (...about) => ask('prototypes', () => store.isPrototypeOriginListed(...about)),
  }
}

interface Write {
  readonly run: (storage: Storage) => Promise<unknown>
  /** Look-ups for which the cache asks the store again after the write. */
  readonly drops: () => readonly string[]
}

const writes: Readonly<Record<string, Write>> = {
  updateAccount: {
    run: (storage) =>
      storage.updateAccount(
        { ...account, name: 'new', updatedAt: account.updatedAt + 1 },
        account.updatedAt,
        [],
      ),
    drops: () => [credential.id, second.id, 'origins', 'prototypes'],
  },
  deleteAccount: {
    run: (storage) => storage.deleteAccount(account.id, makeRevocation(), makeAudit()),
    drops: () => [credential.id, second.id, 'origins', 'prototypes'],
  },
  createCredential: {
    run: (storage) => storage.createCredential(makeCredential(account.id, { id: 'nobody' }), makeAudit()),
    drops: () => ['nobody', 'prototypes'],
  },
  replaceSecret: {
    run: (storage) => storage.replaceSecret(credential.id, ROTATION, credential.secretHash!, makeAudit()),
    drops: () => [credential.id],
  },
  revokeCredential: {
    run: (storage) =>
      storage.revokeCredential(credential.id, 1, makeCredentialEnd(credential.id), makeAudit()),
    drops: () => [credential.id, 'prototypes'],
  },
  addRevocation: {
    run: (storage) => storage.addRevocation(makeRevocation({ value: credential.id }), makeAudit()),
    drops: () => [],
  },
  touchCredentials: {
    run: (storage) => storage.touchCredentials(new Map([[credential.id, 1]])),
    drops: () => [],
  },
  useAssertion: { run: (storage) => storage.useAssertion(credential.id, 'jti', 1), drops: () => [] },
  addCustomerRevocation: {
    run: (storage) =>
      storage.addCustomerRevocation(
        { ...makeRevocation(), account: account.id },
        { ofAccount: 1, ofAll: 1 },
        makeAudit(),
      ),
    drops: () => [],
  },
  raiseRevocation: {
    run: (storage) => storage.raiseRevocation('unknown', 1, 1),
    drops: () => [],
  },
  purge: {
    run: (storage) =>
      storage.purge({ revocationsUntil: Number.MAX_SAFE_INTEGER, assertionsUntil: 0, auditBefore: 0 }),
    drops: () => [],
  },
  appendAuditOnce: { run: (storage) => storage.appendAuditOnce(makeAudit()), drops: () => [] },
  raiseLongestLifetime: { run: (storage) => storage.raiseLongestLifetime(60), drops: () => [] },
}

async function lookUpAll(): Promise<unknown[]> {
  const ids = [credential.id, second.id, other.credential.id, 'nobody']
  const found = await Promise.all(ids.map(async (id) => cached.findCredential(id)))
  return [...found, await lookUpOne('origins'), await lookUpOne('prototypes')]
}

async function lookUpOne(name: string): Promise<unknown> {
  if (name === 'origins') return cached.isAnyOriginListed(account.allowedOrigins)
  if (name === 'prototypes') return cached.isPrototypeOriginListed(account.allowedOrigins, false, 0)
  return cached.findCredential(name)
}

test.each(Object.entries(writes))(
  '%s drops the cached results that it affects and no others',
  async (_name, write) => {
    await write.run(cached)
    await lookUpAll()
    expect(asked.sort()).toEqual([...write.drops()].sort())
  },
)

const DROPS_NOTHING = [
  'addRevocation',
  'addCustomerRevocation',
  'raiseRevocation',
  'touchCredentials',
  'purge',
  'useAssertion',
  'appendAuditOnce',
  'raiseLongestLifetime',
]
const dropping = Object.entries(writes).filter(([name]) => !DROPS_NOTHING.includes(name))

test.each(dropping)('%s that fails after its commit: later look-ups see the change', async (_name, write) => {
  const lossy: Storage = new Proxy(probe(inner), {
    get: (store, name: keyof Storage) =>
      name in writes
        ? async (...records: never[]) => {
            await (store[name] as (...records: never[]) => Promise<unknown>)(...records)
            throw new StorageError('the connection broke after the commit')
          }
        : store[name],
  })
  cached = createCachedStorage(lossy, { now: () => 0 })
  const before = await lookUpAll()
  await expect(write.run(cached)).rejects.toThrow(StorageError)
  expect(await lookUpAll()).not.toEqual(before)
})

test.each(dropping)(
  '%s: a look-up that began before the write is neither shared with later callers nor cached',
  async (_name, write) => {
    // Nothing is cached yet: each look-up goes to the store, and the early ones are delayed there.
    cached = createCachedStorage(probe(inner), { now: () => 0 })
    const lookUp = () => Promise.all(write.drops().map(lookUpOne))
    isSlow = true
    const early = lookUp()
    await write.run(cached)
    isSlow = false
    const late = lookUp()
    for (const open of gates) open()
    const after = await late
    expect(await early).not.toEqual(after)
    expect(await lookUp()).toEqual(after)
  },
)

test('during an outage right after a suspension, other accounts are still answered from the cache', async () => {
  let isDown = false
  const failing: Storage = {
    ...inner,
    findCredential: (id) => (isDown ? Promise.reject(new StorageError('down')) : inner.findCredential(id)),
  }
  let now = 0
  cached = createCachedStorage(failing, { now: () => now })
  await lookUpAll()
  const suspended = { ...account, status: 'suspended' as const, updatedAt: account.updatedAt + 1 }
  await cached.updateAccount(suspended, account.updatedAt, [])
  isDown = true
  now = 60_000
  expect(await cached.findCredentialStale(other.credential.id)).toMatchObject({ account: other.account })
  // The suspended account is no longer cached: the look-up rejects, and does not give the record from before.
  await expect(cached.findCredentialStale(credential.id)).rejects.toThrow(StorageError)
})
