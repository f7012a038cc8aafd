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
import type { SqlQuery } from './engine.ts'
import { formatRevocation } from './rows.ts'
import { builder, RULE_SEQ, type Tables } from './schema.ts'

/** The number of the change that this transaction makes; {@link numberRules} must follow in the same transaction. */
export const NEXT_SEQ: RawBuilder<number> = sql<number>`(select marks.value + 1 from marks where marks.name = ${sql.lit(RULE_SEQ)})`

/** Adds a revocation, with the number of this change, if `condition` selects a row. */
export function insertRule(revocation: Revocation, condition: Expression<unknown>): SqlQuery {
  return buildInsertRule(revocation, condition).compile(builder)
}

/** As {@link insertRule}, but replaces the revocation with the same id. */
export function putRule(revocation: Revocation, condition: Expression<unknown>): SqlQuery {
  return sql`
    ${buildInsertRule(revocation, condition)}
    on conflict (id) do update set kind = excluded.kind, value = excluded.value, "before" = excluded."before",
      until = excluded.until, created_at = excluded.created_at, seq = excluded.seq,
      account_id = excluded.account_id`.compile(builder)
}

function buildInsertRule(revocation: Revocation, condition: Expression<unknown>) {
  const row = formatRevocation(revocation)
  const columns = sql.join([...Object.keys(row), 'seq'].map((column) => sql.ref(column)))
  return sql`
    insert into revocations (${columns}) select ${sql.join(Object.values(row))}, ${NEXT_SEQ} where exists ${condition}`
}

/**
 * Lifts a revocation at `now` (epoch milliseconds), if `condition` selects a row. Sets `until` 5 minutes before `now`, so
 * that it has also expired for verifiers whose clocks are behind, or that round up to whole seconds.
 */
export function liftRule(id: string, now: number, condition: Expression<unknown>): SqlQuery {
  return builder
    .updateTable('revocations')
    .set({ until: now - REVOCATION_MARGIN_MS, seq: NEXT_SEQ })
    .where('id', '=', id)
    .where('until', '>', now - REVOCATION_MARGIN_MS)
    .where(sql<boolean>`exists ${condition}`)
    .compile()
}

/**
 * Sets a later `before`, and the later of the stored and the given `until` (epoch milliseconds). Changes nothing when the
 * given `before` is not later than the stored one, even if `until` is.
 */
export function raiseRule(id: string, before: number, until: number): SqlQuery {
  return builder
    .updateTable('revocations')
    .set({ before, until: sql`max(until, ${until})`, seq: NEXT_SEQ })
    .where('id', '=', id)
    .where('before', '<', before)
    .compile()
}

/** Raises the number of the last change by one, if this transaction wrote a row with {@link NEXT_SEQ}. */
export function numberRules(): SqlQuery {
  return builder
    .updateTable('marks')
    .set({ value: sql`value + 1` })
    .where('name', '=', RULE_SEQ)
    .where(sql<boolean>`exists (select 1 from revocations where revocations.seq = marks.value + 1)`)
    .compile()
}

/** A query for the revocation with this id, without columns. */
export function rulesWith(id: string): SelectQueryBuilder<Tables, 'revocations', object> {
  return builder.selectFrom('revocations').where('id', '=', id)
}

/** A query for the revocations that have not expired at `now` (epoch milliseconds), without columns. */
export function liveRules(now: number): SelectQueryBuilder<Tables, 'revocations', object> {
  return builder.selectFrom('revocations').where('until', '>', now)
}

/** The number of selected rows, as the column `count`. */
export function countRows({
  fn,
}: ExpressionBuilder<Tables, 'revocations'>): AliasedExpression<number, 'count'> {
  return fn.countAll<number>().as('count')
}
