// What differs between the SQL of SQLite (also D1) and of Postgres. All statements are built from a dialect, so that they are
// the same where the databases agree.

import {
  DummyDriver,
  type Expression,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import type { Tables } from './schema.ts'

/** How statements are written for one kind of database. A SqlEngine executes them. */
export interface Dialect {
  /** Builds statements, and compiles them to SQL of this database. */
  readonly builder: Kysely<Tables>
  /** The name of a table, for the parts of statements that are written by hand. Columns are named as `table.column`. */
  table(name: keyof Tables): RawBuilder<unknown>
  /** Type of a column of texts. They are compared and sorted by code points. */
  readonly text: RawBuilder<unknown>
  /** The texts of a JSON array as rows with the column `value`, to select from. */
  members(list: Expression<unknown>): RawBuilder<{ value: string }>
  /** The members of a JSON array of `[id, at]` as rows, to select from. */
  pairs(list: Expression<unknown>): RawBuilder<{ id: string; at: number }>
  /** What the transaction that creates the table of migrations does first. */
  readonly beforeMigrations: readonly RawBuilder<unknown>[]
}

/** The dialect of SQLite and D1. */
export const sqliteDialect: Dialect = {
  builder: new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  table: (name) => sql.table(name),
  text: sql`text`,
  members: (list) => sql`json_each(${list})`,
  pairs: (list) => sql`(select value ->> 0 as id, value ->> 1 as at from json_each(${list}))`,
  beforeMigrations: [],
}

/** The schema of our tables in Postgres. Every statement names it, because a connection pooler may ignore a search path. */
const SCHEMA = 'claimgate'

/** Key of the lock of migrations, one number for all databases: "claimgat" in ASCII. */
const MIGRATION_LOCK = '7164208212674568564'

/** The dialect of Postgres 13 or later. */
export const postgresDialect: Dialect = {
  builder: new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }).withSchema(SCHEMA),
  table: (name) => sql.table(`${SCHEMA}.${name}`),
  text: sql`text collate "C"`,
  members: (list) => sql`lateral (select jsonb_array_elements_text(${toJson(list)}) as value)`,
  pairs: (list) => sql`(
    select pair ->> 0 as id, cast(pair ->> 1 as bigint) as at
    from (select jsonb_array_elements(${toJson(list)}) as pair) as pairs)`,
  beforeMigrations: [
    sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)}::bigint)`,
    // Not `create schema if not exists`, which needs the right to create schemas even where there is one.
    sql`do $$ begin
      if not exists (select from pg_namespace where nspname = ${sql.lit(SCHEMA)})
      then create schema ${sql.id(SCHEMA)}; end if;
      exception when duplicate_schema or unique_violation then null; end $$`,
  ],
}

/** Matches the JSON escape of U+0000. A backslash before it that is itself escaped does not count. */
const NUL_IN_JSON = String.raw`(?<!\\)((?:\\\\)*)\\u0000`

/** A JSON text as JSON, in which U+0000 is written as {@link encodeText} does. */
function toJson(text: Expression<unknown>): RawBuilder<unknown> {
  const written = sql.lit(String.raw`\1` + NUL)
  return sql`cast(regexp_replace(${text}, ${sql.lit(NUL_IN_JSON)}, ${written}, 'g') as jsonb)`
}

// Postgres stores no U+0000. NUL stands for it, and ESCAPED for the character ESCAPE itself, which is for private use.
const ESCAPE = '\ue000'
const NUL = `${ESCAPE}0`
const ESCAPED = `${ESCAPE}1`

/** A text as Postgres can store it. {@link decodeText} gives the original. */
export function encodeText(text: string): string {
  if (!text.includes('\0') && !text.includes(ESCAPE)) return text
  return text.replaceAll(ESCAPE, ESCAPED).replaceAll('\0', NUL)
}

/** The text that {@link encodeText} was given. */
export function decodeText(text: string): string {
  return text.includes(ESCAPE) ? text.replaceAll(NUL, '\0').replaceAll(ESCAPED, ESCAPE) : text
}
