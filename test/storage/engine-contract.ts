// The contract of every SqlEngine: single statements, atomic transactions, and migrations that the next start
// completes after a crash.

import { describe, expect, test } from 'vitest'
import { StorageError } from '../../src/storage/errors.ts'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { migrateSchema } from '../../src/storage/sql/migrations.ts'
import { openEach } from './open-each.ts'

/** An engine on a migrated, empty database. */
export interface OpenedEngine {
  readonly engine: SqlEngine
  readonly close: () => Promise<void>
}

const query = (sql: string, ...parameters: unknown[]): SqlQuery => ({ sql, parameters })
const TABLES = query(
  `SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name`,
)

export function describeEngine(name: string, open: () => Promise<OpenedEngine>): void {
  describe(`engine contract: ${name}`, () => {
    let engine: SqlEngine
    openEach(open, async (opened) => {
      engine = opened.engine
      await engine.run(query('CREATE TABLE things (id TEXT PRIMARY KEY, size INTEGER)'))
    })

    test('a write returns how many rows it changed, a read returns its rows', async () => {
      const insert = await engine.run(query('INSERT INTO things VALUES (?, ?), (?, ?)', 'a', 1, 'b', null))
      expect(insert).toEqual({ rows: [], changes: 2 })
      const update = await engine.run(query('UPDATE things SET size = 3 WHERE id = ?', 'nobody'))
      expect(update.changes).toBe(0)
      const read = await engine.run(query('SELECT id, size FROM things ORDER BY id'))
      expect(read.rows).toEqual([
        { id: 'a', size: 1 },
        { id: 'b', size: null },
      ])
    })

    test('a write with RETURNING returns rows', async () => {
      const { rows } = await engine.run(query('INSERT INTO things VALUES (?, ?) RETURNING id', 'a', 1))
      expect(rows).toEqual([{ id: 'a' }])
    })

    test('a batch returns the result of each statement, and each statement sees those before it', async () => {
      const results = await engine.batch([
        query('CREATE TABLE more (id TEXT)'),
        query('INSERT INTO more VALUES (?)', 'x'),
        query('SELECT id FROM more'),
      ])
      expect(results.map(({ rows }) => rows)).toEqual([[], [], [{ id: 'x' }]])
      expect(results[1]?.changes).toBe(1)
    })

    test.each([
      ['a violated constraint', query('INSERT INTO things VALUES (?, 2)', 'a')],
      ['bad SQL', query('INSERT INTO nowhere VALUES (1)')],
    ])('a batch with %s is rolled back, new tables included', async (_name, last) => {
      await expect(
        (async () =>
          engine.batch([
            query('CREATE TABLE half (id TEXT)'),
            query('INSERT INTO things VALUES (?, 1)', 'a'),
            last,
          ]))(),
      ).rejects.toThrow(StorageError)
      expect((await engine.run(query('SELECT * FROM things'))).rows).toEqual([])
      expect((await engine.run(query(`SELECT name FROM sqlite_master WHERE name = 'half'`))).rows).toEqual([])
      await engine.batch([query('INSERT INTO things VALUES (?, 1)', 'a')])
    })

    test('ten concurrent migrations of a migrated database change nothing', async () => {
      const before = (await engine.run(TABLES)).rows
      await Promise.all(Array.from({ length: 10 }, () => migrateSchema(engine)))
      expect((await engine.run(TABLES)).rows).toEqual(before)
    })

    test('ten concurrent first migrations all succeed', async () => {
      const before = (await engine.run(TABLES)).rows
      await dropTables(engine)
      await Promise.all(Array.from({ length: 10 }, () => migrateSchema(engine)))
      const after = (await engine.run(TABLES)).rows
      expect(after).toEqual(before.filter((table) => table.name !== 'things'))
    })

    test('a first migration that was cut short is completed by the next start', async () => {
      const before = (await engine.run(TABLES)).rows
      await dropTables(engine)
      const crashing: SqlEngine = {
        ...engine,
        batch: (queries) => engine.batch([...queries.slice(0, 4), query('the power went out')]),
      }
      await expect(migrateSchema(crashing)).rejects.toThrow(StorageError)
      await migrateSchema(engine)
      expect((await engine.run(TABLES)).rows).toEqual(before.filter((table) => table.name !== 'things'))
    })

    test('a database of a newer version is refused, and the message names that version', async () => {
      await engine.run(query('INSERT INTO claimgate_migrations VALUES (?)', '9999-from-the-future'))
      await expect(migrateSchema(engine)).rejects.toThrow(/newer claimgate \(9999-from-the-future\)/)
    })
  })
}

/** Drops all tables of the schema. Tables that refer to accounts are dropped before `accounts`. */
async function dropTables(engine: SqlEngine): Promise<void> {
  const { rows } = await engine.run(TABLES)
  const names = rows.filter(
    ({ sql }) => String(sql).startsWith('create table') || String(sql).startsWith('CREATE TABLE'),
  )
  const order = ['account_origins', 'credentials']
  names.sort((a, b) => order.indexOf(String(b.name)) - order.indexOf(String(a.name)))
  for (const { name } of names) await engine.run(query(`DROP TABLE "${name}"`))
}
