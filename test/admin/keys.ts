// Signing keys for tests of the admin API: the real key life on a store in memory.

import { createKeyLife, type KeyLife } from '../../src/signing/key-life.ts'
import type { SigningKeyStore, StoredSigningKey } from '../../src/signing/signing-key.ts'

/** How long the pending key must be published before it may sign. */
export const PUBLISH_MS = 900_000

/** A key life on an empty store. `open` makes the first keys. Tokens live for `lifetimeMs`. */
export function createKeys(lifetimeMs: number): KeyLife {
  const keys = new Map<string, StoredSigningKey>()
  const store: SigningKeyStore = {
    list: async () => [...keys.values()],
    async initialize(first) {
      if (keys.size === 0) for (const key of first) keys.set(key.kid, key)
    },
    async replace({ expect, put, remove }) {
      if (expect.some(({ kid, state }) => keys.get(kid)?.state !== state)) return false
      for (const kid of remove) keys.delete(kid)
      for (const key of put) keys.set(key.kid, key)
      return true
    },
  }
  return createKeyLife(store, { alg: 'ES256', publishMs: PUBLISH_MS, rotationMs: null, lifetimeMs })
}
