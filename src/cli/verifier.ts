// The service's verifier on the configured database and keys, for commands that show what it would decide. Creates no
// key, no folder for keys and no database, and changes nothing in them.

import type { VerificationKey } from '../claims/jws.ts'
import type { Config } from '../config/config.ts'
import { createServiceVerifier, type ServiceVerifier, type ServiceVerifierDeps } from '../service/verifier.ts'
import { verificationJwk } from '../signing/key-set.ts'
import type { SigningKeyStore } from '../signing/signing-key.ts'
import { createCachedStorage } from '../storage/cached.ts'
import type { Storage } from '../storage/storage.ts'
import { loadVerifier } from '../verify/runtime/load-key.ts'
import { createWarningLog, readRules, withReadRecords } from './open.ts'
import type { Shell } from './shell.ts'

/** Signing keys that verify tokens. */
export type VerificationKeys = ServiceVerifierDeps['keyRing']

/**
 * Loads the stored keys as they are now, including expired ones. A missing folder of keys counts as an empty one.
 */
export async function loadVerificationKeys(keyStore: SigningKeyStore): Promise<VerificationKeys> {
  const loaded = new Map<string, { readonly key: VerificationKey; readonly isEnded: boolean }>()
  for (const stored of await keyStore.list()) {
    const { kid, alg, state } = stored
    const verify = await loadVerifier(verificationJwk(stored), alg)
    loaded.set(kid, { key: { kid, alg, verify }, isEnded: state === 'expired' })
  }
  const find = (kid: string): VerificationKey | undefined => loaded.get(kid)?.key
  return {
    find,
    load: async (kid) => find(kid),
    isEnded: (kid) => loaded.get(kid)?.isEnded ?? false,
  }
}

/**
 * Runs `use` with the service's verifier, as a server that starts now would create it. Warns on stderr when revocations
 * or records cannot be read. Rejects as `withReadRecords` does.
 */
export function withVerifier<T>(
  shell: Shell,
  config: Config,
  use: (verifier: ServiceVerifier, storage: Storage) => Promise<T>,
): Promise<T> {
  return withReadRecords(shell, config, async (storage, keyStore) => {
    const log = createWarningLog(shell)
    const verifier = createServiceVerifier({
      config,
      log,
      storage: createCachedStorage(storage),
      keyRing: await loadVerificationKeys(keyStore),
      // Only running servers know which proofs were used already.
      proofs: { use: () => ({ kind: 'new' }) },
      rules: await readRules(shell, storage),
    })
    return use(verifier, storage)
  })
}
