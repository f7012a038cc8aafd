// The contract of every SqlEngine: single statements, atomic transactions, and migrations that the next start
// completes after a crash.

import { describe, expect, test } from 'vitest'
import { StorageError } from '../../src/storage/errors.ts'
import type { SqlEngine, SqlQuery, SqlRow } from '../../src/storage/sql/engine.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openEach } from './open-each.ts'

/** An engine on a migrated, empty database. */
export interface OpenedEngine {
  readonly engine: SqlEngine
  readonly close: () => Promise<void>
}

type Query = (sql: string, ...parameters: unknown[]) => SqlQuery

/** What the tests say differently to the two kinds of databases. */
interface Catalog {
  /** A statement with `?` for each parameter. */
  readonly query: Query
  /** Lists tables and indexes: one row each with `name` and a description `sql`, sorted by name. */
  readonly list: string
  /** Statements that drop every table of the schema, for the rows of `list`. */
  drop(rows: readonly SqlRow[]): readonly string[]
}

const sqlite: Catalog = {
  query: (sql, ...parameters) => ({ sql, parameters }),
  list: `SELECT name, sql FROM sqlite_master
    WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name`,
  drop(rows) {
    const tables = rows.filter(({ sql }) => /^create table/i.test(String(sql))).map(({ name }) => name)
    // Tables that refer to accounts are dropped before `accounts`.
    const order: unknown[] = ['account_origins', 'credentials']
    tables.sort((a, b) => order.indexOf(b) - order.indexOf(a))
    return tables.map((name) => `DROP TABLE "${name}"`)
  },
}

const postgres: Catalog = {
  query(sql, ...parameters) {
    let count = 0
    return { sql: sql.replaceAll('?', () => `$${++count}`), parameters }
  },
  list: `SELECT table_name || '.' || column_name AS name,
      concat_ws(' ', data_type, collation_name, is_nullable, column_default) AS sql
    FROM information_schema.columns WHERE table_schema IN ('claimgate', 'public')
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'claimgate' ORDER BY name`,
  drop: () => ['DROP SCHEMA claimgate CASCADE', 'DROP TABLE things'],
}

export function describeEngine(name: string, open: () => Promise<OpenedEngine>): void {
  describe(`engine contract: ${name}`, () => {
    const { query, list, drop } = name === 'postgres' ? postgres : sqlite
    const listTables = async () => (await engine.run(query(list))).rows
    const dropTables = async () => {
      for (const statement of drop(await listTables())) await engine.run(query(statement))
    }
    const exceptThings = (rows: readonly SqlRow[]) =>
      rows.filter((row) => !String(row.name).startsWith('things'))
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
      expect((await listTables()).filter((row) => String(row.name).startsWith('half'))).toEqual([])
      await engine.batch([query('INSERT INTO things VALUES (?, 1)', 'a')])
    })

    test('ten concurrent migrations of a migrated database change nothing', async () => {
      const before = await listTables()
      await Promise.all(Array.from({ length: 10 }, () => migrateSchema(engine)))
      expect(await listTables()).toEqual(before)
    })

    test('ten concurrent first migrations all succeed', async () => {
      const before = await listTables()
      await dropTables()
      await Promise.all(Array.from({ length: 10 }, () => migrateSchema(engine)))
      const after = await listTables()
      expect(after).toEqual(exceptThings(before))
    })

    test('a first migration that was cut short is completed by the next start', async () => {
      const before = await listTables()
      await dropTables()
      const crashing: SqlEngine = {
        ...engine,
        batch: (queries) => engine.batch([...queries.slice(0, 4), query('the power went out')]),
      }
      await expect(migrateSchema(crashing)).rejects.toThrow(StorageError)
      await migrateSchema(engine)
      expect(await listTables()).toEqual(exceptThings(before))
    })

    test('a database of a newer version is refused, and the message names that version', async () => {
      const { builder } = engine.dialect
      const newer = builder.insertInto('claimgate_migrations').values({ name: '9999-from-the-future' })
      await engine.run(newer.compile())
      await expect(migrateSchema(engine)).rejects.toThrow(/newer claimgate \(9999-from-the-future\)/)
    })
  })
}
