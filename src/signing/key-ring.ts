// The signing keys of a running service, loaded, and following their store: one signs, all verify. What was read last
// goes on while the store is down. Never signs with a key that is ended in the store or revoked, whether or not the
// store could be changed; where no other key is left, signing fails.

import type { SignatureAlgorithm, SignToken, VerificationKey } from '../claims/jws.ts'
import { createFreshRead, type FreshRead } from '../lib/fresh-read.ts'
import { SigningKeysError } from './errors.ts'
import { findCurrentKey } from './key-plan.ts'
import { createLateKeys } from './late-keys.ts'
import {
  formatKeySet,
  type KeyRingEngine,
  type LoadedKeys,
  type LoadedSigner,
  loadKeys,
  type PublicKeySet,
  type PublishedKeys,
} from './loaded-keys.ts'
import { listOrMakeKeys } from './make-keys.ts'
import type { SigningKeyStore } from './signing-key.ts'

/** Loaded keys, always as they were read last. */
export interface KeyRing {
  /** Id of the key that signs; undefined when none may. */
  readonly kid: string | undefined
  readonly alg: SignatureAlgorithm
  /**
   * Signs with the key that signs now, also when it was taken from the ring before. Rejects with SigningKeysError when
   * none may.
   */
  readonly sign: SignToken
  /**
   * Signs lists of revocations with the key that signs now, and names that key. Throws SigningKeysError when none may.
   */
  readonly revocationSigner: Pick<LoadedSigner, 'kid' | 'revocationsHeader' | 'signRevocations'>
  /** Current, pending and retiring keys that are not revoked; the same object as long as the keys are the same. */
  readonly publicKeySet: PublicKeySet
  /**
   * `ok`; `degraded`: the store cannot be read, or still lets a revoked key sign now or next, and what is in memory
   * goes on; `failed`: no key may sign, or the store was found empty.
   */
  readonly state: 'ok' | 'degraded' | 'failed'
  /**
   * The key with this id, or undefined; expired ones too, so that a token of theirs is told from a forged one: ask
   * `isEnded`. A key is the same object for as long as it is stored.
   */
  find(kid: string): VerificationKey | undefined
  /** Whether the key with this id is expired or revoked: its tokens are refused even with a valid signature. */
  isEnded(kid: string): boolean
  /**
   * Looks into the store for a key that `find` does not know, at most once in 250 ms for all who ask; takes up to 2 s.
   * Never rejects: while the store fails, what is in memory decides.
   */
  load(kid: string): Promise<VerificationKey | undefined>
  /** Milliseconds since the store was last read. */
  ageMs(): number
  /**
   * Reads the store: what was stored before this call is in force when it resolves. Rejects with what the store
   * rejects with; then everything is as it was.
   */
  refresh(): Promise<void>
}

/**
 * Loads the keys of `store`, making the first ones of `alg` where it has none. `now` is epoch milliseconds.
 * `isRevoked` is asked at each signature whether a revocation names the key with this id.
 * Rejects when there is no current key of `alg`; `KeyLife.open` makes one.
 */
export async function openKeyRing(
  store: Pick<SigningKeyStore, 'list' | 'initialize'>,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
  now: number,
  isRevoked: (kid: string) => boolean,
): Promise<KeyRing> {
  const stored = await listOrMakeKeys(store, alg, now)
  if (findCurrentKey(stored, alg) === undefined)
    throw new SigningKeysError(`the key store holds no current ${alg} key`)
  const first = await loadKeys(stored, undefined, engine, alg)
  const loaded: FreshRead<LoadedKeys> = createFreshRead(first, async () => {
    const stored = await store.list()
    // A store that was moved away or emptied under a running service is no order to forget everything.
    if (stored.length === 0) throw new EmptyStoreError()
    return loadKeys(stored, loaded.value, engine, alg)
  })
  /** Why the last reading of the store failed. */
  let fault: 'empty' | 'unreadable' | undefined

  async function refresh(): Promise<void> {
    try {
      await loaded.refresh()
      fault = undefined
    } catch (error) {
      fault = error instanceof EmptyStoreError ? 'empty' : 'unreadable'
      throw error
    }
  }

  const find = (kid: string): VerificationKey | undefined => loaded.value.byId.get(kid)?.key
  const findLate = createLateKeys((kid) => loaded.value.byId.has(kid), refresh)
  const findSigner = (): LoadedSigner | undefined => loaded.value.signers.find(({ kid }) => !isRevoked(kid))
  const createFault = (): SigningKeysError =>
    new SigningKeysError(`no ${alg} key may sign: each was ended or revoked, and none could be made`)

  let shown: { readonly of: PublishedKeys; readonly without: string; readonly set: PublicKeySet } | undefined
  function showKeySet(): PublicKeySet {
    const of = loaded.value.published
    const removed = of.keys.flatMap(({ kid = '' }, position) => (isRevoked(kid) ? [position] : []))
    const without = removed.join()
    if (shown?.of !== of || shown.without !== without) shown = { of, without, set: formatKeySet(of, removed) }
    return shown.set
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
      return showKeySet()
    },
    get state() {
      if (fault === 'empty' || findSigner() === undefined) return 'failed'
      const isLagging = loaded.value.signers.some(({ kid }) => isRevoked(kid))
      return fault === undefined && !isLagging ? 'ok' : 'degraded'
    },
    find,
    isEnded: (kid) => (loaded.value.byId.get(kid)?.isExpired ?? false) || isRevoked(kid),
    async load(kid) {
      await findLate(kid)
      return find(kid)
    },
    ageMs: () => performance.now() - loaded.readAt,
    refresh,
  }
}

/** No key where there were some. */
export class EmptyStoreError extends SigningKeysError {
  constructor() {
    super('the key store is empty; put the keys back, or restart to make new ones')
  }
}
