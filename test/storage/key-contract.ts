// The contract of the key store in a SQL database, on every engine.

import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { SigningKeyState, StoredSigningKey } from '../../src/signing/signing-key.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { SqlEngine } from '../../src/storage/sql/engine.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { nextId } from '../support/records.ts'
import { openEach } from './open-each.ts'

export interface OpenedKeyEngine {
  readonly engine: SqlEngine
  readonly close: () => Promise<void>
}

async function makeKey(alg: StoredSigningKey['alg'], state: SigningKeyState): Promise<StoredSigningKey> {
  const kid = nextId(`${alg}-`)
  const jwk =
    alg === 'HS256'
      ? { kty: 'oct', k: randomBytes(32).toString('base64url') }
      : await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)
  const currentSince = state === 'pending' ? null : 1_700_000_000_001
  const expiresAt = state === 'retiring' ? 1_700_000_000_002 : null
  return { kid, alg, state, createdAt: 1_700_000_000_000, currentSince, expiresAt, jwk: { ...jwk, kid, alg } }
}

const byKid = (keys: readonly StoredSigningKey[]) => [...keys].sort((a, b) => (a.kid < b.kid ? -1 : 1))

export function describeKeyStore(name: string, open: () => Promise<OpenedKeyEngine>): void {
  describe(`key store contract: ${name}`, () => {
    let engine: SqlEngine
    const masterKey = randomBytes(32)
    openEach(open, (opened) => {
      engine = opened.engine
    })
    const keyTable = () => engine.dialect.table('signing_keys')

    const makePair = () => Promise.all([makeKey('ES256', 'current'), makeKey('ES256', 'pending')])

    test('an empty store lists nothing', async () => {
      expect(await createSqlKeyStore(engine, masterKey).list()).toEqual([])
    })

    test('keys of every algorithm and state are read back unchanged', async () => {
      const keys = await Promise.all([
        makeKey('ES256', 'pending'),
        makeKey('EdDSA', 'current'),
        makeKey('HS256', 'retiring'),
        makeKey('ES256', 'expired'),
      ])
      const store = createSqlKeyStore(engine, masterKey)
      await store.initialize(keys)
      expect(byKid(await store.list())).toEqual(byKid(keys))
    })

    test('keys of another algorithm are added to the existing ones', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      const [first, second] = [await makePair(), [await makeKey('EdDSA', 'current')]]
      await store.initialize(first)
      await store.initialize(second)
      await store.initialize([await makeKey('EdDSA', 'current')])
      await store.initialize([await makeKey('ES256', 'current'), await makeKey('HS256', 'current')])
      expect(byKid(await store.list())).toEqual(byKid([...first, ...second]))
    })

    test('a store that already has keys of the algorithm is not changed', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      const [first, second] = [await makePair(), await makePair()]
      await store.initialize(first)
      await store.initialize(second)
      await store.initialize([...first, ...second])
      await store.initialize([])
      expect(byKid(await store.list())).toEqual(byKid(first))
    })

    test('initialize with no keys leaves an empty store empty', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      await store.initialize([])
      expect(await store.list()).toEqual([])
    })

    test('initialize with the same key twice rejects and stores nothing', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      const [key] = await makePair()
      await expect(store.initialize([key, key])).rejects.toThrow(StorageError)
      expect(await store.list()).toEqual([])
    })

    test('after ten concurrent calls of initialize every store lists the keys of the same call', async () => {
      const pairs = await Promise.all(Array.from({ length: 10 }, makePair))
      const stores = pairs.map(() => createSqlKeyStore(engine, masterKey))
      await Promise.all(stores.map((store, index) => store.initialize(pairs[index]!)))
      const listed = await Promise.all(stores.map(async (store) => byKid(await store.list())))
      expect(pairs.map(byKid)).toContainEqual(listed[0])
      for (const keys of listed) expect(keys).toEqual(listed[0])
    })

    test('the table holds no private key material, neither plain nor in base64url or hex', async () => {
      const keys = await Promise.all([makeKey('ES256', 'current'), makeKey('HS256', 'pending')])
      await createSqlKeyStore(engine, masterKey).initialize(keys)
      const { rows } = await engine.run(sql`SELECT * FROM ${keyTable()}`.compile(engine.dialect.builder))
      const text = JSON.stringify(rows)
      expect(rows).toHaveLength(2)
      for (const { jwk } of keys) {
        const secret = String(jwk.d ?? jwk.k)
        expect(text).not.toContain(secret)
        expect(text).not.toContain(Buffer.from(secret).toString('base64url').slice(4, -4))
        expect(text).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
      }
      for (const { sealed } of rows) {
        const parts = String(sealed).split('.')
        expect(parts).toHaveLength(5)
        const header = JSON.parse(Buffer.from(parts[0]!, 'base64url').toString())
        expect(header).toEqual({ alg: 'dir', enc: 'A256GCM' })
        expect(Buffer.from(parts[3]!, 'base64url').toString('latin1')).not.toMatch(/"(d|k|kty|crv)"/)
      }
    })

    test('another master key is refused with a message that says what to do, and the store does not change', async () => {
      const keys = await makePair()
      await createSqlKeyStore(engine, masterKey).initialize(keys)
      const other = createSqlKeyStore(engine, randomBytes(32))
      await expect(other.list()).rejects.toThrow(StorageError)
      await expect(other.list()).rejects.toThrow(/cannot be decrypted with this master key; set the one/)
      await other.initialize(await makePair())
      expect(byKid(await createSqlKeyStore(engine, masterKey).list())).toEqual(byKid(keys))
    })

    test.each([
      ['a changed kid', sql`kid = 'another'`],
      ['a changed algorithm', sql`alg = 'HS256'`],
      ['an unknown algorithm', sql`alg = 'none'`],
      ['an unknown state', sql`state = 'best'`],
      ['a key in clear text instead of an encrypted one', sql`sealed = '{"kty":"oct","k":""}'`],
      [
        'an encrypted key with some characters changed',
        sql`sealed = replace(sealed, substr(sealed, 80, 8), 'AAAAAAAA')`,
      ],
    ])('%s is refused', async (_name, change) => {
      const keys = await makePair()
      const store = createSqlKeyStore(engine, masterKey)
      await store.initialize(keys)
      const update = sql`UPDATE ${keyTable()} SET ${change} WHERE kid = ${keys[0].kid}`
      const { changes } = await engine.run(update.compile(engine.dialect.builder))
      expect(changes).toBe(1)
      await expect(store.list()).rejects.toThrow(StorageError)
    })

    test('two keys whose encrypted values are swapped are refused', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      await store.initialize(await makePair())
      const swap = sql`UPDATE ${keyTable()}
        SET sealed = (SELECT o.sealed FROM ${keyTable()} o WHERE o.kid <> signing_keys.kid)`
      await engine.run(swap.compile(engine.dialect.builder))
      await expect(store.list()).rejects.toThrow(/changed by hand/)
    })

    test.each([0, 16, 31, 33])('a master key of %i bytes is a TypeError', (length) => {
      expect(() => createSqlKeyStore(engine, randomBytes(length))).toThrow(TypeError)
    })

    test('a closed database rejects', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      await engine.close()
      await expect(store.list()).rejects.toThrow(StorageError)
      await expect(store.initialize(await makePair())).rejects.toThrow(StorageError)
      await expect(store.replace({ expect: [], put: [], remove: [] })).rejects.toThrow(StorageError)
    })

    test('a change that fails half way is rolled back', async () => {
      const store = createSqlKeyStore(engine, masterKey)
      const [current, pending] = await makePair()
      await store.initialize([current, pending])
      const crashing: SqlEngine = {
        ...engine,
        batch: (queries) => engine.batch([...queries, { sql: 'the power went out', parameters: [] }]),
      }
      const change = {
        expect: [{ kid: current.kid, state: current.state }],
        put: [{ ...current, state: 'retiring' as const }],
        remove: [pending.kid],
      }
      await expect(createSqlKeyStore(crashing, masterKey).replace(change)).rejects.toThrow(StorageError)
      expect(byKid(await store.list())).toEqual(byKid([current, pending]))
      expect(await store.replace(change)).toBe(true)
      expect(await store.list()).toEqual(change.put)
    })
  })
}
