// The SQL statements that several writes share, each with the condition under which it changes something. A condition is a
// query that selects a row.

import { type Expression, type SelectQueryBuilder, sql } from 'kysely'
import type { AuditEntry } from '../../claims/records/account.ts'
import type { Dialect } from './dialect.ts'
import type { SqlQuery } from './engine.ts'
import { formatAudit } from './rows.ts'
import { LONGEST_LIFETIME, type Tables } from './schema.ts'

/** Most records of each kind that one purge deletes. More would block other writers, and with SQLite every request. */
export const PURGE_MAX = 500

/** Tables with records that are deleted when they are old: their primary keys and the column with the time. */
const AGING = {
  revocations: { key: ['id'], time: 'until' },
  used_assertions: { key: ['client_id', 'jti'], time: 'expires_at' },
  audit: { key: ['id'], time: 'at' },
} as const

/** Statements for one kind of database. */
export interface Statements {
  /** Inserts a row; with a condition, only if that selects a row. */
  insert<T extends keyof Tables>(table: T, row: Tables[T], condition?: Expression<unknown>): SqlQuery
  insertAudit(entry: AuditEntry, condition?: Expression<unknown>): SqlQuery
  /** Copies an account's origins out of its own row, so that the two cannot disagree. */
  insertOrigins(accountId: string): SqlQuery
  /** Selects the account with this id. */
  accountWith(id: string): SelectQueryBuilder<Tables, 'accounts', { id: string }>
  /** Selects the credential with this id, unless it is revoked. */
  credentialInForce(id: string): SelectQueryBuilder<Tables, 'credentials', { id: string }>
  /** Selects a row if no row of the table has this id. */
  without(table: 'audit' | 'revocations', id: string): Expression<unknown>
  /** Deletes up to {@link PURGE_MAX} records whose time is before `limit`, oldest first. The time has an index. */
  purge(table: keyof typeof AGING, limit: number): SqlQuery
  /** Selects the recorded lifetime as `value`; no row when none was recorded. */
  readonly readLongestLifetime: SqlQuery
}

/** The shared statements for one kind of database. */
export function createStatements({ builder, table, members }: Dialect): Statements {
  const insert: Statements['insert'] = (name, row, condition) => {
    const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
    const values = sql.join(Object.values(row))
    const where = condition === undefined ? sql`` : sql`where exists ${condition}`
    return sql`insert into ${table(name)} (${columns}) select ${values} ${where}`.compile(builder)
  }
  return {
    insert,
    insertAudit: (entry, condition) => insert('audit', formatAudit(entry), condition),
    insertOrigins: (accountId) =>
      builder
        .insertInto('account_origins')
        .columns(['pattern', 'account_id'])
        .expression(
          builder
            .selectFrom(['accounts', members(sql.ref('accounts.allowed_origins')).as('origin')])
            .select(['origin.value', 'accounts.id'])
            .distinct()
            .where('accounts.id', '=', accountId),
        )
        .compile(),
    accountWith: (id) => builder.selectFrom('accounts').select('id').where('id', '=', id),
    credentialInForce: (id) =>
      builder.selectFrom('credentials').select('id').where('id', '=', id).where('revoked_at', 'is', null),
    without: (name, id) =>
      sql`(select 1 where not exists ${builder.selectFrom(name).select('id').where('id', '=', id)})`,
    purge: (name, limit) => {
      const { key, time } = AGING[name]
      const columns = sql.join(key.map((column) => sql.ref(column)))
      return sql`
        delete from ${table(name)} where (${columns}) in (
          select ${columns} from ${table(name)} where ${sql.ref(time)} < ${limit}
          order by ${sql.ref(time)} limit ${sql.lit(PURGE_MAX)})`.compile(builder)
    },
    readLongestLifetime: builder
      .selectFrom('marks')
      .select('value')
      .where('name', '=', LONGEST_LIFETIME)
      .compile(),
  }
}
