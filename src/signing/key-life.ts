// Changes signing keys in a store that other processes change too. key-plan.ts decides what should change; this module
// reads the keys, creates the new ones and writes the change, unless another process has changed the keys since the read.

import type { SignatureAlgorithm } from '../claims/jws.ts'
import type { AuditEntry } from '../claims/records/account.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { EmptyKeyStoreError } from './errors.ts'
import {
  findCurrentKey,
  hasMovedOn,
  isRotationDue,
  type KeyPlan,
  type KeyTerms,
  planEnd,
  planOpening,
  planRotation,
  planUpkeep,
} from './key-plan.ts'
import { createFirstKeys, createSigningKey } from './make-keys.ts'
import {
  compareStates,
  type SigningKeyChange,
  type SigningKeyStore,
  type StoredSigningKey,
} from './signing-key.ts'

/** A signing key without its key material. */
export type KeyRecord = Omit<StoredSigningKey, 'jwk'>

/** Why keys were not rotated; see `KeyLife.rotate`. */
export type RotationObstacle = 'too_young' | 'too_many' | 'outrun'

/** What one round of `KeyLife.maintain` found and did. */
export interface Maintenance {
  /** Every key after this round, in the order of `KeyLife.list`. */
  readonly keys: readonly KeyRecord[]
  /** The key that signs now, if this round rotated by schedule; otherwise undefined. */
  readonly rotatedKid: string | undefined
}

/**
 * Operations on the keys of one store. `now` is epoch milliseconds. Each operation rejects with the error of the store
 * (StorageError) when the store fails. `open`, `end` and `maintain` reject with an Error when other processes have changed
 * the keys first in each of 200 tries.
 */
export interface KeyLife {
  /**
   * Prepares the store for a process that starts: creates the first keys, or the missing current or pending key, removes
   * surplus ones, and moves the service to the algorithm of this process. Call it only at the start: two running processes
   * with different algorithms would undo each other's change. True when the store had no keys. After this call, `rotate`
   * creates no keys in an empty store but rejects.
   */
  open(now: number): Promise<boolean>
  /** Every key: current, then pending, retiring and expired ones; the newest first in each state. */
  list(): Promise<readonly KeyRecord[]>
  /**
   * Makes the pending key current, and returns every key after that. Changes nothing when it fails:
   * `too_young`: the pending key has not been published long enough; `force` skips this check.
   * `too_many`: the largest allowed number of keys is published.
   * `outrun`: another process changed the keys first, or moved the service to another algorithm.
   * Rejects with EmptyKeyStoreError when the store is empty, if `open` has succeeded before.
   */
  rotate(
    now: number,
    options: { readonly force: boolean },
  ): Promise<Result<readonly KeyRecord[], RotationObstacle>>
  /** Expires a key immediately; retries when other processes change keys. False when the key is unknown or has expired. */
  end(kid: string, now: number): Promise<boolean>
  /**
   * Does everything that is due at `now`: expires keys that a revocation names, expires and deletes old keys, creates a
   * missing current or pending key, removes surplus ones, and rotates by schedule. Reads the store once when nothing is
   * due. Call it every second. Rejects with EmptyKeyStoreError when the store is empty.
   */
  maintain(now: number, isRevoked: (kid: string) => boolean): Promise<Maintenance>
}

/** Creates the operations on the keys of `alg` in `store`. Does no I/O. */
export function createKeyLife(
  store: SigningKeyStore,
  { alg, ...terms }: KeyTerms & { readonly alg: SignatureAlgorithm },
): KeyLife {
  let isOpen = false

  /** Writes a planned change; undefined when another process changed the keys first. */
  async function commit({ make, ...change }: KeyPlan, now: number): Promise<SigningKeyChange | undefined> {
    const made = await Promise.all(make.map((key) => createSigningKey(key.alg, key.state, now)))
    const whole = { ...change, put: [...change.put, ...made] }
    return (await store.replace(whole)) ? whole : undefined
  }

  async function listStored(): Promise<readonly StoredSigningKey[]> {
    const keys = await store.list()
    if (keys.length === 0) throw new EmptyKeyStoreError()
    return keys
  }

  async function end(kid: string, now: number): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const plan = planEnd(await store.list(), kid, now, terms)
      if (plan === undefined) return false
      if ((await commit(plan, now)) !== undefined) return true
    }
    throw createContentionError()
  }

  async function endRevoked(
    keys: readonly StoredSigningKey[],
    now: number,
    isRevoked: (kid: string) => boolean,
  ): Promise<readonly StoredSigningKey[]> {
    const revoked = keys.filter(({ kid, state }) => state !== 'expired' && isRevoked(kid))
    for (const { kid } of revoked) await end(kid, now)
    return revoked.length === 0 ? keys : listStored()
  }

  return {
    end,

    async open(now) {
      let isNew = false
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const keys = await store.list()
        if (tries === 0) isNew = keys.length === 0
        if (!keys.some((key) => key.alg === alg)) {
          await store.initialize(await createFirstKeys(alg, now))
          continue
        }
        const plan = planOpening(keys, alg, now, terms)
        if (plan === undefined) {
          isOpen = true
          return isNew
        }
        // The next try reads the keys again, because another process may have stored its change first.
        await commit(plan, now)
      }
      throw createContentionError()
    },

    list: async () => toRecords(await store.list()),

    async rotate(now, { force }) {
      const keys = isOpen ? await listStored() : await store.list()
      if (hasMovedOn(keys, alg)) return fail('outrun')
      const plan = planRotation(keys, alg, now, { ...terms, force })
      if (!plan.ok) return plan
      const change = await commit(plan.value, now)
      return change === undefined ? fail('outrun') : ok(toRecords(applyChange(keys, change)))
    },

    async maintain(now, isRevoked) {
      const keys = await endRevoked(await listStored(), now, isRevoked)
      const upkeep = planUpkeep(keys, alg, now, terms)
      const rotation =
        upkeep === undefined && isRotationDue(keys, alg, now, terms)
          ? planRotation(keys, alg, now, { ...terms, force: false })
          : undefined
      const plan = upkeep ?? (rotation?.ok ? rotation.value : undefined)
      // If another process changed the keys first, the next round does what is left.
      const change = plan && (await commit(plan, now))
      const after = change === undefined ? keys : applyChange(keys, change)
      const hasRotated = rotation !== undefined && change !== undefined
      return { keys: toRecords(after), rotatedKid: hasRotated ? findCurrentKey(after, alg)?.kid : undefined }
    },
  }
}

/** A try fails only when another process changed the keys first, so only a store that accepts no change needs so many. */
const MAX_TRIES = 200

function createContentionError(): Error {
  return new Error('the signing keys could not be changed: too many processes change them')
}

function applyChange(
  keys: readonly StoredSigningKey[],
  { put, remove }: SigningKeyChange,
): readonly StoredSigningKey[] {
  const gone = new Set([...remove, ...put.map(({ kid }) => kid)])
  return [...keys.filter(({ kid }) => !gone.has(kid)), ...put]
}

function toRecords(keys: readonly StoredSigningKey[]): readonly KeyRecord[] {
  return sortRecords(keys.map(({ jwk: _, ...record }) => record))
}

function sortRecords(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  return keys.toSorted((a, b) => compareStates(a, b) || b.createdAt - a.createdAt || (a.kid < b.kid ? -1 : 1))
}

/**
 * The keys as a running service uses them before a revocation has changed their stored states: a revoked key counts as
 * expired, and the pending key signs instead of a revoked current one. In the order of `KeyLife.list`.
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

const AUDIT_ID_LENGTH = 16

/**
 * The audit entry for a rotation: the key `kid` signs from `at` (epoch milliseconds) on. Keys and the audit log may be in
 * different stores, so the process that rotates writes the entry after the rotation, and upkeep writes it if that process
 * could not. Both derive the same id from `kid`, so `appendAuditOnce` stores one entry.
 */
export function createRotationEntry(
  actor: string,
  kid: string,
  at: number,
  detail: AuditEntry['detail'],
): AuditEntry {
  // Ids of audit entries have only letters and digits. 16 characters of a thumbprint have more than 90 bits.
  const id = kid
    .replace(/[^0-9A-Za-z]/g, '0')
    .slice(0, AUDIT_ID_LENGTH)
    .padEnd(AUDIT_ID_LENGTH, '0')
  return { id, at, actor, action: 'key.rotate', target: kid, detail }
}
