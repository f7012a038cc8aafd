// The configured database and keys, opened for one command and closed after it.

import { openKeyLife, openSecretHash, openStorage, openStorageToRead } from '../adapters/node/open.ts'
import { enforceRevocations } from '../admin/key.ts'
import type { AdminPorts } from '../admin/operation.ts'
import { SETTLE_MS } from '../admin/settle.ts'
import { type Config, parseConfig } from '../config/config.ts'
import { createLogger } from '../http/log.ts'
import { createRevocationRules, type RevocationRules } from '../service/revocation/rules.ts'
import type { Storage } from '../storage/storage.ts'
import { CliError } from './fault.ts'
import type { Shell } from './shell.ts'

/** The configuration in the shell's environment. Throws ConfigError. */
export function readConfig(shell: Shell): Config {
  return parseConfig(shell.readEnvironment())
}

/**
 * Runs `use` with the configured database and signing keys. Creates or migrates the database; creates no keys.
 * Rejects with CliError, with StorageError, or with what `use` rejects with.
 */
export function withRecords<T>(config: Config, use: (ports: AdminPorts) => Promise<T>): Promise<T> {
  return withStorage(config, openStorage, async (storage) => {
    const lifetimeSeconds = await storage.raiseLongestLifetime(config.maxTtl)
    const rules = await readRules(storage)
    return use({
      storage,
      hashSecret: openSecretHash(config),
      lifetimeSeconds,
      keyLife: enforceRevocations(openKeyLife(config, lifetimeSeconds), rules.isKeyRevoked),
      settleMs: SETTLE_MS,
      // This process caches nothing, and running servers read the change from the database.
      onChange: async () => undefined,
    })
  })
}

/**
 * Runs `use` with the configured database, only for reading: nothing is created, migrated or changed.
 * Rejects with CliError, with StorageError when there is no database or an older one, or with what `use` rejects with.
 */
export function withReadRecords<T>(config: Config, use: (storage: Storage) => Promise<T>): Promise<T> {
  return withStorage(config, openStorageToRead, use)
}

/** Reads the recorded revocations. Never rejects: if they cannot be read, the result knows of none. */
export async function readRules(
  storage: Pick<Storage, 'readRuleSeq' | 'listRuleChanges'>,
): Promise<RevocationRules> {
  const log = createLogger({ level: 'silent', write: () => undefined, now: Date.now })
  const rules = createRevocationRules({ storage, log, now: Date.now, sharesWork: true })
  await rules.refresh()
  return rules
}

async function withStorage<T>(
  config: Config,
  open: (config: Config) => Promise<Storage>,
  use: (storage: Storage) => Promise<T>,
): Promise<T> {
  if (config.database.kind === 'memory') {
    throw new CliError(
      'invalid_configuration',
      'DATABASE_URL is memory:, a separate database in each process; name a file (example: DATABASE_URL=sqlite:data/claimgate.db), or use the admin API of the running server',
    )
  }
  const storage = await open(config)
  try {
    return await use(storage)
  } finally {
    await storage.close()
  }
}
