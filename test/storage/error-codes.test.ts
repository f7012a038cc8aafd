// The code of a StorageError says what kind of fault it is.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'claimgate-codes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const query = (sql: string) => ({ sql, parameters: [] })

test('a file that is no database is damaged; a folder is unavailable', () => {
  const text = join(folder, 'text.db')
  writeFileSync(text, 'a text that is longer than the head of a database '.repeat(9))
  expect(() => openSqlite(text)).toThrow(expect.objectContaining({ code: 'damaged' }))
  expect(() => openSqlite(folder)).toThrow(expect.objectContaining({ code: 'unavailable' }))
})

test('a database of a newer version is incompatible; the same key twice is a conflict', async () => {
  const engine = openSqlite(join(folder, 'newer.db'))
  await migrateSchema(engine)
  const insert = query("INSERT INTO claimgate_migrations (name) VALUES ('of-the-future')")
  await engine.run(insert)
  await expect(engine.run(insert)).rejects.toMatchObject({ code: 'conflict' })
  await expect(migrateSchema(engine)).rejects.toMatchObject({ code: 'incompatible' })
  await engine.close()
})

test('every use after close is closed', async () => {
  const engine = openSqlite(join(folder, 'closed.db'))
  await engine.close()
  await expect(engine.run(query('SELECT 1'))).rejects.toMatchObject({ code: 'closed' })
  const memory = createMemoryStorage()
  await memory.close()
  await expect(memory.readRuleSeq()).rejects.toMatchObject({ code: 'closed' })
})
