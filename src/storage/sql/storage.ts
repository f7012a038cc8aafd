// The storage port on any SqlEngine. Writes are lists of statements in one transaction; reads are single statements.
// The schema must be there already: see migrations.ts.

import { type RawBuilder, sql } from 'kysely'
import type { AuditEntry } from '../../claims/account.ts'
import { mapMaybe } from '../maybe.ts'
import type { Storage } from '../storage.ts'
import type { SqlEngine, SqlQuery } from './engine.ts'
import {
  formatAccount,
  formatAudit,
  formatCredential,
  parseAccount,
  parseAudit,
  parseCredential,
} from './rows.ts'
import { type AccountRow, type AuditRow, builder, type CredentialRow } from './schema.ts'

// Columns are named rather than `*`: a prepared statement keeps its shape when a later version adds one.
const ACCOUNT = [
  'id',
  'name',
  'status',
  'allowed_origins',
  'scopes',
  'max_ttl',
  'browser_prototype',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof AccountRow)[]
const CREDENTIAL = [
  'id',
  'account_id',
  'name',
  'scopes',
  'browser_prototype',
  'allow_localhost',
  'secret_hash',
  'previous_hash',
  'previous_expires_at',
  'jwks',
  'expires_at',
  'revoked_at',
  'created_at',
  'last_used_at',
] as const satisfies readonly (keyof CredentialRow)[]
const AUDIT = [
  'id',
  'at',
  'actor',
  'action',
  'target',
  'detail',
] as const satisfies readonly (keyof AuditRow)[]

// The one look-up of the issuing path is compiled once; its only parameter is the id.
const FIND_CREDENTIAL = builder
  .selectFrom('credentials')
  .innerJoin('accounts', 'accounts.id', 'credentials.account_id')
  .select(CREDENTIAL.map((column) => `credentials.${column}` as const))
  .select(
    ACCOUNT.filter((column) => column !== 'id').map(
      (column) => `accounts.${column} as account_${column}` as const,
    ),
  )
  .where('credentials.id', '=', '')
  .compile().sql

// A list of any length is one parameter (D1 takes at most 100).
const IS_ANY_ORIGIN_LISTED = builder
  .selectFrom('account_origins')
  .select('pattern')
  .where('pattern', 'in', (eb) => eb.selectFrom(jsonTexts(sql.val('[]')).as('asked')).select('asked.value'))
  .limit(sql.lit(1))
  .compile().sql

/** A store on a migrated database. Closing it closes the engine. */
export function createSqlStorage(engine: SqlEngine): Storage {
  return {
    async createAccount(account, credential, entry) {
      await engine.batch([
        builder.insertInto('accounts').values(formatAccount(account)).compile(),
        insertOrigins(account.id),
        builder.insertInto('credentials').values(formatCredential(credential)).compile(),
        insertAudit(entry),
      ])
    },
    async getAccount(id) {
      const query = builder.selectFrom('accounts').select(ACCOUNT).where('id', '=', id)
      const [row] = (await engine.run(query.compile())).rows
      return row && parseAccount(row)
    },
    async listAccounts(after, limit) {
      const start = after ?? { at: Number.MIN_SAFE_INTEGER, id: '' }
      const query = builder
        .selectFrom('accounts')
        .select(ACCOUNT)
        .where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '>', tuple(start.at, start.id)))
        .orderBy('created_at')
        .orderBy('id')
        .limit(limit)
      return (await engine.run(query.compile())).rows.map((row) => parseAccount(row))
    },
    async listCredentials(accountId) {
      const query = builder
        .selectFrom('credentials')
        .select(CREDENTIAL)
        .where('account_id', '=', accountId)
        .orderBy('created_at')
        .orderBy('id')
      return (await engine.run(query.compile())).rows.map(parseCredential)
    },
    findCredential: (id) =>
      mapMaybe(
        () => engine.run({ sql: FIND_CREDENTIAL, parameters: [id] }),
        ({ rows: [row] }) =>
          row && { credential: parseCredential(row), account: parseAccount(row, 'account_') },
      ),
    isAnyOriginListed: (patterns) =>
      mapMaybe(
        () => engine.run({ sql: IS_ANY_ORIGIN_LISTED, parameters: [JSON.stringify(patterns)] }),
        ({ rows }) => rows.length > 0,
      ),
    async appendAudit(entry) {
      await engine.batch([insertAudit(entry)])
    },
    async listAudit(before, limit) {
      const start = before ?? { at: Number.MAX_SAFE_INTEGER, id: '' }
      const query = builder
        .selectFrom('audit')
        .select(AUDIT)
        .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(start.at, start.id)))
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
      return (await engine.run(query.compile())).rows.map(parseAudit)
    },
    async ping() {
      // A table, not a constant: the answer must come from the file.
      await engine.run(builder.selectFrom('claimgate_migrations').select('name').limit(1).compile())
    },
    async close() {
      await engine.close()
    },
  }
}

function insertAudit(entry: AuditEntry): SqlQuery {
  return builder.insertInto('audit').values(formatAudit(entry)).compile()
}

/** Copies an account's origins out of its own row, so that the two cannot disagree. */
function insertOrigins(accountId: string): SqlQuery {
  const origins = builder
    .selectFrom(['accounts', jsonTexts(sql.ref('accounts.allowed_origins')).as('origin')])
    .select(['origin.value', 'accounts.id'])
    .distinct()
    .where('accounts.id', '=', accountId)
  return builder
    .insertInto('account_origins')
    .columns(['pattern', 'account_id'])
    .expression(origins)
    .compile()
}

/** The members of a JSON list of texts as rows with the column `value`. */
function jsonTexts(list: RawBuilder<unknown>): RawBuilder<{ value: string }> {
  return sql<{ value: string }>`json_each(${list})`
}
