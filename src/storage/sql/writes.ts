// The writes of the storage port on any SqlEngine. Each is a list of statements in one transaction. Every statement
// includes the condition of the write, so that a write whose condition does not hold changes nothing.

import { sql } from 'kysely'
import type { Storage } from '../storage.ts'
import type { SqlEngine, SqlQuery } from './engine.ts'
import { formatAccount, formatCredential, readInteger } from './rows.ts'
import { countRows, createRuleStatements } from './rule-statements.ts'
import { LONGEST_LIFETIME } from './schema.ts'
import { createStatements, PURGE_MAX } from './statements.ts'

/** The methods of the port that write. */
export type SqlWrites = Pick<
  Storage,
  | 'createAccount'
  | 'updateAccount'
  | 'deleteAccount'
  | 'createCredential'
  | 'replaceSecret'
  | 'revokeCredential'
  | 'addRevocation'
  | 'addCustomerRevocation'
  | 'raiseRevocation'
  | 'touchCredentials'
  | 'useAssertion'
  | 'purge'
  | 'appendAudit'
  | 'appendAuditOnce'
  | 'raiseLongestLifetime'
>

/** Writes on a migrated database. */
export function createSqlWrites(engine: SqlEngine): SqlWrites {
  const { builder, pairs, table } = engine.dialect
  const { insert, insertAudit, insertOrigins, accountWith, credentialInForce, without, purge, ...reads } =
    createStatements(engine.dialect)
  const { insertRule, liftRule, liveRules, nextSeq, numberRules, putRule, raiseRule, rulesWith } =
    createRuleStatements(engine.dialect)
  return {
    async createAccount(account, credential, entry) {
      await engine.batch([
        insert('accounts', formatAccount(account)),
        insertOrigins(account.id),
        insert('credentials', formatCredential(credential)),
        insertAudit(entry),
      ])
    },
    updateAccount(next, expectedUpdatedAt, audits, rules) {
      const { id, created_at: _, ...changes } = formatAccount(next)
      const unchanged = accountWith(id).where('updated_at', '=', expectedUpdatedAt)
      return writeIf(
        engine,
        [
          ...audits.map((entry) => insertAudit(entry, unchanged)),
          ...(rules?.put ?? []).map((revocation) => putRule(revocation, unchanged)),
          ...(rules?.lift ?? []).map((rule) => liftRule(rule, next.updatedAt, unchanged)),
          numberRules(),
        ],
        builder.updateTable('accounts').set(changes).where('id', 'in', unchanged).compile(),
        // Runs also when the account was not changed. Then the origins stay the same, because they are copied from its
        // row.
        [builder.deleteFrom('account_origins').where('account_id', '=', id).compile(), insertOrigins(id)],
      )
    },
    deleteAccount(id, revocation, entry) {
      const account = accountWith(id)
      return writeIf(
        engine,
        [insertAudit(entry, account), putRule(revocation, account), numberRules()],
        // Its credentials and origins are deleted with it (foreign keys).
        builder.deleteFrom('accounts').where('id', 'in', account).compile(),
      )
    },
    createCredential(credential, entry) {
      const account = accountWith(credential.accountId)
      return writeIf(
        engine,
        [insertAudit(entry, account)],
        insert('credentials', formatCredential(credential), account),
      )
    },
    replaceSecret(id, { secretHash, previousHash, previousExpiresAt }, expectedSecretHash, entry) {
      const unchanged = credentialInForce(id).where('secret_hash', '=', expectedSecretHash)
      const changes = {
        secret_hash: secretHash,
        previous_hash: previousHash,
        previous_expires_at: previousExpiresAt,
      }
      return writeIf(
        engine,
        [insertAudit(entry, unchanged)],
        builder.updateTable('credentials').set(changes).where('id', 'in', unchanged).compile(),
      )
    },
    revokeCredential(id, at, revocation, entry) {
      const inForce = credentialInForce(id)
      return writeIf(
        engine,
        [insertAudit(entry, inForce), putRule(revocation, inForce), numberRules()],
        builder.updateTable('credentials').set({ revoked_at: at }).where('id', 'in', inForce).compile(),
      )
    },
    addRevocation(revocation, entry) {
      const isNew = without('revocations', revocation.id)
      return writeIf(engine, [insertAudit(entry, isNew)], insertRule(revocation, isNew), [numberRules()])
    },
    async addCustomerRevocation(revocation, budget, entry) {
      const { id, account, createdAt: now } = revocation
      const own = liveRules(now).where('account_id', '=', account)
      const all = liveRules(now).where('account_id', 'is not', null)
      // Only the first statement checks the budget; the audit entry and the number depend on its row.
      const isWithin = sql<boolean>`
        not exists ${rulesWith(id).select('id')}
        and ${own.select(countRows)} < ${budget.ofAccount} and ${all.select(countRows)} < ${budget.ofAll}`
      const isAdded = rulesWith(id).select('id').where('seq', '=', nextSeq)
      const [added] = await engine.batch([
        insertRule(revocation, sql`(select 1 where ${isWithin})`),
        insertAudit(entry, isAdded),
        numberRules(),
      ])
      if ((added?.changes ?? 0) > 0) return { outcome: 'added' }
      const { rows } = await engine.run(
        sql`select ${own.select(countRows)} as own, ${own.select(({ fn }) => fn.min('until').as('until'))} as until,
          ${rulesWith(id).select(countRows)} as known`.compile(builder),
      )
      const row = rows[0] ?? {}
      if (readInteger(row, 'known') > 0) return { outcome: 'repeated' }
      if (readInteger(row, 'own') < budget.ofAccount) return { outcome: 'all_full' }
      return { outcome: 'account_full', until: readInteger(row, 'until') }
    },
    async raiseRevocation(id, before, until) {
      await engine.batch([raiseRule(id, before, until), numberRules()])
    },
    async touchCredentials(uses) {
      // One statement with one parameter for any number of uses: D1 limits both.
      const used = pairs(sql.val(JSON.stringify([...uses])))
      const touch = sql`
        update ${table('credentials')} set last_used_at = used.at from ${used} as used
        where credentials.id = used.id and coalesce(credentials.last_used_at < used.at, true)`
      await engine.batch([touch.compile(builder)])
    },
    async useAssertion(clientId, jti, expiresAt) {
      const row = { client_id: clientId, jti, expires_at: expiresAt }
      const mark = builder
        .insertInto('used_assertions')
        .values(row)
        .onConflict((conflict) => conflict.columns(['client_id', 'jti']).doNothing())
      return writeIf(engine, [], mark.compile())
    },
    async purge({ revocationsUntil, assertionsUntil, auditBefore }) {
      const results = await engine.batch([
        purge('revocations', revocationsUntil + 1),
        purge('used_assertions', assertionsUntil + 1),
        ...(auditBefore === null ? [] : [purge('audit', auditBefore)]),
      ])
      return results.some(({ changes }) => changes === PURGE_MAX)
    },
    async appendAudit(entry) {
      await engine.batch([insertAudit(entry)])
    },
    appendAuditOnce: (entry) => writeIf(engine, [], insertAudit(entry, without('audit', entry.id))),
    async raiseLongestLifetime(seconds) {
      const raise = builder
        .insertInto('marks')
        .values({ name: LONGEST_LIFETIME, value: seconds })
        .onConflict((conflict) =>
          conflict.column('name').doUpdateSet({ value: seconds }).where('marks.value', '<', seconds),
        )
      const [, found] = await engine.batch([raise.compile(), reads.readLongestLifetime])
      return readInteger(found?.rows[0] ?? {}, 'value')
    },
  }
}

/**
 * Runs all statements in one transaction. Resolves to whether `write` has changed a row. Statements whose condition no
 * longer holds after `write` are in `before`.
 */
async function writeIf(
  engine: SqlEngine,
  before: readonly SqlQuery[],
  write: SqlQuery,
  after: readonly SqlQuery[] = [],
): Promise<boolean> {
  const results = await engine.batch([...before, write, ...after])
  return (results[before.length]?.changes ?? 0) > 0
}
