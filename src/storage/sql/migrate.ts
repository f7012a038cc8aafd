// Brings a database to the current schema. Each migration and its row in `claimgate_migrations` are one transaction: a
// crash leaves no partial migration, and of two processes that start at the same time one applies it. Kysely's own
// Migrator is not used. It records a migration in a separate statement, so without an interactive transaction a crash
// could leave a migration unrecorded. Its introspection also reads tables that D1 does not let it read.

import { StorageError } from '../errors.ts'
import type { SqlEngine } from './engine.ts'
import { listMigrations, type Migration } from './migrations.ts'

/**
 * Applies the missing migrations. Several processes may run it at the same time. Rejects with StorageError when a
 * migration fails, or when a newer version has migrated the database.
 */
export async function migrateSchema(engine: SqlEngine): Promise<void> {
  const { beforeMigrations, builder, text } = engine.dialect
  const migrations = listMigrations(engine.dialect)
  const marks = builder.schema
    .createTable('claimgate_migrations')
    .ifNotExists()
    .addColumn('name', text, (column) => column.primaryKey().notNull())
  await engine.batch([...beforeMigrations.map((statement) => statement.compile(builder)), marks.compile()])
  for (const migration of migrations) {
    if (!(await readApplied(engine)).has(migration.name)) await applyMigration(engine, migration)
  }
  requireKnown(await readApplied(engine), migrations)
}

/**
 * Checks that the database has the current schema. Changes nothing. Rejects with StorageError when an older or a newer
 * version wrote it, or when it is not a claimgate database.
 */
export async function requireSchema(engine: SqlEngine): Promise<void> {
  const migrations = listMigrations(engine.dialect)
  const applied = await readApplied(engine)
  const missing = migrations.find(({ name }) => !applied.has(name))
  if (missing !== undefined) {
    throw new StorageError(
      `the database was written by an older claimgate (it lacks ${missing.name}); start the server of this version, which brings it up to date`,
      undefined,
      'incompatible',
    )
  }
  requireKnown(applied, migrations)
}

function requireKnown(applied: ReadonlySet<string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map(({ name }) => name))
  for (const name of applied) {
    if (!known.has(name)) {
      throw new StorageError(
        `the database was written by a newer claimgate (${name}); run that version or later`,
        undefined,
        'incompatible',
      )
    }
  }
}

async function applyMigration(engine: SqlEngine, { name, statements }: Migration): Promise<void> {
  const mark = engine.dialect.builder.insertInto('claimgate_migrations').values({ name })
  try {
    // The row of the migration is inserted first. If another process has applied the migration, its primary key makes this
    // transaction fail before it changes anything.
    await engine.batch([mark, ...statements].map((statement) => statement.compile()))
  } catch (error) {
    if (!(await readApplied(engine)).has(name)) throw error
  }
}

async function readApplied(engine: SqlEngine): Promise<ReadonlySet<string>> {
  const { builder } = engine.dialect
  const { rows } = await engine.run(builder.selectFrom('claimgate_migrations').select('name').compile())
  return new Set(rows.map((row) => String(row.name)))
}
