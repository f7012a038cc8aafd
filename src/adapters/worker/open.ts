// Checks the variables and bindings of a Worker, and opens its records and signing keys.

import { type Config, ConfigError, type ConfigProblem, keyTerms, parseConfig } from '../../config/config.ts'
import { openSigningKeys, type SigningKeys } from '../../signing/open-keys.ts'
import { DEFAULT_PEPPER, type HashSecret } from '../../signing/secret.ts'
import type { SigningKeyStore } from '../../signing/signing-key.ts'
import { webCryptoEngine } from '../../signing/webcrypto.ts'
import { createD1Engine, type D1Database } from '../../storage/sql/d1.ts'
import { createSqlKeyStore } from '../../storage/sql/keys.ts'
import { migrateSchema } from '../../storage/sql/migrate.ts'
import { createSqlStorage } from '../../storage/sql/storage.ts'
import type { Storage } from '../../storage/storage.ts'
import { loadVerifier } from '../../verify/runtime/load-key.ts'

/** The `env` of a Worker: variables and secrets are strings, bindings are objects. The same for every request. */
export type WorkerEnv = Readonly<Record<string, unknown>>

/** The checked variables and bindings of a Worker. */
export interface WorkerSettings {
  readonly config: Config
  /** 32 bytes that encrypt the signing keys in D1. */
  readonly masterKey: Uint8Array
  readonly database: D1Database
}

/**
 * Variables that a Worker ignores: the platform listens, the records are in D1, and the client's address is in
 * `CF-Connecting-IP`, which Cloudflare sets, so that no proxy has to be trusted.
 */
const NODE_ONLY: readonly string[] = [
  'HOST',
  'PORT',
  'DATABASE_URL',
  'REDIS_URL',
  'CLAIMGATE_KEYS_DIR',
  'CLAIMGATE_WORKERS',
  'CLAIMGATE_TRUSTED_PROXIES',
]

/** Checks variables and bindings. Throws ConfigError, which lists every problem. */
export function readSettings({ DB, ...env }: WorkerEnv): WorkerSettings {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    // Numbers in wrangler.toml may be written without quotes. A value of any other type is a binding.
    if (!NODE_ONLY.includes(name) && ['string', 'number'].includes(typeof value)) texts[name] = String(value)
  }
  const problems: ConfigProblem[] = []
  if (!texts.CLAIMGATE_ISSUER) {
    problems.push({
      variable: 'CLAIMGATE_ISSUER',
      problem: 'is required on Workers',
      example: 'CLAIMGATE_ISSUER=https://auth.example.com',
    })
  }
  if (!texts.CLAIMGATE_MASTER_KEY) {
    problems.push({
      variable: 'CLAIMGATE_MASTER_KEY',
      problem: 'is required with D1, to encrypt the signing keys kept there: 32 bytes as base64url',
      example: 'openssl rand -base64 32 | tr +/ -_ | tr -d = | npx wrangler secret put CLAIMGATE_MASTER_KEY',
    })
  }
  if (!isDatabase(DB)) {
    problems.push({
      variable: 'DB',
      problem: 'is required: the binding of a D1 database',
      example: 'the [[d1_databases]] entry of wrangler.toml',
    })
  }
  const config = readConfig(texts, problems)
  if (config?.masterKey && isDatabase(DB) && problems.length === 0) {
    return { config, masterKey: config.masterKey, database: DB }
  }
  throw new ConfigError(problems)
}

/** The configuration. When it is wrong: undefined, after adding its problems to `problems`. */
function readConfig(texts: Readonly<Record<string, string>>, problems: ConfigProblem[]): Config | undefined {
  try {
    return parseConfig(texts)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}

function isDatabase(binding: unknown): binding is D1Database {
  return typeof binding === 'object' && binding !== null && 'prepare' in binding && 'batch' in binding
}

/** The stores of a Worker, both in D1. */
export interface WorkerRecords {
  readonly storage: Storage
  readonly keyStore: SigningKeyStore
}

/**
 * Opens the database and brings its tables up to date. Several isolates may do so at the same time. Rejects with
 * StorageError.
 */
export async function openRecords({ masterKey, database }: WorkerSettings): Promise<WorkerRecords> {
  const engine = createD1Engine(database)
  await migrateSchema(engine)
  return { storage: createSqlStorage(engine), keyStore: createSqlKeyStore(engine, masterKey) }
}

/**
 * The signing keys of a configuration, loaded; the first ones are created if there are none. `lifetimeSeconds`: see
 * `keyTerms`. `isRevoked` says whether a revocation names the key with this id. Rejects with StorageError.
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
      loadSigner: webCryptoEngine.loadSigner,
      loadLongSigner: webCryptoEngine.loadLongSigner,
      loadVerifier,
    },
    terms: keyTerms(config, lifetimeSeconds),
    now: Date.now(),
    isRevoked,
  })
}

/** The hash of secrets, keyed with the configured pepper or `DEFAULT_PEPPER`. */
export function openSecretHash({ pepper }: Config): HashSecret {
  return webCryptoEngine.createSecretHash(pepper ?? DEFAULT_PEPPER)
}
