// A key store in memory that loses time wherever a real one does, counts its reads, and fails on demand.

import { setImmediate } from 'node:timers/promises'
import type { SigningKeyStore, StoredSigningKey } from '../../src/signing/signing-key.ts'

export interface MemoryKeys {
  readonly store: SigningKeyStore
  /** What is stored at this moment. */
  keys(): readonly StoredSigningKey[]
  /** Reads that were begun. */
  reads(): number
  /** What every call rejects with from now on; undefined: it works. */
  fail(fault: Error | undefined): void
}

export function createMemoryKeys(first: readonly StoredSigningKey[] = []): MemoryKeys {
  let held: ReadonlyMap<string, StoredSigningKey> = new Map(first.map((key) => [key.kid, key]))
  let reads = 0
  let fault: Error | undefined

  /** The work happens at one moment, somewhere in the middle of the call. */
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
        // Fresh objects, as from a database.
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
