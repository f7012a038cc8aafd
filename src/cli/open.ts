// The configured database and keys, opened for one command and closed after it.

import { resolve } from 'node:path'
import {
  openKeyFolder,
  openKeyLife,
  openRecords,
  openRecordsToRead,
  openSecretHash,
  type Records,
} from '../adapters/node/open.ts'
import { enforceRevocations } from '../admin/key.ts'
import type { AdminPorts } from '../admin/operation.ts'
import { SETTLE_MS } from '../admin/settle.ts'
import { type Config, parseConfig } from '../config/config.ts'
import type { Logger } from '../http/log.ts'
import { createRevocationRules, type RevocationRules } from '../service/revocation/rules.ts'
import type { SigningKeyStore } from '../signing/signing-key.ts'
import type { Storage } from '../storage/storage.ts'
import { CliError } from './fault.ts'
import type { Shell } from './shell.ts'

/** The configuration in the shell's environment. Throws ConfigError. */
export function readConfig(shell: Shell): Config {
  return parseConfig(shell.readEnvironment())
}

/**
 * Runs `use` with the configured database and signing keys. Creates or migrates the database; creates no keys. Warns on
 * stderr when the revocations cannot be read. Rejects with CliError, with StorageError, or with what `use` rejects with.
 */
export function withRecords<T>(
  shell: Shell,
  config: Config,
  use: (ports: AdminPorts) => Promise<T>,
): Promise<T> {
  return withOpened(config, openRecords, async ({ storage, keyStore }) => {
    const lifetimeSeconds = await storage.raiseLongestLifetime(config.maxTtl)
    const rules = await readRules(shell, storage)
    return use({
      storage,
      hashSecret: openSecretHash(config),
      lifetimeSeconds,
      keyLife: enforceRevocations(openKeyLife(keyStore, config, lifetimeSeconds), rules.isKeyRevoked),
      settleMs: SETTLE_MS,
      // This process caches nothing, and running servers read the change from the database.
      onChange: async () => undefined,
    })
  })
}

/**
 * Runs `use` with the configured database, only for reading: nothing is created, migrated or changed. Names the database
 * on stderr. Rejects with CliError, with StorageError when there is no database or an older one, or with what `use`
 * rejects with.
 */
export function withReadRecords<T>(
  shell: Shell,
  config: Config,
  use: (storage: Storage, keyStore: SigningKeyStore) => Promise<T>,
): Promise<T> {
  return withOpened(config, openRecordsToRead, ({ storage, keyStore }) => {
    shell.nameSource('database', describeDatabase(config))
    return use(storage, keyStore)
  })
}

/**
 * Runs `use` with the signing keys, only for reading. Names on stderr where they are: the folder, or the Postgres database.
 * Rejects as `withReadRecords` does.
 */
export function withReadKeys<T>(
  shell: Shell,
  config: Config,
  use: (keyStore: SigningKeyStore) => Promise<T>,
): Promise<T> {
  if (config.database.kind === 'postgres')
    return withReadRecords(shell, config, (_storage, keyStore) => use(keyStore))
  shell.nameSource('keysFolder', describePath(config.keysDir))
  return use(openKeyFolder(config))
}

/**
 * The database as DATABASE_URL names it, without password and parameters. A relative path is followed by the absolute
 * one, because the working directory decides what it means.
 */
export function describeDatabase({ database }: Pick<Config, 'database'>): string {
  if (database.kind === 'memory') return 'memory:'
  if (database.kind === 'sqlite') return `sqlite:${describePath(database.path)}`
  const url = new URL(database.url)
  const user = url.username === '' ? '' : `${url.username}@`
  return `${url.protocol}//${user}${url.host}${url.pathname}`
}

function describePath(path: string): string {
  const whole = resolve(path)
  return whole === path ? path : `${path} (${whole})`
}

/**
 * Reads the recorded revocations. Never rejects: if they cannot be read, the result knows of none, and a warning on stderr
 * says so.
 */
export async function readRules(
  shell: Shell,
  storage: Pick<Storage, 'readRuleSeq' | 'listRuleChanges'>,
): Promise<RevocationRules> {
  const log = createWarningLog(shell)
  const rules = createRevocationRules({ storage, log, now: Date.now, sharesWork: true })
  await rules.refresh()
  return rules
}

/** A logger for the service's parts: what they log as a warning or an error is a warning of the command. */
export function createWarningLog(shell: Shell): Logger {
  const warn: Logger['warn'] = (message, { error } = {}) =>
    shell.printWarning(error instanceof Error ? `${message}: ${error.message}` : message)
  const ignore: Logger['info'] = () => undefined
  return { debug: ignore, info: ignore, warn, error: warn }
}

async function withOpened<T>(
  config: Config,
  open: (config: Config) => Promise<Records>,
  use: (records: Records) => Promise<T>,
): Promise<T> {
  if (config.database.kind === 'memory') {
    throw new CliError(
      'invalid_configuration',
      'DATABASE_URL is memory:, a separate database in each process; name a file (example: DATABASE_URL=sqlite:data/claimgate.db), or use the admin API of the running server',
    )
  }
  const records = await open(config)
  try {
    return await use(records)
  } finally {
    await records.storage.close()
  }
}
