// SQL statements on the table of revocations, to be used inside a transaction. Each row stores the number (`seq`) of the
// change that last wrote it. The transaction assigns the number, so changes become visible in the order of their numbers.

import {
  type AliasedExpression,
  type Expression,
  type ExpressionBuilder,
  type RawBuilder,
  type SelectQueryBuilder,
  sql,
} from 'kysely'
import { REVOCATION_MARGIN_MS, type Revocation } from '../../claims/records/revocation.ts'
import type { Dialect } from './dialect.ts'
import type { SqlQuery } from './engine.ts'
import { formatRevocation } from './rows.ts'
import { RULE_SEQ, type Tables } from './schema.ts'

/** Statements on revocations. A condition is a query that selects a row when the statement may change something. */
export interface RuleStatements {
  /** The number of the change that this transaction makes; `numberRules` must follow in the same transaction. */
  readonly nextSeq: RawBuilder<number>
  /** Adds a revocation, with the number of this change. */
  insertRule(revocation: Revocation, condition: Expression<unknown>): SqlQuery
  /** As `insertRule`, but replaces the revocation with the same id. */
  putRule(revocation: Revocation, condition: Expression<unknown>): SqlQuery
  /**
   * Lifts a revocation at `now` (epoch milliseconds). Sets `until` 5 minutes before `now`, so that it has also expired for
   * verifiers whose clocks are behind, or that round up to whole seconds.
   */
  liftRule(id: string, now: number, condition: Expression<unknown>): SqlQuery
  /**
   * Sets a later `before`, and the later of the stored and the given `until` (epoch milliseconds). Changes nothing when
   * the given `before` is not later than the stored one, even if `until` is.
   */
  raiseRule(id: string, before: number, until: number): SqlQuery
  /** Raises the number of the last change by one, if this transaction wrote a row with `nextSeq`. */
  numberRules(): SqlQuery
  /** A query for the revocation with this id, without columns. */
  rulesWith(id: string): SelectQueryBuilder<Tables, 'revocations', object>
  /** A query for the revocations that have not expired at `now` (epoch milliseconds), without columns. */
  liveRules(now: number): SelectQueryBuilder<Tables, 'revocations', object>
}

/** The statements on revocations for one kind of database. */
export function createRuleStatements({ builder, table }: Dialect): RuleStatements {
  const nextSeq = sql<number>`
    (select marks.value + 1 from ${table('marks')} where marks.name = ${sql.lit(RULE_SEQ)})`

  const buildInsert = (revocation: Revocation, condition: Expression<unknown>): RawBuilder<unknown> => {
    const row = formatRevocation(revocation)
    const columns = sql.join([...Object.keys(row), 'seq'].map((column) => sql.ref(column)))
    return sql`
      insert into ${table('revocations')} (${columns})
      select ${sql.join(Object.values(row))}, ${nextSeq} where exists ${condition}`
  }

  return {
    nextSeq,
    insertRule: (revocation, condition) => buildInsert(revocation, condition).compile(builder),
    putRule: (revocation, condition) =>
      sql`
        ${buildInsert(revocation, condition)}
        on conflict (id) do update set kind = excluded.kind, value = excluded.value, "before" = excluded."before",
          until = excluded.until, created_at = excluded.created_at, seq = excluded.seq,
          account_id = excluded.account_id`.compile(builder),
    liftRule: (id, now, condition) =>
      builder
        .updateTable('revocations')
        .set({ until: now - REVOCATION_MARGIN_MS, seq: nextSeq })
        .where('id', '=', id)
        .where('until', '>', now - REVOCATION_MARGIN_MS)
        .where(sql<boolean>`exists ${condition}`)
        .compile(),
    raiseRule: (id, before, until) =>
      builder
        .updateTable('revocations')
        .set({ before, until: sql`case when until > ${until} then until else ${until} end`, seq: nextSeq })
        .where('id', '=', id)
        .where('before', '<', before)
        .compile(),
    numberRules: () =>
      builder
        .updateTable('marks')
        .set({ value: sql`value + 1` })
        .where('name', '=', RULE_SEQ)
        .where(
          sql<boolean>`exists (
            select 1 from ${table('revocations')} where revocations.seq = marks.value + 1)`,
        )
        .compile(),
    rulesWith: (id) => builder.selectFrom('revocations').where('id', '=', id),
    liveRules: (now) => builder.selectFrom('revocations').where('until', '>', now),
  }
}

/** The number of selected rows, as the column `count`. */
export function countRows({
  fn,
}: ExpressionBuilder<Tables, 'revocations'>): AliasedExpression<number, 'count'> {
  return fn.countAll<number>().as('count')
}
