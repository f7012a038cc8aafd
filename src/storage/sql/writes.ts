// The writes of the storage port on any SqlEngine. Each is one list of statements in one transaction; where it has a
// condition, that is part of each statement, so that a write which comes too late does nothing at all.

import { type Expression, sql } from 'kysely'
import type { AuditEntry } from '../../claims/account.ts'
import type { Storage } from '../storage.ts'
import type { SqlEngine, SqlQuery } from './engine.ts'
import { formatAccount, formatAudit, formatCredential, formatRevocation, readInteger } from './rows.ts'
import { builder, jsonMembers, type Tables } from './schema.ts'

/** The writing part of the port. */
export type SqlWrites = Pick<
  Storage,
  | 'createAccount'
  | 'updateAccount'
  | 'deleteAccount'
  | 'createCredential'
  | 'replaceSecret'
  | 'revokeCredential'
  | 'addRevocation'
  | 'touchCredentials'
  | 'purge'
  | 'appendAudit'
  | 'appendAuditOnce'
  | 'raiseLongestLifetime'
>

const LONGEST_LIFETIME = 'longest_lifetime'

/** Writes on a migrated database. */
export function createSqlWrites(engine: SqlEngine): SqlWrites {
  return {
    async createAccount(account, credential, entry) {
      await engine.batch([
        insert('accounts', formatAccount(account)),
        insertOrigins(account.id),
        insert('credentials', formatCredential(credential)),
        insertAudit(entry),
      ])
    },
    updateAccount(next, expectedUpdatedAt, audits) {
      const { id, created_at: _, ...changes } = formatAccount(next)
      const unchanged = accountWith(id).where('updated_at', '=', expectedUpdatedAt)
      return writeIf(
        engine,
        audits.map((entry) => insertAudit(entry, unchanged)),
        builder.updateTable('accounts').set(changes).where('id', 'in', unchanged).compile(),
        // Copied from the account's row as it then is: where nothing was changed, this changes nothing either.
        [builder.deleteFrom('account_origins').where('account_id', '=', id).compile(), insertOrigins(id)],
      )
    },
    deleteAccount(id, revocation, entry) {
      const account = accountWith(id)
      return writeIf(
        engine,
        [insertAudit(entry, account), insert('revocations', formatRevocation(revocation), account)],
        // Its credentials and origins refer to it and go with it.
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
    revokeCredential(id, at, entry) {
      const inForce = credentialInForce(id)
      return writeIf(
        engine,
        [insertAudit(entry, inForce)],
        builder.updateTable('credentials').set({ revoked_at: at }).where('id', 'in', inForce).compile(),
      )
    },
    addRevocation(revocation, entry) {
      const isNew = without('revocations', revocation.id)
      return writeIf(
        engine,
        [insertAudit(entry, isNew)],
        insert('revocations', formatRevocation(revocation), isNew),
      )
    },
    async touchCredentials(uses) {
      // One statement and one parameter, however many there are: D1 counts both.
      const used = jsonMembers(sql.val(JSON.stringify([...uses])))
      const touch = sql`
        update credentials set last_used_at = used.value ->> 1 from ${used} as used
        where credentials.id = used.value ->> 0 and coalesce(credentials.last_used_at < used.value ->> 1, true)`
      await engine.batch([touch.compile(builder)])
    },
    async purge(now) {
      await engine.batch([builder.deleteFrom('revocations').where('until', '<=', now).compile()])
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
      const read = builder.selectFrom('marks').select('value').where('name', '=', LONGEST_LIFETIME)
      const [, found] = await engine.batch([raise.compile(), read.compile()])
      return readInteger(found?.rows[0] ?? {}, 'value')
    },
  }
}

/** Runs all in one transaction; whether `write` has changed anything. */
async function writeIf(
  engine: SqlEngine,
  before: readonly SqlQuery[],
  write: SqlQuery,
  after: readonly SqlQuery[] = [],
): Promise<boolean> {
  const results = await engine.batch([...before, write, ...after])
  return (results[before.length]?.changes ?? 0) > 0
}

function accountWith(id: string) {
  return builder.selectFrom('accounts').select('id').where('id', '=', id)
}

function credentialInForce(id: string) {
  return builder.selectFrom('credentials').select('id').where('id', '=', id).where('revoked_at', 'is', null)
}

/** Selects something as long as no row of the table has this id. */
function without(table: 'audit' | 'revocations', id: string): Expression<unknown> {
  const taken = builder.selectFrom(table).select('id').where('id', '=', id)
  return sql`(select 1 where not exists ${taken})`
}

function insertAudit(entry: AuditEntry, condition?: Expression<unknown>): SqlQuery {
  return insert('audit', formatAudit(entry), condition)
}

/** Inserts a row; with a condition only while that selects something. */
function insert<T extends keyof Tables>(table: T, row: Tables[T], condition?: Expression<unknown>): SqlQuery {
  const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
  const values = sql.join(Object.values(row))
  const where = condition === undefined ? sql`` : sql`where exists ${condition}`
  return sql`insert into ${sql.table(table)} (${columns}) select ${values} ${where}`.compile(builder)
}

/** Copies an account's origins out of its own row, so that the two cannot disagree. */
function insertOrigins(accountId: string): SqlQuery {
  const origins = builder
    .selectFrom(['accounts', jsonMembers(sql.ref('accounts.allowed_origins')).as('origin')])
    .select(['origin.value', 'accounts.id'])
    .distinct()
    .where('accounts.id', '=', accountId)
  return builder
    .insertInto('account_origins')
    .columns(['pattern', 'account_id'])
    .expression(origins)
    .compile()
}
