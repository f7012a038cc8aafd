// Postgres as a SqlEngine, through a pool of connections. Transactions are serializable, and repeated when another one was in
// the way. Every wait for the database is bounded; while it does not answer, calls fail immediately.

import pg from 'pg'
import { readErrorCode } from '../../lib/error-code.ts'
import { sleep } from '../../lib/timing.ts'
import { StorageError, type StorageErrorCode } from '../errors.ts'
import { decodeText, encodeText, postgresDialect } from './dialect.ts'
import type { SqlEngine, SqlQuery, SqlResult, SqlRow } from './engine.ts'

/** Most connections of one process, unless the URL has `?max=`, and at most with it. */
const MAX_CONNECTIONS = 20

/** How long a statement of its own, or a free connection, is waited for, milliseconds. */
const ANSWER_MS = 2000

/** How long a statement of a transaction is waited for, milliseconds. It may wait for the end of other transactions. */
const TRANSACTION_MS = 5000

/** How long calls fail immediately after one was not answered, milliseconds. */
const PAUSE_MS = 500

/** How long a transaction is repeated while others are in its way, milliseconds. */
const RETRY_MS = 5000
const LONGEST_PAUSE_MS = 50

/** A Postgres database as an engine, with what only a server has. */
export interface PostgresEngine extends SqlEngine {
  /** What messages call it: host and name of the database. */
  readonly place: string
  /** Whether the server takes no writes now, as a standby or after a failover. Rejects with StorageError. */
  isReadOnly(): Promise<boolean>
}

/**
 * Opens a pool on a `postgres://` URL; connects only when it is used. `?max=` sets the number of connections, 20 at most and by
 * default; `sslmode` works as in libpq. Uses no feature of a session, so a pooler may give each transaction another one. Errors
 * name host and database of the URL, never the user's password.
 */
export function openPostgres(url: string): PostgresEngine {
  const { connectionString, max, place } = readUrl(url)
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: ANSWER_MS,
    allowExitOnIdle: true,
    application_name: 'claimgate',
    types: { getTypeParser: chooseParser },
  })
  // An idle connection that breaks is replaced when it is needed. Without a listener the error would end the process.
  pool.on('error', () => undefined)
  let isClosed = false
  let pausedUntil = 0

  /** Runs `work` with a connection. One that failed is closed, because an answer may still arrive on it. */
  async function withConnection<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (isClosed) throw new StorageError(`${place} is closed`, undefined, 'closed')
    if (performance.now() < pausedUntil) throw toStorageError(new Error(NO_ANSWER), place)
    try {
      const client = await pool.connect()
      try {
        const result = await work(client)
        client.release()
        return result
      } catch (error) {
        client.release(readSqlState(error) === undefined)
        throw error
      }
    } catch (error) {
      // The first call after the pause finds out whether the database answers again; calls beside it wait with it.
      if (isTimeout(error)) pausedUntil = performance.now() + PAUSE_MS
      throw toStorageError(error, place)
    }
  }

  const transact = (queries: readonly SqlQuery[]): Promise<readonly SqlResult[]> =>
    withConnection(async (client) => {
      await client.query(BEGIN)
      try {
        const results: SqlResult[] = []
        for (const query of queries) results.push(await execute(client, query, TRANSACTION_MS))
        await client.query(COMMIT)
        return results
      } catch (error) {
        if (readSqlState(error) !== undefined) await client.query(ROLLBACK)
        throw error
      }
    })

  const run = (query: SqlQuery): Promise<SqlResult> =>
    withConnection((client) => execute(client, query, ANSWER_MS))

  return {
    place,
    dialect: postgresDialect,
    run,
    async batch(queries) {
      const deadline = performance.now() + RETRY_MS
      for (;;) {
        try {
          return await transact(queries)
        } catch (error) {
          if (!isConflicting(error) || performance.now() > deadline) throw error
        }
        await sleep(Math.random() * LONGEST_PAUSE_MS)
      }
    },
    async isReadOnly() {
      const { rows } = await run({
        sql: `select current_setting('transaction_read_only') as value`,
        parameters: [],
      })
      return rows[0]?.value === 'on'
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await pool.end()
    },
  }
}

/** What the pool needs of a URL, and how error messages name the database. */
function readUrl(text: string): { connectionString: string; max: number; place: string } {
  const url = new URL(text)
  const wanted = Number(url.searchParams.get('max') ?? MAX_CONNECTIONS)
  url.searchParams.delete('max')
  if (!url.searchParams.has('uselibpqcompat')) url.searchParams.set('uselibpqcompat', 'true')
  return {
    connectionString: url.href,
    max: Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, MAX_CONNECTIONS) : MAX_CONNECTIONS,
    place: `Postgres database ${url.host}${url.pathname}`,
  }
}

/** A statement for the driver, and how long it is waited for; the driver's types lack that member. */
function limit(timeoutMs: number, text: string, values: unknown[] = []): pg.QueryConfig {
  const config = { text, values, query_timeout: timeoutMs }
  return config
}

const BEGIN = limit(ANSWER_MS, 'begin isolation level serializable')
const COMMIT = limit(TRANSACTION_MS, 'commit')
const ROLLBACK = limit(ANSWER_MS, 'rollback')

async function execute(
  client: pg.PoolClient,
  { sql, parameters }: SqlQuery,
  timeoutMs: number,
): Promise<SqlResult> {
  const query = limit(timeoutMs, sql, parameters.map(encodeValue))
  const { rows, rowCount, fields } = await client.query<SqlRow>(query)
  if (fields.length === 0) return { rows: [], changes: rowCount ?? 0 }
  for (const row of rows) decodeRow(row as Record<string, unknown>)
  return { rows, changes: 0 }
}

/** OID of `bigint`. Its values here are counts, numbers of changes and epoch milliseconds, so a number holds them. */
const BIGINT = 20

function chooseParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  return oid === BIGINT ? Number : pg.types.getTypeParser(oid, format as 'text')
}

function encodeValue(value: unknown): unknown {
  return typeof value === 'string' ? encodeText(value) : value
}

function decodeRow(row: Record<string, unknown>): void {
  for (const name in row) {
    const value = row[name]
    if (typeof value === 'string') row[name] = decodeText(value)
  }
}

const NO_ANSWER = 'no answer'

/** Whether the database gave no answer in time. The driver has no codes for its own timeouts. */
function isTimeout(error: unknown): boolean {
  return (
    error instanceof Error && /timeout|no answer/i.test(error.message) && readSqlState(error) === undefined
  )
}

/** Whether a transaction was rolled back because of another one, and may be repeated (class 40). */
function isConflicting(error: unknown): boolean {
  return error instanceof StorageError && /^40(001|P01)$/.test(readSqlState(error.cause) ?? '')
}

/** The SQLSTATE that the server gave an error: five characters. Undefined for errors of the connection. */
function readSqlState(error: unknown): string | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined
  return error.code
}

/** What follows the name of the database in an error message: problem and advice, by SQLSTATE or its class. */
const FAULTS: Readonly<Record<string, string>> = {
  '23': 'already has a record with this id, or lacks the record that it refers to',
  '25006': 'is read-only',
  '28': 'refuses this user or password; check DATABASE_URL',
  '3D000': 'does not exist; create it, or check DATABASE_URL',
  '3F000': 'has no tables of claimgate; start the server, which creates them',
  '42P01': 'has no tables of claimgate, or lacks some; start the server, which creates them',
  '42501': 'refuses a statement; give the user of DATABASE_URL the right to create a schema, and its tables',
  '53300': 'has no free connection; raise max_connections, or set a lower ?max= in DATABASE_URL',
  '53': 'lacks memory, disk space or connections',
  '57': 'is starting or stopping',
}

const CODES: Readonly<Record<string, StorageErrorCode>> = {
  '23': 'conflict',
  '3F000': 'incompatible',
  '42P01': 'incompatible',
  '42703': 'incompatible',
}

function toStorageError(error: unknown, place: string): StorageError {
  const state = readSqlState(error)
  if (state === undefined) {
    const code = readErrorCode(error)
    const what = isTimeout(error) ? 'does not answer' : `cannot be reached${code ? ` (${code})` : ''}`
    return new StorageError(`${place} ${what}; check DATABASE_URL and the server`, error)
  }
  const group = state.slice(0, 2)
  const problem = FAULTS[state] ?? FAULTS[group] ?? `failed with SQLSTATE ${state}`
  return new StorageError(`${place} ${problem}`, error, CODES[state] ?? CODES[group] ?? 'unavailable')
}
