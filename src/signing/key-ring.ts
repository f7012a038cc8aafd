// The signing keys of a running service, loaded, and following their store: one signs, all verify. What was read last
// goes on while the store is down. Never signs with a key that it has seen ended; then signing fails.

import type { SignatureAlgorithm, SignToken, VerificationKey } from '../claims/jws.ts'
import { createLateKeys } from './late-keys.ts'
import { type KeyRingEngine, type LoadedSigner, loadKeys, type PublicKeySet } from './loaded-keys.ts'
import { listOrMakeKeys } from './rotate.ts'
import type { SigningKeyStore } from './signing-key.ts'

/** Loaded keys, always as they were read last. */
export interface KeyRing {
  /** Id of the key that signs. Throws an Error when none may. */
  readonly kid: string
  readonly alg: SignatureAlgorithm
  /** Signs with the key that signs now, also when it was taken from the ring before. Rejects with an Error when none may. */
  readonly sign: SignToken
  /** Signs a list of revocations with the key that signs now, and names that key. Throws an Error when none may. */
  readonly revocationSigner: Pick<LoadedSigner, 'kid' | 'signRevocations'>
  /** Current, pending and retiring keys; the same object as long as the keys are the same. */
  readonly publicKeySet: PublicKeySet
  /**
   * The key with this id, or undefined; expired ones too, so that a token of theirs is told from a forged one: ask
   * `isEnded`. A key is the same object for as long as it is stored.
   */
  find(kid: string): VerificationKey | undefined
  /** Whether the key with this id is expired: its tokens are to be refused, however right their signature is. */
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
 * Rejects when there is no current key of `alg`; `KeyLife.open` makes one.
 */
export async function openKeyRing(
  store: Pick<SigningKeyStore, 'list' | 'initialize'>,
  engine: KeyRingEngine,
  alg: SignatureAlgorithm,
  now: number,
): Promise<KeyRing> {
  let loaded = await loadKeys(await listOrMakeKeys(store, alg, now), undefined, engine, alg)
  if (loaded.signer === undefined) throw new Error(`the key store holds no current ${alg} key`)

  // Moments in order, to tell what was read before what.
  let moment = 0
  let inForce = { began: moment, ended: moment }

  let readAt = performance.now()

  async function refresh(): Promise<void> {
    moment += 1
    const asked = moment
    for (;;) {
      moment += 1
      const began = moment
      const askedAt = performance.now()
      const stored = await store.list()
      // A store that was moved away or emptied under a running service is no order to forget everything.
      if (stored.length === 0) throw createEmptyFault()
      const next = await loadKeys(stored, loaded, engine, alg)
      // Another call has begun to read after this one was asked: what it has seen is new enough.
      if (inForce.began > asked) return
      if (inForce.ended < began) {
        moment += 1
        inForce = { began, ended: moment }
        readAt = askedAt
        loaded = next
        return
      }
      // Read while another call was reading: nobody can say which of the two is newer.
    }
  }

  const find = (kid: string): VerificationKey | undefined => loaded.byId.get(kid)?.key
  const findLate = createLateKeys((kid) => loaded.byId.has(kid), refresh)
  const createFault = (): Error =>
    new Error(`no ${alg} key may sign: the last one was ended, and none is current`)

  return {
    alg,
    get kid() {
      if (loaded.signer === undefined) throw createFault()
      return loaded.signer.kid
    },
    sign: (payload) =>
      loaded.signer === undefined ? Promise.reject(createFault()) : loaded.signer.sign(payload),
    get revocationSigner() {
      if (loaded.signer === undefined) throw createFault()
      return loaded.signer
    },
    get publicKeySet() {
      return loaded.publicKeySet
    },
    find,
    isEnded: (kid) => loaded.byId.get(kid)?.isExpired ?? false,
    async load(kid) {
      await findLate(kid)
      return find(kid)
    },
    ageMs: () => performance.now() - readAt,
    refresh,
  }
}

/** No key where there were some. */
export function createEmptyFault(): Error {
  return new Error('the key store is empty; put the keys back, or restart to make new ones')
}
