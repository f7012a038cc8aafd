// The life of signing keys in a store that other processes change too: each change is made as a whole, on what was
// read just before, or not at all. No key is made before it is known to be needed.

import type { SignatureAlgorithm } from '../claims/jws.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import {
  hasMovedOn,
  isRotationDue,
  type KeyPlan,
  type KeyTerms,
  planEnd,
  planOpening,
  planRotation,
  planUpkeep,
} from './key-plan.ts'
import { EmptyStoreError } from './key-ring.ts'
import { createSigningKey, listOrMakeKeys } from './make-keys.ts'
import type { SigningKeyChange, SigningKeyStore, StoredSigningKey } from './signing-key.ts'

/** A signing key without its key material. */
export type KeyRecord = Omit<StoredSigningKey, 'jwk'>

/** Why keys were not rotated. */
export type RotationObstacle = 'too_young' | 'too_many' | 'outrun'

/** Operations on the keys of one store. `now` is epoch milliseconds; each rejects with what the store rejects with. */
export interface KeyLife {
  /**
   * Makes the store ready for a process that starts: first keys, repairs, and the change of algorithm. Not to be called
   * later: two processes with different algorithms would take turns. True when the store held no key at all. From then
   * on a store that is found empty has lost its keys, and none are made.
   */
  open(now: number): Promise<boolean>
  /** Every key: current, pending, retiring, expired; newest first in each. */
  list(): Promise<readonly KeyRecord[]>
  /**
   * Lets the pending key sign from now on, and gives every key as it is then. `too_young`: it is not published long
   * enough, which `force` passes over. `too_many`: as many keys are published as may be. `outrun`: another change was faster, or another process has taken the service
   * to another algorithm; nothing was done.
   */
  rotate(
    now: number,
    options: { readonly force: boolean },
  ): Promise<Result<readonly KeyRecord[], RotationObstacle>>
  /** Ends a key at once, also against faster changes. False when it is unknown or ended already. */
  end(kid: string, now: number): Promise<boolean>
  /** What time asks for: keys expire, go, are made, are rotated. True when it has rotated. Meant for every second. */
  maintain(now: number): Promise<boolean>
}

/** The life of keys of `alg` in `store`. */
export function createKeyLife(
  store: SigningKeyStore,
  { alg, ...terms }: KeyTerms & { readonly alg: SignatureAlgorithm },
): KeyLife {
  let isOpen = false

  /** Makes the planned change; undefined when it lost a race. */
  async function commit({ make, ...change }: KeyPlan, now: number): Promise<SigningKeyChange | undefined> {
    const made = await Promise.all(make.map((key) => createSigningKey(key.alg, key.state, now)))
    const whole = { ...change, put: [...change.put, ...made] }
    return (await store.replace(whole)) ? whole : undefined
  }

  /** Every stored key. Rejects once the service runs and there is none. */
  async function listHeld(): Promise<readonly StoredSigningKey[]> {
    const keys = await store.list()
    if (isOpen && keys.length === 0) throw new EmptyStoreError()
    return keys
  }

  return {
    async open(now) {
      const isNew = (await store.list()).length === 0
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const plan = planOpening(await listOrMakeKeys(store, alg, now), alg, now, terms)
        if (plan === undefined) {
          isOpen = true
          return isNew
        }
        // Checked again: another process that makes the same repair may have added its own keys.
        await commit(plan, now)
      }
      throw createRestlessFault()
    },

    list: async () => toRecords(await store.list()),

    async rotate(now, { force }) {
      const keys = await listHeld()
      if (hasMovedOn(keys, alg)) return fail('outrun')
      const plan = planRotation(keys, alg, now, { ...terms, force })
      if (!plan.ok) return plan
      const change = await commit(plan.value, now)
      return change === undefined ? fail('outrun') : ok(toRecords(applyChange(keys, change)))
    },

    async end(kid, now) {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const plan = planEnd(await store.list(), kid, now, terms)
        if (plan === undefined) return false
        if ((await commit(plan, now)) !== undefined) return true
      }
      throw createRestlessFault()
    },

    async maintain(now) {
      const keys = await store.list()
      if (keys.length === 0) throw new EmptyStoreError()
      const upkeep = planUpkeep(keys, alg, now, terms)
      if (upkeep !== undefined) {
        // Lost to a faster process or not: the next call sees what is left, a rotation too.
        await commit(upkeep, now)
        return false
      }
      if (!isRotationDue(keys, alg, now, terms)) return false
      const plan = planRotation(keys, alg, now, { ...terms, force: false })
      return plan.ok && (await commit(plan.value, now)) !== undefined
    },
  }
}

/** Each loss is another's success: only a store that never takes a change comes here. */
const MAX_TRIES = 200

function createRestlessFault(): Error {
  return new Error('the signing keys do not stand still; too many processes change them')
}

const ORDER = { current: 0, pending: 1, retiring: 2, expired: 3 }

function toRecords(keys: readonly StoredSigningKey[]): readonly KeyRecord[] {
  return sortRecords(keys.map(({ jwk: _, ...record }) => record))
}

function sortRecords(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  return keys.toSorted(
    (a, b) => ORDER[a.state] - ORDER[b.state] || b.createdAt - a.createdAt || (a.kid < b.kid ? -1 : 1),
  )
}

/**
 * Keys with revocations applied, as they are used while their store cannot be changed: a revoked key is expired,
 * whatever its stored state, and the pending key signs in place of a revoked current one.
 */
export function applyRevocations(
  keys: readonly KeyRecord[],
  isRevoked: (kid: string) => boolean,
): readonly KeyRecord[] {
  const known = keys.map((key) => (isRevoked(key.kid) ? { ...key, state: 'expired' as const } : key))
  const findBy = (alg: SignatureAlgorithm, state: KeyRecord['state']): KeyRecord | undefined =>
    known.find((key) => key.alg === alg && key.state === state)
  const successors = keys
    .filter(({ kid, alg, state }) => state === 'current' && isRevoked(kid) && !findBy(alg, 'current'))
    .map(({ alg }) => findBy(alg, 'pending'))
  return sortRecords(
    known.map((key) => (successors.includes(key) ? { ...key, state: 'current' as const } : key)),
  )
}

function applyChange(
  keys: readonly StoredSigningKey[],
  { put, remove }: SigningKeyChange,
): readonly StoredSigningKey[] {
  const gone = new Set([...remove, ...put.map(({ kid }) => kid)])
  return [...keys.filter(({ kid }) => !gone.has(kid)), ...put]
}
