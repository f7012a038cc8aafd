// Opens the adapters of a configuration on Node: records, signing keys, crypto. The server and the command line both
// use it, so that they work on the same database and keys.

import { type Config, ConfigError, type ConfigProblem, keyTerms } from '../../config/config.ts'
import { sleep } from '../../lib/timing.ts'
import { createKeyLife, type KeyLife } from '../../signing/key-life.ts'
import { openSigningKeys, type SigningKeys } from '../../signing/open-keys.ts'
import { DEFAULT_PEPPER, type HashSecret } from '../../signing/secret.ts'
import type { SigningKeyStore } from '../../signing/signing-key.ts'
import { StorageError } from '../../storage/errors.ts'
import { createMemoryStorage } from '../../storage/memory.ts'
import type { SqlEngine } from '../../storage/sql/engine.ts'
import { createSqlKeyStore } from '../../storage/sql/keys.ts'
import { migrateSchema, requireSchema } from '../../storage/sql/migrate.ts'
import { openPostgres, type PostgresEngine } from '../../storage/sql/postgres.ts'
import { openSqlite, openSqliteToRead } from '../../storage/sql/sqlite.ts'
import { createSqlStorage } from '../../storage/sql/storage.ts'
import type { Storage } from '../../storage/storage.ts'
import { loadVerifier } from '../../verify/runtime/load-key.ts'
import { nodeCryptoEngine } from './crypto.ts'
import { isProduction } from './environment.ts'
import { createFileKeyStore } from './key-files.ts'

type LocalDatabase = Exclude<Config['database'], { kind: 'postgres' }>

/** The stores of a configuration. Closing `storage` closes both. */
export interface Records {
  readonly storage: Storage
  /** The signing keys: in a folder of this machine, or encrypted in Postgres. */
  readonly keyStore: SigningKeyStore
}

/**
 * Opens records and signing keys of a configuration, and brings the tables up to date. Creates no keys. `production`: see
 * `isProduction`. A Postgres server that cannot be reached is tried for ten seconds. Rejects with StorageError when the
 * database cannot be used, and with ConfigError for a setting that this version does not support.
 */
export async function openRecords(config: Config, production: boolean = isProduction()): Promise<Records> {
  const { database } = config
  requireAvailable(config)
  if (database.kind === 'postgres') {
    return openPostgresRecords(config, database.url, async (engine) => {
      await waitForPostgres(engine)
      await migrateSchema(engine)
    })
  }
  return { storage: await openLocal(database), keyStore: openKeyFolder(config, production) }
}

async function openLocal(database: LocalDatabase): Promise<Storage> {
  if (database.kind === 'memory') return createMemoryStorage()
  const engine = openSqlite(database.path)
  await migrateSchema(engine)
  return createSqlStorage(engine)
}

/**
 * As `openRecords`, but for reading: nothing is created, migrated or changed, and methods that write reject. Rejects also
 * with StorageError when the database does not exist or has an older schema. With `memory:` it is a new, empty store that can
 * be written to.
 */
export async function openRecordsToRead(config: Config): Promise<Records> {
  const { database } = config
  requireAvailable(config)
  if (database.kind === 'postgres')
    return openPostgresRecords(config, database.url, requireSchema, refuseWrites)
  return { storage: await openLocalToRead(database), keyStore: openKeyFolder(config) }
}

async function openLocalToRead(database: LocalDatabase): Promise<Storage> {
  if (database.kind === 'memory') return createMemoryStorage()
  const engine = openSqliteToRead(database.path)
  try {
    await requireSchema(engine)
    return createSqlStorage(engine)
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** Opens the records in Postgres after `prepare`. `limit` may take abilities from the engine that is then used. */
async function openPostgresRecords(
  { masterKey }: Config,
  url: string,
  prepare: (engine: PostgresEngine) => Promise<void>,
  limit: (engine: SqlEngine) => SqlEngine = (engine) => engine,
): Promise<Records> {
  if (masterKey === null) throw new Error('parseConfig requires CLAIMGATE_MASTER_KEY with Postgres')
  const opened = openPostgres(url)
  try {
    await prepare(opened)
    const engine = limit(opened)
    return { storage: createSqlStorage(engine), keyStore: createSqlKeyStore(engine, masterKey) }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** The engine without transactions. All writes are transactions. */
function refuseWrites(engine: SqlEngine): SqlEngine {
  const batch = async (): Promise<never> => {
    throw new StorageError('the database is open for reading only')
  }
  return { dialect: engine.dialect, run: engine.run, batch, close: engine.close }
}

/** How long the start waits for Postgres, milliseconds, and how long between two tries. */
const START_MS = 10_000
const START_PAUSE_MS = 250

/** Resolves when Postgres answers and takes writes. Rejects with StorageError after ten seconds. */
async function waitForPostgres(engine: PostgresEngine): Promise<void> {
  const deadline = performance.now() + START_MS
  for (;;) {
    try {
      if (!(await engine.isReadOnly())) return
      throw new StorageError(
        `the ${engine.place} is read-only; check DATABASE_URL, or let it become the primary`,
      )
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await sleep(START_PAUSE_MS)
  }
}

/** Throws ConfigError for settings that this version does not support, which otherwise would be ignored silently. */
function requireAvailable({ redisUrl, workers }: Config): void {
  const rows = [
    [redisUrl !== null, 'REDIS_URL', 'Redis', 'unset REDIS_URL'],
    [workers !== 1, 'CLAIMGATE_WORKERS', 'more than one process', 'CLAIMGATE_WORKERS=1'],
  ] as const
  const problems = rows.flatMap(([isAsked, variable, what, example]): ConfigProblem[] =>
    isAsked ? [{ variable, problem: `${what} is not available in this version`, example }] : [],
  )
  if (problems.length > 0) throw new ConfigError(problems, 'unsupported_configuration')
}

/** The signing keys in the folder of a configuration. Creates no file until the first write. */
export function openKeyFolder({ keysDir }: Config, production: boolean = isProduction()): SigningKeyStore {
  return createFileKeyStore(keysDir, { production })
}

/** The operations on stored signing keys. `lifetimeSeconds`: see `keyTerms`. */
export function openKeyLife(store: SigningKeyStore, config: Config, lifetimeSeconds: number): KeyLife {
  return createKeyLife(store, keyTerms(config, lifetimeSeconds))
}

/**
 * The stored signing keys, loaded; the first ones are created if there are none. `lifetimeSeconds`: see `keyTerms`.
 * `isRevoked` says whether a revocation names the key with this id. Rejects with StorageError.
 */
export function openKeys(
  store: SigningKeyStore,
  config: Config,
  lifetimeSeconds: number,
  isRevoked: (kid: string) => boolean,
): Promise<SigningKeys> {
  return openSigningKeys({
    store,
    engine: {
      loadSigner: nodeCryptoEngine.loadSigner,
      loadLongSigner: nodeCryptoEngine.loadLongSigner,
      loadVerifier,
    },
    terms: keyTerms(config, lifetimeSeconds),
    now: Date.now(),
    isRevoked,
  })
}

/** The hash of secrets, keyed with the configured pepper or `DEFAULT_PEPPER`. */
export function openSecretHash({ pepper }: Config): HashSecret {
  return nodeCryptoEngine.createSecretHash(pepper ?? DEFAULT_PEPPER)
}
