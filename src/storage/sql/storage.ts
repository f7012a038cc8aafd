// The storage port on any SqlEngine. Reads are here, each a single statement; writes are in writes.ts. The tables must
// exist (migrations.ts).

import { sql } from 'kysely'
import type { Storage } from '../storage.ts'
import type { Dialect } from './dialect.ts'
import type { SqlEngine, SqlQuery } from './engine.ts'
import { parseAccount, parseAudit, parseCredential, parseRevocation, parseRule, readInteger } from './rows.ts'
import { type AccountRow, type AuditRow, type CredentialRow, type RevocationRow, RULE_SEQ } from './schema.ts'
import { createStatements } from './statements.ts'
import { createSqlWrites } from './writes.ts'

// Columns are listed, so that a statement still returns the same columns after a later version has added one.
const ACCOUNT = [
  'id',
  'name',
  'status',
  'allowed_origins',
  'scopes',
  'max_ttl',
  'browser_prototype',
  'require_origin',
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

const RULE = [
  'id',
  'seq',
  'kind',
  'value',
  'account_id',
  'before',
  'until',
] as const satisfies readonly (keyof RevocationRow)[]

const REVOCATION = [
  'id',
  'kind',
  'value',
  'account_id',
  'before',
  'until',
  'created_at',
] as const satisfies readonly (keyof RevocationRow)[]

/** Creates a store on a migrated database. Closing the store closes the engine. */
export function createSqlStorage(engine: SqlEngine): Storage {
  const { builder } = engine.dialect
  const compiled = compileReads(engine.dialect)
  return {
    ...createSqlWrites(engine),
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
    async findCredential(id) {
      const [row] = (await engine.run({ sql: compiled.findCredential, parameters: [id] })).rows
      return row && { credential: parseCredential(row), account: parseAccount(row, 'account_') }
    },
    async hasUsedCredential() {
      const query = builder
        .selectFrom('credentials')
        .select('id')
        .where('last_used_at', 'is not', null)
        .limit(sql.lit(1))
      return (await engine.run(query.compile())).rows.length > 0
    },
    async isAnyOriginListed(patterns) {
      const query = { sql: compiled.isAnyOriginListed, parameters: [JSON.stringify(patterns)] }
      return (await engine.run(query)).rows.length > 0
    },
    async isPrototypeOriginListed(patterns, isLocalhost, now) {
      return (await engine.run(selectPrototype(engine.dialect, patterns, isLocalhost, now))).rows.length > 0
    },
    async readRuleSeq() {
      const [row] = (await engine.run(compiled.readRuleSeq)).rows
      return readInteger(row ?? {}, 'value')
    },
    async listRuleChanges({ seq, id }, limit) {
      const query = builder
        .selectFrom('revocations')
        .select(RULE)
        .where(({ eb, refTuple, tuple }) => eb(refTuple('seq', 'id'), '>', tuple(seq, id)))
        .orderBy('seq')
        .orderBy('id')
        .limit(limit)
      return (await engine.run(query.compile())).rows.map(parseRule)
    },
    async listRevocations(after, limit, now) {
      const { at, id } = after ?? { at: Number.MAX_SAFE_INTEGER, id: '' }
      const query = builder
        .selectFrom('revocations')
        .select(REVOCATION)
        .where('until', '>', now)
        .where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '<', tuple(at, id)))
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
      return (await engine.run(query.compile())).rows.map(parseRevocation)
    },
    async listAudit(position, limit, order = 'newest') {
      const [comparison, direction, first] =
        order === 'newest'
          ? (['<', 'desc', Number.MAX_SAFE_INTEGER] as const)
          : (['>', 'asc', Number.MIN_SAFE_INTEGER] as const)
      const start = position ?? { at: first, id: '' }
      const query = builder
        .selectFrom('audit')
        .select(AUDIT)
        .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), comparison, tuple(start.at, start.id)))
        .orderBy('at', direction)
        .orderBy('id', direction)
        .limit(limit)
      return (await engine.run(query.compile())).rows.map(parseAudit)
    },
    async readLongestLifetime() {
      const [row] = (await engine.run(compiled.readLongestLifetime)).rows
      return row === undefined ? 0 : readInteger(row, 'value')
    },
    async ping() {
      // Selects from a table instead of a constant, so that the database file is read.
      await engine.run(builder.selectFrom('claimgate_migrations').select('name').limit(1).compile())
    },
    async close() {
      await engine.close()
    },
  }
}

/** The reads that are compiled once, because every process runs them every second, or for every request. */
function compileReads(dialect: Dialect) {
  const { builder, members } = dialect
  return {
    readRuleSeq: builder.selectFrom('marks').select('value').where('name', '=', RULE_SEQ).compile(),
    readLongestLifetime: createStatements(dialect).readLongestLifetime,
    /** Its only parameter is the id. */
    findCredential: builder
      .selectFrom('credentials')
      .innerJoin('accounts', 'accounts.id', 'credentials.account_id')
      .select(CREDENTIAL.map((column) => `credentials.${column}` as const))
      .select(
        ACCOUNT.filter((column) => column !== 'id').map(
          (column) => `accounts.${column} as account_${column}` as const,
        ),
      )
      .where('credentials.id', '=', '')
      .compile().sql,
    /** The list is one JSON parameter, because D1 accepts at most 100 parameters. */
    isAnyOriginListed: builder
      .selectFrom('account_origins')
      .select('pattern')
      .where('pattern', 'in', (eb) => eb.selectFrom(members(sql.val('[]')).as('asked')).select('asked.value'))
      .limit(sql.lit(1))
      .compile().sql,
  }
}

/** Selects a row if `isPrototypeOriginListed` is true. */
function selectPrototype(
  { builder, members, table }: Dialect,
  patterns: readonly string[],
  isLocalhost: boolean,
  now: number,
): SqlQuery {
  const asked = members(sql.val(JSON.stringify(patterns)))
  // SQLite uses the partial index credentials_prototype only if the query repeats its condition. It does not reorder the
  // tables of a cross join, so it finds the few credentials for pages through that index, and does not read the many
  // others that an account may have.
  const inForce = sql`
    credentials.browser_prototype = 1 and accounts.browser_prototype = 1 and credentials.revoked_at is null
    and (credentials.expires_at is null or credentials.expires_at > ${now})
    and accounts.id = credentials.account_id and accounts.status = 'active'`
  return sql`
    select 1 as listed from ${table('account_origins')} cross join ${table('credentials')} cross join ${table('accounts')}
    where account_origins.pattern in (select value from ${asked} as asked)
      and credentials.account_id = account_origins.account_id and ${inForce}
    union all
    select 1 from ${table('credentials')} cross join ${table('accounts')}
    where ${Number(isLocalhost)} = 1 and credentials.allow_localhost = 1 and ${inForce}
    limit 1`.compile(builder)
}
