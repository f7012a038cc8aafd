// The port for verification keys. Keys in memory are returned synchronously; others may be fetched.

import type { VerificationKey } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'

/** Verification keys, found by their exact id. */
export interface KeySource {
  /** The key, if it is in memory. */
  get(kid: string): VerificationKey | undefined
  /**
   * Looks for a key that is not in memory, with a limit on time and frequency. Resolves to undefined if there is no such
   * key, to `unavailable` if no keys could be fetched or the ones in memory are too old. Never rejects.
   */
  load?(kid: string): Promise<VerificationKey | undefined | 'unavailable'>
  /** Called before each verification: renews keys that have aged. Returns a promise only if the request must wait for it. */
  renew?(): MaybePromise<void>
  /**
   * Called after a signature was verified with this key: the first valid signature of another key means that the issuer
   * has rotated. Returns a promise only if the request must wait for it. Never rejects.
   */
  used?(kid: string): MaybePromise<void>
}
