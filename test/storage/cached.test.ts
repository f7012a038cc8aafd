// The storage contracts through the cache, and the cache itself: hits, maximum age, outages, and results that a write drops.

import { beforeEach, describe, expect, test } from 'vitest'
import type { CredentialWithAccount } from '../../src/claims/records/account.ts'
import type { MaybePromise } from '../../src/lib/result.ts'
import { type CachedStorage, createCachedStorage } from '../../src/storage/cached.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { addAccount, makeAccount, makeAudit, makeCredential } from '../support/records.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

async function openStorage(): Promise<OpenedStorage> {
  // The clock stands still, so that only a write can drop an answer.
  const storage = createCachedStorage(createMemoryStorage(), { now: () => 0 })
  return { storage, close: () => storage.close() }
}

describeStorage('cached memory', openStorage)
describeWrites('cached memory', openStorage)
describeRaces('cached memory', openStorage)
describeRevocations('cached memory', openStorage)
describeRules('cached memory', openStorage)
describePrototypes('cached memory', openStorage)
describeAssertions('cached memory', openStorage)

const HOUR = 3_600_000

/** A real store whose look-ups can be counted, delayed and made to fail. */
function createProbe() {
  const store = createMemoryStorage()
  const state = { asked: 0, isDown: false, isSlow: false }
  const gates: (() => void)[] = []

  function ask<T>(read: () => MaybePromise<T>): MaybePromise<T> {
    state.asked++
    if (state.isDown) return Promise.reject(new StorageError('down'))
    if (!state.isSlow) return read()
    // The value is read now and answered later, so a write may come in between.
    const value = read()
    return new Promise((resolve) => gates.push(() => resolve(value)))
  }
  const storage: Storage = {
    ...store,
    findCredential: (id) => ask(() => store.findCredential(id)),
    isAnyOriginListed: (patterns) => ask(() => store.isAnyOriginListed(patterns)),
    isPrototypeOriginListed: (...asked) => ask(() => store.isPrototypeOriginListed(...asked)),
  }
  function release(): void {
    for (const open of gates.splice(0)) open()
  }
  return { storage, state, release }
}

describe('cached storage', () => {
  let probe: ReturnType<typeof createProbe>
  let time: number
  let cached: CachedStorage
  let known: CredentialWithAccount
  const options = { now: () => time }

  beforeEach(async () => {
    probe = createProbe()
    time = 5_000
    cached = createCachedStorage(probe.storage, options)
    known = await addAccount(cached).then(({ account, credential }) => ({ account, credential }))
    const pages = await addAccount(cached, {
      allowedOrigins: ['https://page.example'],
      browserPrototype: true,
    })
    await cached.createCredential(makeCredential(pages.account.id, { browserPrototype: true }), makeAudit())
  })

  const lookups: readonly [string, (from: CachedStorage) => MaybePromise<unknown>][] = [
    ['a credential', (from) => from.findCredential(known.credential.id)],
    ['an absent credential', (from) => from.findCredential('nobody')],
    ['a listed origin', (from) => from.isAnyOriginListed(['https://shop.example'])],
    ['an origin that is not listed', (from) => from.isAnyOriginListed(['https://no.example'])],
    [
      'an origin of a prototype',
      (from) => from.isPrototypeOriginListed(['https://page.example'], false, time),
    ],
    ['localhost when no prototype allows it', (from) => from.isPrototypeOriginListed(['*'], true, time)],
    ['a credential for verification', (from) => from.findCredentialStale(known.credential.id)],
  ]

  test.each(lookups)(
    '%s: the store is asked once in 800 ms, and the cache answers synchronously in between',
    async (_name, find) => {
      const first = await find(cached)
      expect(probe.state.asked).toBe(1)
      time += 799
      expect(find(cached)).toEqual(first)
      expect(find(cached)).not.toBeInstanceOf(Promise)
      expect(probe.state.asked).toBe(1)
      time += 1
      expect(await find(cached)).toEqual(first)
      expect(probe.state.asked).toBe(2)
    },
  )

  test.each(lookups)('%s: callers that ask together share one look-up', async (_name, find) => {
    probe.state.isSlow = true
    const answers = Array.from({ length: 20 }, () => find(cached))
    expect(probe.state.asked).toBe(1)
    probe.release()
    expect(new Set(await Promise.all(answers)).size).toBe(1)
    // The cache keeps the value, not the promise.
    expect(find(cached)).not.toBeInstanceOf(Promise)
  })

  test.each(lookups)('%s: with shareLookups false each caller asks the store itself', async (_name, find) => {
    const unshared = createCachedStorage(probe.storage, { ...options, shareLookups: false })
    probe.state.isSlow = true
    const answers = Array.from({ length: 20 }, () => find(unshared))
    expect(probe.state.asked).toBe(20)
    probe.release()
    await Promise.all(answers)
    expect(find(unshared)).not.toBeInstanceOf(Promise)
    expect(probe.state.asked).toBe(20)
  })

  test('the age of a result counts from when the store was asked', async () => {
    probe.state.isSlow = true
    const slow = cached.findCredential(known.credential.id)
    time += 1000
    probe.release()
    expect(await slow).toEqual(known)
    probe.state.isSlow = false
    await cached.findCredential(known.credential.id)
    expect(probe.state.asked).toBe(2)
  })

  test('a credential that another process deletes or creates again: the change is seen after a second', async () => {
    const { id } = known.credential
    const find = probe.storage.findCredential
    expect(await cached.findCredential(id)).toEqual(known)
    probe.storage.findCredential = () => undefined
    time += 1000
    expect(await cached.findCredential(id)).toBeUndefined()
    expect(await cached.findCredential(id)).toBeUndefined()
    // An outage does not bring it back.
    probe.storage.findCredential = () => Promise.reject(new StorageError('down'))
    time += 1000
    expect(await cached.findCredentialStale(id)).toBeUndefined()
    probe.storage.findCredential = find
    time += 1000
    expect(await cached.findCredential(id)).toEqual(known)
    expect(await cached.findCredential(id)).toEqual(known)
  })

  test('a failed look-up is not cached', async () => {
    probe.state.isDown = true
    await expect(cached.findCredential(known.credential.id)).rejects.toThrow(StorageError)
    probe.state.isDown = false
    expect(await cached.findCredential(known.credential.id)).toEqual(known)
  })

  test('records that the cache returns are deeply frozen', async () => {
    const found = await cached.findCredential(known.credential.id)
    expect(Object.isFrozen(found)).toBe(true)
    expect(Object.isFrozen(found?.account.allowedOrigins)).toBe(true)
  })

  test('a credential that was looked up before is found as soon as createAccount has answered', async () => {
    const account = makeAccount()
    const credential = makeCredential(account.id)
    expect(await cached.findCredential(credential.id)).toBeUndefined()
    await cached.createAccount(account, credential, makeAudit())
    expect(await cached.findCredential(credential.id)).toEqual({ account, credential })
  })

  test('an origin that was looked up before is listed as soon as createAccount has answered', async () => {
    expect(await cached.isAnyOriginListed(['https://new.example'])).toBe(false)
    await addAccount(cached, { allowedOrigins: ['https://new.example'] })
    expect(await cached.isAnyOriginListed(['https://new.example'])).toBe(true)
  })

  test('answers for localhost and for other origins are cached separately; the time of the call makes no difference', async () => {
    const page = ['https://page.example']
    expect(await cached.isPrototypeOriginListed(page, false, 1)).toBe(true)
    expect(await cached.isPrototypeOriginListed([], true, 1)).toBe(false)
    expect(await cached.isPrototypeOriginListed([], false, 1)).toBe(false)
    expect(probe.state.asked).toBe(3)
    expect(await cached.isPrototypeOriginListed(page, false, 2)).toBe(true)
    expect(probe.state.asked).toBe(3)
  })

  test('an expired prototype stops being listed after a second', async () => {
    const { account } = await addAccount(cached, {
      allowedOrigins: ['https://short.example'],
      browserPrototype: true,
    })
    const credential = makeCredential(account.id, { browserPrototype: true, expiresAt: 10 })
    await cached.createCredential(credential, makeAudit())
    expect(await cached.isPrototypeOriginListed(account.allowedOrigins, false, 9)).toBe(true)
    time += 1000
    expect(await cached.isPrototypeOriginListed(account.allowedOrigins, false, 10)).toBe(false)
  })

  test('a look-up that was under way during a write is not cached', async () => {
    const account = makeAccount({ allowedOrigins: ['https://late.example'] })
    const credential = makeCredential(account.id)
    probe.state.isSlow = true
    const oldCredential = cached.findCredential(credential.id)
    const oldOrigin = cached.isAnyOriginListed(account.allowedOrigins)
    await cached.createAccount(account, credential, makeAudit())
    probe.state.isSlow = false
    // A later look-up does not share the promise of the one from before the write…
    expect(await cached.findCredential(credential.id)).toEqual({ account, credential })
    expect(await cached.isAnyOriginListed(account.allowedOrigins)).toBe(true)
    probe.release()
    expect(await oldCredential).toBeUndefined()
    expect(await oldOrigin).toBe(false)
    // …and the older look-up does not overwrite the cached result.
    expect(cached.findCredential(credential.id)).toEqual({ account, credential })
    expect(cached.isAnyOriginListed(account.allowedOrigins)).toBe(true)
  })

  test('a failed write may have been committed, so the results that it affects are dropped too', async () => {
    const account = makeAccount()
    const credential = makeCredential(account.id)
    const lossy = createCachedStorage(
      {
        ...probe.storage,
        async createAccount(...records) {
          await probe.storage.createAccount(...records)
          throw new StorageError('the connection broke after the commit')
        },
      },
      options,
    )
    expect(await lossy.findCredential(credential.id)).toBeUndefined()
    await expect(lossy.createAccount(account, credential, makeAudit())).rejects.toThrow(StorageError)
    expect(await lossy.findCredential(credential.id)).toEqual({ account, credential })
  })

  test('look-ups of guessed ids do not evict credentials that exist', async () => {
    const small = createCachedStorage(probe.storage, { ...options, max: 10 })
    await small.findCredential(known.credential.id)
    for (let guess = 0; guess < 1000; guess++) await small.findCredential(`guess${guess}`)
    const { asked } = probe.state
    expect(await small.findCredential(known.credential.id)).toEqual(known)
    expect(probe.state.asked).toBe(asked)
  })

  test('at most `max` answers are kept; the least recently used is evicted first', async () => {
    const small = createCachedStorage(probe.storage, { ...options, max: 2 })
    const ids = [
      known.credential.id,
      (await addAccount(small)).credential.id,
      (await addAccount(small)).credential.id,
    ]
    for (const id of ids) await small.findCredential(id)
    const { asked } = probe.state
    await small.findCredential(ids[2]!)
    await small.findCredential(ids[1]!)
    expect(probe.state.asked).toBe(asked)
    await small.findCredential(ids[0]!)
    expect(probe.state.asked).toBe(asked + 1)
  })

  test('keys of 100 000 characters are answered but not cached', async () => {
    const small = createCachedStorage(probe.storage, { ...options, max: 10 })
    const long = 'x'.repeat(100_000)
    expect(await small.findCredential(long)).toBeUndefined()
    expect(await small.findCredential(long)).toBeUndefined()
    expect(probe.state.asked).toBe(2)
  })

  describe('while the database is down', () => {
    beforeEach(async () => {
      await cached.findCredential(known.credential.id)
      await cached.findCredential('nobody')
      await cached.isPrototypeOriginListed(['https://page.example'], false, time)
      time += 1000
      probe.state.isDown = true
    })

    test('issuing rejects instead of using a stale record', async () => {
      await expect(cached.findCredential(known.credential.id)).rejects.toThrow(StorageError)
      await expect(cached.findCredentialStale(known.credential.id)).resolves.toEqual(known)
      await expect(cached.findCredential(known.credential.id)).rejects.toThrow(StorageError)
    })

    test('a look-up of origins rejects instead of using a stale answer', async () => {
      await expect(cached.isAnyOriginListed(['https://shop.example'])).rejects.toThrow(StorageError)
    })

    test('a prototype origin that was known stays listed, and no other origin becomes listed', async () => {
      const page = ['https://page.example']
      await expect(cached.isPrototypeOriginListed(page, false, time)).rejects.toThrow(StorageError)
      expect(await cached.isPrototypeOriginListedStale(page, false, time)).toBe(true)
      await expect(cached.isPrototypeOriginListedStale(['*'], true, time)).rejects.toThrow(StorageError)
      await cached.close()
      await expect(cached.isPrototypeOriginListedStale(page, false, time)).rejects.toThrow(StorageError)
    })

    test('verification uses the last known record for 24 hours', async () => {
      time += 24 * HOUR - 1001
      expect(await cached.findCredentialStale(known.credential.id)).toEqual(known)
      time += 1
      await expect(cached.findCredentialStale(known.credential.id)).rejects.toThrow(StorageError)
    })

    test('a credential that was last known to be absent is still answered as absent', async () => {
      expect(await cached.findCredentialStale('nobody')).toBeUndefined()
    })

    test('a look-up of a credential that was never cached rejects', async () => {
      await expect(cached.findCredentialStale('never seen')).rejects.toThrow(StorageError)
    })

    test('the cache asks the database once a second, not at every request', async () => {
      const { asked } = probe.state
      for (let request = 0; request < 50; request++) await cached.findCredentialStale(known.credential.id)
      expect(probe.state.asked).toBe(asked + 1)
      time += 1000
      await cached.findCredentialStale(known.credential.id)
      expect(probe.state.asked).toBe(asked + 2)
    })

    test('when the database is back, look-ups show what has changed', async () => {
      const id = known.credential.id
      expect(await cached.findCredentialStale(id)).toEqual(known)
      probe.state.isDown = false
      const changed = { ...known, account: { ...known.account, status: 'suspended' as const } }
      const { storage } = probe
      storage.findCredential = () => changed
      time += 1000
      expect(await cached.findCredentialStale(id)).toEqual(changed)
      expect(await cached.findCredential(id)).toEqual(changed)
    })

    test('closing the cache ends answers from it', async () => {
      await cached.close()
      await expect(cached.findCredentialStale(known.credential.id)).rejects.toThrow(StorageError)
    })
  })
})
