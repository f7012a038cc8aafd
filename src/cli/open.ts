// The configured database and keys, opened for one command and closed after it.

import { loadEnvironment } from '../adapters/environment.ts'
import { createFileKeyStore } from '../adapters/key-files.ts'
import { openSecretHash, openStorage } from '../adapters/open.ts'
import type { VerificationKey } from '../claims/jws.ts'
import { type Config, parseConfig } from '../config.ts'
import { verificationJwk } from '../signing/key-set.ts'
import type { HashSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { loadVerifier } from '../verify/engine.ts'
import { CliError } from './fault.ts'

/** The records a command works on. */
export interface Records {
  readonly storage: Storage
  readonly hashSecret: HashSecret
}

/** The configuration of the environment and `.env`. Throws ConfigError. */
export function readConfig(): Config {
  return parseConfig(loadEnvironment())
}

/** Runs `use` with the configured records open. Rejects with CliError, StorageError, or what `use` rejects with. */
export async function withRecords<T>(config: Config, use: (records: Records) => Promise<T>): Promise<T> {
  if (config.database.kind === 'memory') {
    throw new CliError(
      'invalid_configuration',
      'DATABASE_URL is memory:, which ends with each process; name a file (example: DATABASE_URL=sqlite:data/claimgate.db), or use the admin API of the running server',
    )
  }
  const storage = await openStorage(config)
  try {
    return await use({ storage, hashSecret: openSecretHash(config) })
  } finally {
    await storage.close()
  }
}

/** The configured key with this id, unless it is expired. Makes no key, and no folder for keys. */
export async function findVerificationKey(
  { keysDir }: Config,
  kid: string,
): Promise<VerificationKey | undefined> {
  const stored = await createFileKeyStore(keysDir, { production: false }).list()
  const found = stored.find((key) => key.kid === kid && key.state !== 'expired')
  if (found === undefined) return undefined
  return { kid, alg: found.alg, verify: await loadVerifier(verificationJwk(found), found.alg) }
}
