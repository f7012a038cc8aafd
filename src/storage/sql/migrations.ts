// The migrations of the tables, in order. migrate.ts applies them.

import { type Compilable, type RawBuilder, sql } from 'kysely'
import { REVOCATION_MARGIN_MS } from '../../claims/records/revocation.ts'
import type { Dialect } from './dialect.ts'
import { RULE_SEQ } from './schema.ts'

/** A change of the tables. */
export interface Migration {
  readonly name: string
  readonly statements: readonly Compilable[]
}

/** All migrations for one kind of database. Append only: a migration that was released never changes. */
export function listMigrations({ builder, table, text }: Dialect): readonly Migration[] {
  const { schema } = builder
  const raw = (statement: RawBuilder<unknown>): Compilable => ({ compile: () => statement.compile(builder) })
  /** The longest token lifetime that was recorded, milliseconds; a day when none was recorded. */
  const longestLifetimeMs = sql`
    coalesce((select value from ${table('marks')} where name = 'longest_lifetime'), 86400) * 1000`
  return [
    {
      name: '0001-records',
      statements: [
        schema
          .createTable('accounts')
          .addColumn('id', text, (column) => column.primaryKey().notNull())
          .addColumn('name', text, (column) => column.notNull())
          .addColumn('status', text, (column) => column.notNull())
          .addColumn('allowed_origins', text, (column) => column.notNull())
          .addColumn('scopes', text, (column) => column.notNull())
          .addColumn('max_ttl', 'integer')
          .addColumn('browser_prototype', 'integer', (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .addColumn('updated_at', 'bigint', (column) => column.notNull()),
        schema.createIndex('accounts_by_age').on('accounts').columns(['created_at', 'id']),
        schema
          .createTable('account_origins')
          .addColumn('pattern', text, (column) => column.notNull())
          .addColumn('account_id', text, (column) =>
            column.notNull().references('accounts.id').onDelete('cascade'),
          )
          .addPrimaryKeyConstraint('account_origins_key', ['pattern', 'account_id']),
        schema.createIndex('account_origins_by_account').on('account_origins').column('account_id'),
        schema
          .createTable('credentials')
          .addColumn('id', text, (column) => column.primaryKey().notNull())
          .addColumn('account_id', text, (column) =>
            column.notNull().references('accounts.id').onDelete('cascade'),
          )
          .addColumn('name', text, (column) => column.notNull())
          .addColumn('scopes', text)
          .addColumn('browser_prototype', 'integer', (column) => column.notNull())
          .addColumn('allow_localhost', 'integer', (column) => column.notNull())
          .addColumn('secret_hash', text)
          .addColumn('previous_hash', text)
          .addColumn('previous_expires_at', 'bigint')
          .addColumn('jwks', text)
          .addColumn('expires_at', 'bigint')
          .addColumn('revoked_at', 'bigint')
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .addColumn('last_used_at', 'bigint'),
        schema
          .createIndex('credentials_by_account')
          .on('credentials')
          .columns(['account_id', 'created_at', 'id']),
        // No foreign key: audit entries stay when their account is deleted.
        schema
          .createTable('audit')
          .addColumn('id', text, (column) => column.primaryKey().notNull())
          .addColumn('at', 'bigint', (column) => column.notNull())
          .addColumn('actor', text, (column) => column.notNull())
          .addColumn('action', text, (column) => column.notNull())
          .addColumn('target', text, (column) => column.notNull())
          .addColumn('detail', text),
        schema.createIndex('audit_by_age').on('audit').columns(['at', 'id']),
        schema
          .createTable('signing_keys')
          .addColumn('kid', text, (column) => column.primaryKey().notNull())
          .addColumn('alg', text, (column) => column.notNull())
          .addColumn('state', text, (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .addColumn('current_since', 'bigint')
          .addColumn('expires_at', 'bigint')
          .addColumn('sealed', text, (column) => column.notNull()),
      ],
    },
    {
      name: '0002-revocations',
      statements: [
        // No foreign key: a revocation stays in force when its account is deleted.
        schema
          .createTable('revocations')
          .addColumn('id', text, (column) => column.primaryKey().notNull())
          .addColumn('kind', text, (column) => column.notNull())
          .addColumn('value', text, (column) => column.notNull())
          .addColumn('before', 'bigint', (column) => column.notNull())
          .addColumn('until', 'bigint', (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull()),
        schema.createIndex('revocations_by_until').on('revocations').column('until'),
        // The first version with this migration listed the suspended accounts and revoked credentials every second. No later
        // statement but migration 0006 selects them, so these two indexes have no use any more.
        schema
          .createIndex('accounts_suspended')
          .on('accounts')
          .column('id')
          .where(sql.ref('status'), '=', sql.lit('suspended')),
        schema
          .createIndex('credentials_revoked')
          .on('credentials')
          .column('revoked_at')
          .where('revoked_at', 'is not', null),
      ],
    },
    {
      name: '0003-prototypes',
      statements: [
        // For isPrototypeOriginListed, a query that anyone can cause by a preflight with any origin.
        schema
          .createIndex('credentials_prototype')
          .on('credentials')
          .column('account_id')
          .where(sql.ref('browser_prototype'), '=', sql.lit(1))
          .where(sql.ref('revoked_at'), 'is', null),
      ],
    },
    {
      name: '0004-marks',
      statements: [
        schema
          .createTable('marks')
          .addColumn('name', text, (column) => column.primaryKey().notNull())
          .addColumn('value', 'bigint', (column) => column.notNull()),
      ],
    },
    {
      name: '0005-origins-and-assertions',
      statements: [
        schema
          .alterTable('accounts')
          .addColumn('require_origin', 'integer', (column) => column.notNull().defaultTo(sql.lit(0))),
        schema
          .createTable('used_assertions')
          .addColumn('client_id', text, (column) => column.notNull())
          .addColumn('jti', text, (column) => column.notNull())
          .addColumn('expires_at', 'bigint', (column) => column.notNull())
          .addPrimaryKeyConstraint('used_assertions_key', ['client_id', 'jti']),
        schema.createIndex('used_assertions_by_expiry').on('used_assertions').column('expires_at'),
      ],
    },
    {
      name: '0006-numbered-revocations',
      statements: [
        schema
          .alterTable('revocations')
          .addColumn('seq', 'bigint', (column) => column.notNull().defaultTo(sql.lit(1))),
        schema.alterTable('revocations').addColumn('account_id', text),
        schema.createIndex('revocations_by_seq').on('revocations').columns(['seq', 'id']),
        // For the counts of customers' revocations: of all accounts, and of each account.
        schema
          .createIndex('revocations_of_accounts')
          .on('revocations')
          .column('until')
          .where(sql.ref('account_id'), 'is not', null),
        schema
          .createIndex('revocations_by_account')
          .on('revocations')
          .columns(['account_id', 'until'])
          .where(sql.ref('account_id'), 'is not', null),
        builder.insertInto('marks').values({ name: RULE_SEQ, value: 1 }),
        // Earlier versions derived these two kinds of revocations at each read; now they are rows like the others.
        raw(sql`
        insert into ${table('revocations')} (id, kind, value, "before", until, created_at, seq)
        select 'suspended_' || id, 'sub', id, updated_at + ${sql.lit(REVOCATION_MARGIN_MS)},
          updated_at + ${sql.lit(REVOCATION_MARGIN_MS)} + ${longestLifetimeMs}, updated_at, 1
        from ${table('accounts')} where status = 'suspended'`),
        raw(sql`
        insert into ${table('revocations')} (id, kind, value, "before", until, created_at, seq)
        select 'credential_' || id, 'client_id', id, revoked_at + ${sql.lit(REVOCATION_MARGIN_MS)},
          revoked_at + ${sql.lit(REVOCATION_MARGIN_MS)} + ${longestLifetimeMs}, revoked_at, 1
        from ${table('credentials')} where revoked_at is not null`),
      ],
    },
  ]
}
