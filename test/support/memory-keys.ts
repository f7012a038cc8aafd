// A store of signing keys in memory for tests. Like a real store it answers asynchronously. It counts reads, and a test can
// make its calls fail.

import { setImmediate } from 'node:timers/promises'
import type { SigningKeyStore, StoredSigningKey } from '../../src/signing/signing-key.ts'

export interface MemoryKeys {
  readonly store: SigningKeyStore
  /** The keys that are stored now, also while calls fail. */
  keys(): readonly StoredSigningKey[]
  /** The number of calls of `list` so far, failed ones included. */
  reads(): number
  /** Makes every call reject with this error from now on; undefined lets calls succeed again. */
  fail(fault: Error | undefined): void
}

export function createMemoryKeys(first: readonly StoredSigningKey[] = []): MemoryKeys {
  let held: ReadonlyMap<string, StoredSigningKey> = new Map(first.map((key) => [key.kid, key]))
  let reads = 0
  let fault: Error | undefined

  /** Runs `work` synchronously in the middle of an asynchronous call, so that other calls can run before and after it. */
  async function call<T>(work: () => T): Promise<T> {
    await setImmediate()
    if (fault !== undefined) throw fault
    const answer = work()
    await setImmediate()
    return answer
  }

  return {
    keys: () => [...held.values()],
    reads: () => reads,
    fail: (next) => {
      fault = next
    },
    store: {
      list() {
        reads += 1
        // Copies, as a database returns them.
        return call(() => structuredClone([...held.values()]))
      },
      initialize: (keys) =>
        call(() => {
          const isHeld = [...held.values()].some(({ alg }) => alg === keys[0]?.alg)
          if (!isHeld) held = new Map([...held, ...keys.map((key) => [key.kid, key] as const)])
        }),
      replace: ({ expect, put, remove }) =>
        call(() => {
          if (!expect.every(({ kid, state }) => held.get(kid)?.state === state)) return false
          const next = new Map([...held, ...put.map((key) => [key.kid, key] as const)])
          for (const kid of remove) next.delete(kid)
          held = next
          return true
        }),
    },
  }
}
