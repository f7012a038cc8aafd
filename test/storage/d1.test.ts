// The contracts on a real D1: miniflare's, inside workerd.

import { randomBytes } from 'node:crypto'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll } from 'vitest'
import { createD1Engine, type D1Database } from '../../src/storage/sql/d1.ts'
import type { SqlEngine } from '../../src/storage/sql/engine.ts'
import { createSqlKeyStore } from '../../src/storage/sql/keys.ts'
import { migrateSchema } from '../../src/storage/sql/migrations.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describeEngine } from './engine-contract.ts'
import { describeKeyStore } from './key-contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

// A fresh database for each test: one workerd holds them all.
const names = Array.from({ length: 400 }, (_, index) => `DB${index}`)
let miniflare: Miniflare | undefined

beforeAll(async () => {
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: 'export default {}',
      d1Databases: Object.fromEntries(names.map((name) => [name, name])),
    }),
  )
  await miniflare.ready
})
afterAll(() => miniflare?.dispose())

async function openFresh(): Promise<{ engine: SqlEngine; close: () => Promise<void> }> {
  const name = names.pop()
  if (!name || !miniflare) throw new Error('no database is left: raise the count above')
  const database: D1Database = await miniflare.getD1Database(name)
  const engine = createD1Engine(database)
  await migrateSchema(engine)
  return { engine, close: async () => engine.close() }
}

async function openStorage(): Promise<OpenedStorage> {
  const { engine, close } = await openFresh()
  return { storage: createSqlStorage(engine), close }
}

describeStorage('d1', openStorage)
describeWrites('d1', openStorage)
describeRaces('d1', openStorage)
describeRevocations('d1', openStorage)
describeRules('d1', openStorage)
describePrototypes('d1', openStorage)
describeAssertions('d1', openStorage)
describeEngine('d1', openFresh)
describeKeyStore('d1', openFresh)
describeKeyChanges('d1', async () => {
  const { engine, close } = await openFresh()
  const masterKey = randomBytes(32)
  return { open: () => createSqlKeyStore(engine, masterKey), close }
})
