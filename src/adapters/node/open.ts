// Opens the adapters of a configuration on Node: records, signing keys, crypto. The server and the command line both
// use it, so that they work on the same database and keys.

import { type Config, ConfigError, type ConfigProblem, keyTerms } from '../../config/config.ts'
import { createKeyLife, type KeyLife } from '../../signing/key-life.ts'
import { openSigningKeys, type SigningKeys } from '../../signing/open-keys.ts'
import { DEFAULT_PEPPER, type HashSecret } from '../../signing/secret.ts'
import type { SigningKeyStore } from '../../signing/signing-key.ts'
import { createMemoryStorage } from '../../storage/memory.ts'
import { migrateSchema, requireSchema } from '../../storage/sql/migrations.ts'
import { openSqlite, openSqliteToRead } from '../../storage/sql/sqlite.ts'
import { createSqlStorage } from '../../storage/sql/storage.ts'
import type { Storage } from '../../storage/storage.ts'
import { loadVerifier } from '../../verify/runtime/load-key.ts'
import { nodeCryptoEngine } from './crypto.ts'
import { isProduction } from './environment.ts'
import { createFileKeyStore } from './key-files.ts'

/**
 * Opens the records of a configuration and brings the tables up to date. Rejects with StorageError when the database
 * cannot be used, and with ConfigError for a setting that this version does not support.
 */
export async function openStorage(config: Config): Promise<Storage> {
  const { database } = config
  const problems = findUnavailable(config)
  if (problems.length > 0 || database.kind === 'postgres') throw createUnsupported(problems)
  if (database.kind === 'memory') return createMemoryStorage()
  const engine = openSqlite(database.path)
  await migrateSchema(engine)
  return createSqlStorage(engine)
}

/**
 * Opens the records of a configuration for reading: nothing is created, migrated or changed, and methods that write
 * reject. Rejects as `openStorage` does, and with StorageError when the database does not exist or has an older schema.
 * With `memory:` it is a new, empty store that can be written to.
 */
export async function openStorageToRead(config: Config): Promise<Storage> {
  const { database } = config
  const problems = findUnavailable(config)
  if (problems.length > 0 || database.kind === 'postgres') throw createUnsupported(problems)
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

/** Settings that this version does not support. Without this check they would be ignored silently. */
function findUnavailable({ database, redisUrl, workers }: Config): readonly ConfigProblem[] {
  const rows = [
    [database.kind === 'postgres', 'DATABASE_URL', 'Postgres', 'DATABASE_URL=sqlite:data/claimgate.db'],
    [redisUrl !== null, 'REDIS_URL', 'Redis', 'unset REDIS_URL'],
    [workers !== 1, 'CLAIMGATE_WORKERS', 'more than one process', 'CLAIMGATE_WORKERS=1'],
  ] as const
  return rows.flatMap(([isAsked, variable, what, example]) =>
    isAsked ? [{ variable, problem: `${what} is not available in this version`, example }] : [],
  )
}

function createUnsupported(problems: readonly ConfigProblem[]): ConfigError {
  return new ConfigError(problems, 'unsupported_configuration')
}

/** The store of a configuration's signing keys. Creates no file until the first write. `production`: see `isProduction`. */
export function openKeyStore({ keysDir }: Config, production: boolean = isProduction()): SigningKeyStore {
  return createFileKeyStore(keysDir, { production })
}

/** The operations on a configuration's signing keys. `lifetimeSeconds`: see `keyTerms`. */
export function openKeyLife(config: Config, lifetimeSeconds: number): KeyLife {
  return createKeyLife(openKeyStore(config), keyTerms(config, lifetimeSeconds))
}

/**
 * The signing keys of a configuration, loaded; the first ones are created if there are none. `lifetimeSeconds`: see
 * `keyTerms`. `isRevoked` says whether a revocation names the key with this id. Rejects with StorageError.
 */
export function openKeys(
  config: Config,
  lifetimeSeconds: number,
  isRevoked: (kid: string) => boolean,
  production: boolean = isProduction(),
): Promise<SigningKeys> {
  return openSigningKeys({
    store: openKeyStore(config, production),
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
