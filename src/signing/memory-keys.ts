// A store of signing keys in memory: for one process, whose keys end with it.

import type { SigningKeyStore, StoredSigningKey } from './signing-key.ts'

/** Creates an empty store. It never rejects. */
export function createMemoryKeyStore(): SigningKeyStore {
  const stored = new Map<string, StoredSigningKey>()
  const put = (keys: readonly StoredSigningKey[]): void => {
    for (const key of keys) stored.set(key.kid, key)
  }
  return {
    list: async () => [...stored.values()],
    async initialize(keys) {
      if (![...stored.values()].some(({ alg }) => alg === keys[0]?.alg)) put(keys)
    },
    async replace(change) {
      if (!change.expect.every(({ kid, state }) => stored.get(kid)?.state === state)) return false
      put(change.put)
      for (const kid of change.remove) stored.delete(kid)
      return true
    },
  }
}
