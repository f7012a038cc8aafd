// Signing keys in a shared database. The private JWK is encrypted with the master key (JWE `dir`, A256GCM; RFC 7516), so
// that a reader of the table or of a copy cannot sign. The encrypted content includes `kid` and `alg`, so that the
// ciphertexts of two rows cannot be exchanged.

import { CompactEncrypt, compactDecrypt, type JWK } from 'jose'
import { type Expression, sql } from 'kysely'
import type { SignatureAlgorithm } from '../../claims/jws.ts'
import type {
  SigningKeyChange,
  SigningKeyState,
  SigningKeyStore,
  StoredSigningKey,
} from '../../signing/signing-key.ts'
import { StorageError } from '../errors.ts'
import type { Dialect } from './dialect.ts'
import type { SqlEngine, SqlQuery, SqlRow } from './engine.ts'
import { orNull, readInteger, readOneOf, readText } from './rows.ts'
import type { SigningKeyRow } from './schema.ts'

const MASTER_KEY_BYTES = 32
const ALGORITHMS = ['ES256', 'EdDSA', 'HS256'] as const satisfies readonly SignatureAlgorithm[]
const STATES = ['pending', 'current', 'retiring', 'expired'] as const satisfies readonly SigningKeyState[]
const COLUMNS = [
  'kid',
  'alg',
  'state',
  'created_at',
  'current_since',
  'expires_at',
  'sealed',
] as const satisfies readonly (keyof SigningKeyRow)[]

/**
 * The keys in the table `signing_keys` of a migrated database, encrypted with `masterKey`. Throws a TypeError when that is
 * not 32 bytes. `list` rejects with StorageError when a key was encrypted with another master key or changed since.
 */
export function createSqlKeyStore(engine: SqlEngine, masterKey: Uint8Array): SigningKeyStore {
  if (masterKey.length !== MASTER_KEY_BYTES) throw new TypeError('the master key is not 32 bytes long')
  const statements = createStatements(engine.dialect)
  return {
    async list() {
      const { rows } = await engine.run(statements.list)
      return Promise.all(rows.map((row) => parseKey(row, masterKey)))
    },
    async initialize(keys) {
      if (keys.length === 0) return
      const rows = await Promise.all(keys.map((key) => formatKey(key, masterKey)))
      await engine.batch([statements.initialize(rows)])
    },
    async replace({ expect, put, remove }) {
      const rows = await Promise.all(put.map((key) => formatKey(key, masterKey)))
      const found = statements.countExpected(expect)
      const isExpected = sql<boolean>`${found} = ${expect.length}`
      const [first] = rows
      const [counted] = await engine.batch([
        found.compile(),
        ...(first === undefined ? [] : [statements.upsert(rows, isExpected)]),
        // Storing the keys above may have changed the expected states. So the condition here is that the first of them was
        // stored, which its ciphertext proves: no other change has it.
        ...(remove.length === 0
          ? []
          : [statements.remove(remove, first === undefined ? isExpected : statements.isSealed(first))]),
      ])
      return counted?.rows[0]?.found === expect.length
    },
  }
}

/** Statements on the table of signing keys. */
function createStatements({ builder }: Dialect) {
  /** Inserts the rows if the condition holds. */
  const insertKeys = (rows: readonly SigningKeyRow[], condition: Expression<unknown>) => {
    const values = rows.map((row) => sql`(${sql.join(COLUMNS.map((column) => castValue(row[column])))})`)
    return builder
      .insertInto('signing_keys')
      .columns(COLUMNS)
      .expression(sql`select * from (values ${sql.join(values)}) as made where ${condition}`)
  }
  return {
    list: builder.selectFrom('signing_keys').select(COLUMNS).compile(),
    /** Inserts the rows if there is no key of these algorithms. One statement, so that check and insert are one step. */
    initialize(rows: readonly SigningKeyRow[]): SqlQuery {
      const existing = builder
        .selectFrom('signing_keys')
        .select('kid')
        .where('alg', 'in', [...new Set(rows.map(({ alg }) => alg))])
      return insertKeys(rows, sql`not exists ${existing}`).compile()
    },
    /** A query for the number of keys, as `found`, that have these states. */
    countExpected: (expect: SigningKeyChange['expect']) =>
      builder
        .selectFrom('signing_keys')
        .select(({ fn }) => fn.countAll().as('found'))
        .where(({ and, or }) => or(expect.map(({ kid, state }) => and({ kid, state })))),
    upsert: (rows: readonly SigningKeyRow[], condition: Expression<boolean>): SqlQuery =>
      insertKeys(rows, condition)
        .onConflict((conflict) =>
          conflict.column('kid').doUpdateSet(({ ref }) => ({
            alg: ref('excluded.alg'),
            state: ref('excluded.state'),
            created_at: ref('excluded.created_at'),
            current_since: ref('excluded.current_since'),
            expires_at: ref('excluded.expires_at'),
            sealed: ref('excluded.sealed'),
          })),
        )
        .compile(),
    remove: (kids: readonly string[], condition: Expression<boolean>): SqlQuery =>
      builder
        .deleteFrom('signing_keys')
        .where('kid', 'in', [...kids])
        .where(condition)
        .compile(),
    /** The condition that exactly this row is stored. Encryption is randomized: no other row has the same ciphertext. */
    isSealed({ kid, sealed }: SigningKeyRow): Expression<boolean> {
      const row = builder
        .selectFrom('signing_keys')
        .select('kid')
        .where('kid', '=', kid)
        .where('sealed', '=', sealed)
      return sql<boolean>`exists ${row}`
    },
  }
}

/** A value with its type, which Postgres does not derive inside a list of rows. Numbers and nulls are those of times. */
function castValue(value: string | number | null): Expression<unknown> {
  return typeof value === 'string' ? sql`cast(${value} as text)` : sql`cast(${value} as bigint)`
}

async function formatKey(
  { kid, alg, jwk, ...key }: StoredSigningKey,
  masterKey: Uint8Array,
): Promise<SigningKeyRow> {
  const content = new TextEncoder().encode(JSON.stringify({ kid, alg, jwk }))
  const sealed = await new CompactEncrypt(content)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(masterKey)
  return {
    kid,
    alg,
    state: key.state,
    created_at: key.createdAt,
    current_since: key.currentSince,
    expires_at: key.expiresAt,
    sealed,
  }
}

async function parseKey(row: SqlRow, masterKey: Uint8Array): Promise<StoredSigningKey> {
  const kid = readText(row, 'kid')
  const alg = readOneOf(row, 'alg', ALGORITHMS)
  const content = await openSeal(readText(row, 'sealed'), masterKey)
  if (content.kid !== kid || content.alg !== alg) {
    throw new StorageError(
      'a signing key in the database was changed by hand: its kid or alg differs from the encrypted one',
      undefined,
      'damaged',
    )
  }
  return {
    kid,
    alg,
    state: readOneOf(row, 'state', STATES),
    createdAt: readInteger(row, 'created_at'),
    currentSince: orNull(row, 'current_since', readInteger),
    expiresAt: orNull(row, 'expires_at', readInteger),
    jwk: content.jwk,
  }
}

async function openSeal(
  sealed: string,
  masterKey: Uint8Array,
): Promise<{ kid: string; alg: string; jwk: JWK }> {
  try {
    const { plaintext } = await compactDecrypt(sealed, masterKey, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    // Only formatKey encrypts with the master key, so the content has the form that it writes.
    return JSON.parse(new TextDecoder().decode(plaintext))
  } catch (error) {
    throw new StorageError(
      'the signing keys in the database cannot be decrypted with this master key; set the one they were encrypted with',
      error,
      'incompatible',
    )
  }
}
