// Many processes change the same keys together, on every kind of store that runs here.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createKeyLife, type KeyLife } from '../../src/signing/key-life.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { SigningKeyStore } from '../../src/signing/signing-key.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { createMemoryKeys } from '../support/memory-keys.ts'
import { count, DAY, NOW } from './plans.ts'

interface Opened {
  /** Another handle on the same store. */
  readonly open: () => SigningKeyStore
  readonly close: () => Promise<void>
}

const openMemory = async (): Promise<Opened> => {
  const { store } = createMemoryKeys()
  return { open: () => store, close: async () => undefined }
}

const openFiles = async (): Promise<Opened> => {
  const dir = await mkdtemp(join(tmpdir(), 'key-races-'))
  return {
    open: () => createFileKeyStore(dir, { production: true }),
    close: () => rm(dir, { recursive: true }),
  }
}

const openDatabase = async (): Promise<Opened> => {
  const dir = await mkdtemp(join(tmpdir(), 'key-races-'))
  const masterKey = crypto.getRandomValues(new Uint8Array(32))
  const engines = Array.from({ length: 4 }, () => openSqlite(join(dir, 'claimgate.db')))
  for (const engine of engines) await migrateSchema(engine)
  let turn = 0
  return {
    open: () => {
      turn += 1
      return createSqlKeyStore(engines[turn % engines.length] ?? openSqlite(':memory:'), masterKey)
    },
    close: async () => {
      for (const engine of engines) await engine.close()
      await rm(dir, { recursive: true })
    },
  }
}

// The store in memory that other tests use fulfils the contract of a real one.
describeKeyChanges('memory, of the tests', openMemory)

describe.each([
  ['memory', openMemory],
  ['files', openFiles],
  ['sqlite', openDatabase],
])('%s', (_, openStore) => {
  const MANY = 50
  const alg = 'ES256'
  const terms = { alg, publishMs: 1000, rotationMs: DAY, lifetimeMs: DAY } as const
  let opened: Opened
  let lives: readonly KeyLife[]
  let life: KeyLife

  beforeEach(async () => {
    opened = await openStore()
    await opened.open().initialize(await createFirstKeys(alg, NOW))
    lives = Array.from({ length: MANY }, () => createKeyLife(opened.open(), terms))
    life = createKeyLife(opened.open(), terms)
  })
  afterEach(() => opened.close())

  const expectPair = async () => {
    const keys = await life.list()
    expect([count(keys, alg, 'current'), count(keys, alg, 'pending')]).toEqual([1, 1])
    return keys
  }
  const kidsOf = async () => (await life.list()).map(({ kid }) => kid)

  test('50 forced rotations: each succeeds or fails with `outrun`', async () => {
    const answers = await Promise.all(lives.map((one) => one.rotate(NOW, { force: true })))
    const made = answers.filter(({ ok }) => ok)
    expect(made.length).toBeGreaterThan(0)
    expect(answers.filter((one) => !one.ok && one.reason !== 'outrun')).toEqual([])
    expect((await expectPair()).filter(({ state }) => state === 'retiring')).toHaveLength(made.length)
  })

  test('50 rotations when one is allowed: one succeeds', async () => {
    const answers = await Promise.all(lives.map((one) => one.rotate(NOW + 1000, { force: false })))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect((await expectPair()).filter(({ state }) => state === 'retiring')).toHaveLength(1)
  })

  test('50 rounds of upkeep when a rotation is due: one rotates', async () => {
    const answers = await Promise.all(lives.map((one) => one.maintain(NOW + DAY, () => false)))
    expect(answers.filter(({ rotatedKid }) => rotatedKid !== undefined)).toHaveLength(1)
    expect((await expectPair()).filter(({ state }) => state === 'retiring')).toHaveLength(1)
  })

  test('50 ends of one key: one succeeds', async () => {
    const [current = ''] = await kidsOf()
    const answers = await Promise.all(lives.map((one) => one.end(current, NOW)))
    expect(answers.filter(Boolean)).toHaveLength(1)
    const keys = await expectPair()
    expect(keys.filter(({ state }) => state === 'expired').map(({ kid }) => kid)).toEqual([current])
    expect(keys).toHaveLength(3)
  })

  test('concurrent ends of every key, rotations and upkeep: each key is ended once and stays ended', async () => {
    for (let round = 0; round < 3; round += 1) await life.rotate(NOW, { force: true })
    const kids = await kidsOf()
    const ends = new Map<string, boolean[]>(kids.map((kid) => [kid, []]))
    await Promise.all(
      lives.map(async (one, index) => {
        const kid = kids[Math.floor(index / 5) % kids.length] ?? ''
        if (index % 5 === 4) await one.rotate(NOW, { force: true })
        else if (index % 5 === 3) await one.maintain(NOW + 1, () => false)
        else ends.get(kid)?.push(await one.end(kid, NOW + 1))
      }),
    )
    for (const answers of ends.values()) expect(answers.filter(Boolean)).toHaveLength(1)
    const keys = await expectPair()
    for (const { kid, state } of keys) if (ends.has(kid)) expect(state).toBe('expired')
  })

  test.each(['current', 'pending'] as const)(
    '50 starts on a store without a %s key leave one of each state',
    async (state) => {
      const gone = (await life.list()).filter((key) => key.state === state)
      await opened.open().replace({ expect: [], put: [], remove: gone.map(({ kid }) => kid) })
      await Promise.all(lives.map((one) => one.open(NOW)))
      await expectPair()
    },
  )

  test('10 starts on a store that has only an expired key create one current and one pending key', async () => {
    const put = [await createSigningKey(alg, 'expired', NOW)]
    await opened.open().replace({ expect: [], put, remove: await kidsOf() })
    await Promise.all(lives.slice(0, 10).map((one) => one.open(NOW)))
    await expectPair()
  })

  test('50 starts with another algorithm: one of them retires the old key and creates the new ones', async () => {
    const next = Array.from({ length: MANY }, () => createKeyLife(opened.open(), { ...terms, alg: 'EdDSA' }))
    await Promise.all(next.map((one) => one.open(NOW)))
    const states = (await life.list()).map((key) => `${key.alg} ${key.state}`)
    expect(states).toEqual(['EdDSA current', 'EdDSA pending', 'ES256 retiring'])
  })
})
