// The signing keys of a running service in memory: which key signs now, and which keys verify. The caller re-reads the
// store with `refresh`; while the store fails, the keys read last stay in use. A key that was read as expired or is
// revoked never signs, even if the store could not be changed. If no other key is left, signing fails.

import type { SignatureAlgorithm, SignToken, VerificationKey } from '../claims/jws.ts'
import { createFreshRead, type FreshRead } from '../lib/fresh-read.ts'
import { isDoneWithin, sleep } from '../lib/timing.ts'
import { EmptyKeyStoreError, SigningKeysError } from './errors.ts'
import { findCurrentKey } from './key-plan.ts'
import {
  formatKeySet,
  type KeyRingEngine,
  type LoadedKeys,
  type LoadedSigner,
  loadKeys,
  type PublicKeySet,
  type PublishedKeys,
} from './loaded-keys.ts'
import type { SigningKeyStore } from './signing-key.ts'

/** The keys in memory, as of the last successful read of the store. */
export interface KeyRing {
  /** Id of the key that signs; undefined when no key may. */
  readonly kid: string | undefined
  readonly alg: SignatureAlgorithm
  /**
   * Signs a payload (JSON text) with the key that signs at the time of the call, so callers may keep this function.
   * Rejects with SigningKeysError when no key may sign.
   */
  readonly sign: SignToken
  /**
   * Signs lists of revocations with the key that signs at the time when this property is read. Reading it throws
   * SigningKeysError when no key may sign.
   */
  readonly revocationSigner: Pick<LoadedSigner, 'kid' | 'revocationsHeader' | 'signRevocations'>
  /** Current, pending and retiring keys that are not revoked. The same object until these keys change. */
  readonly publicKeySet: PublicKeySet
  /**
   * `degraded`: the store cannot be read, or still has a revoked key as current or pending; the keys in memory stay in
   * use. `failed`: no key may sign, or the store is empty.
   */
  readonly state: 'ok' | 'degraded' | 'failed'
  /**
   * The key with this id, or undefined. Also finds expired and revoked keys, so that their tokens can be distinguished
   * from forged ones; check `isEnded`. A key is the same object for as long as it is stored.
   */
  find(kid: string): VerificationKey | undefined
  /** Whether the key with this id is expired or revoked: its tokens are refused although their signature is valid. */
  isEnded(kid: string): boolean
  /**
   * As `find`, but reads the store when the key is not in memory: at most once in 250 ms for all callers together. Takes
   * up to 2 s. Never rejects: while the store fails, only the keys in memory are found.
   */
  load(kid: string): Promise<VerificationKey | undefined>
  /** Milliseconds since the last successful read of the store began. */
  ageMs(): number
  /**
   * Reads the store. When it resolves, changes that were stored before the call are in use. Rejects with the error of the
   * store (StorageError), or with EmptyKeyStoreError; the keys in memory stay in use then.
   */
  refresh(): Promise<void>
}

/**
 * Loads the keys of `store`. `isRevoked` says whether a revocation names the key with this id; every signature and look-up
 * calls it. Creates no key: rejects with SigningKeysError when there is no current key of `alg`, which `KeyLife.open`
 * creates.
 */
export async function openKeyRing(
  store: Pick<SigningKeyStore, 'list'>,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
  isRevoked: (kid: string) => boolean,
): Promise<KeyRing> {
  const stored = await store.list()
  if (findCurrentKey(stored, alg) === undefined)
    throw new SigningKeysError(`the key store holds no current ${alg} key`)
  const first = await loadKeys(stored, undefined, engine, alg)
  const loaded: FreshRead<LoadedKeys> = createFreshRead(first, async () => {
    const stored = await store.list()
    // The store was moved or emptied after this process started. The keys in memory stay in use.
    if (stored.length === 0) throw new EmptyKeyStoreError()
    return loadKeys(stored, loaded.value, engine, alg)
  })
  /** Why the last read of the store failed. */
  let fault: 'empty' | 'unreadable' | undefined

  async function refresh(): Promise<void> {
    try {
      await loaded.refresh()
      fault = undefined
    } catch (error) {
      fault = error instanceof EmptyKeyStoreError ? 'empty' : 'unreadable'
      throw error
    }
  }

  const find = (kid: string): VerificationKey | undefined => loaded.value.byId.get(kid)?.key
  const searchKey = createKeySearch((kid) => loaded.value.byId.has(kid), refresh)
  const findSigner = (): LoadedSigner | undefined => loaded.value.signers.find(({ kid }) => !isRevoked(kid))
  const createFault = (): SigningKeysError =>
    new SigningKeysError(`no ${alg} key may sign: each was ended or revoked, and none could be made`)

  /** The last key set, with the keys and the positions of revoked keys from which it was formatted. */
  let last:
    | { readonly published: PublishedKeys; readonly revoked: string; readonly set: PublicKeySet }
    | undefined
  function getKeySet(): PublicKeySet {
    const { published } = loaded.value
    const positions = published.keys.flatMap(({ kid = '' }, position) => (isRevoked(kid) ? [position] : []))
    const revoked = positions.join()
    if (last?.published !== published || last.revoked !== revoked) {
      last = { published, revoked, set: formatKeySet(published, positions) }
    }
    return last.set
  }

  return {
    alg,
    get kid() {
      return findSigner()?.kid
    },
    sign: (payload) => findSigner()?.sign(payload) ?? Promise.reject(createFault()),
    get revocationSigner() {
      const signer = findSigner()
      if (signer === undefined) throw createFault()
      return signer
    },
    get publicKeySet() {
      return getKeySet()
    },
    get state() {
      if (fault === 'empty' || findSigner() === undefined) return 'failed'
      const isLagging = loaded.value.signers.some(({ kid }) => isRevoked(kid))
      return fault === undefined && !isLagging ? 'ok' : 'degraded'
    },
    find,
    isEnded: (kid) => (loaded.value.byId.get(kid)?.isExpired ?? false) || isRevoked(kid),
    async load(kid) {
      await searchKey(kid)
      return find(kid)
    },
    ageMs: () => performance.now() - loaded.readAt,
    refresh,
  }
}

/** Shortest time between the starts of two searches. */
const COOLDOWN_MS = 250
/** How long a caller waits, and how long a search that does not end delays the next one. */
const WAIT_MS = 2000
/** How often waiting callers check whether a search has ended. */
const POLL_MS = 20
/** Most callers that wait for a search. Further callers do not wait, so that only the keys in memory are found for them. */
const MAX_WAITING = 1000

/**
 * Creates a function that waits until a key id has been searched for. `search` reads the store; `has` says whether the
 * id is in memory. At most one search starts in 250 ms, however many made-up ids arrive. The function starts a search as
 * soon as that is allowed, and resolves when it sees that one of these is true:
 *
 * - The id is in memory.
 * - A search has ended, with or without an error. One that ended before the call does not count, because it may have missed
 *   a newer key.
 * - 2 s have passed since the call.
 * - 1000 other callers are waiting already, and no search may start yet.
 *
 * It never rejects. Callers look again every 20 ms during a search, instead of awaiting its promise, because on Workers no
 * request may await a promise of another. A search that was cancelled with its request delays the others by at most 2 s.
 */
export function createKeySearch(
  has: (kid: string) => boolean,
  search: () => Promise<void>,
): (kid: string) => Promise<void> {
  // Times are of `performance.now`, which does not change when the wall clock is set.
  let latest: { readonly since: number; isOver: boolean } | undefined
  let ended = 0
  let waiting = 0

  /** Milliseconds until the next search may start. */
  function getRestMs(): number {
    if (latest === undefined) return 0
    return latest.since + (latest.isOver ? COOLDOWN_MS : WAIT_MS) - performance.now()
  }

  async function startSearch(limitMs: number): Promise<void> {
    const current = { since: performance.now(), isOver: false }
    latest = current
    waiting = 0
    const end = (): void => {
      current.isOver = true
      ended += 1
    }
    await isDoneWithin(limitMs, search().then(end, end))
  }

  return async (kid) => {
    const asked = performance.now()
    const endedBefore = ended
    waiting += 1
    if (waiting > MAX_WAITING && getRestMs() > 0) return
    while (!has(kid) && ended === endedBefore) {
      const leftMs = asked + WAIT_MS - performance.now()
      if (leftMs <= 0) return
      const restMs = getRestMs()
      if (restMs <= 0) await startSearch(leftMs)
      else await sleep(latest?.isOver ? restMs : POLL_MS)
    }
  }
}
