// The port for verification keys. Keys in memory are returned synchronously; others may be fetched.

import type { VerificationKey } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'

/** Verification keys, found by their exact id. */
export interface KeySource {
  /** The key, if it is in memory. */
  get(kid: string): VerificationKey | undefined
  /**
   * Looks for a key that is not in memory, with a limit on time and frequency. Resolves to undefined if there is no such
   * key, and to `unavailable` if the keys cannot be fetched or imported and there are none in memory that are young enough.
   * Never rejects.
   */
  load?(kid: string): Promise<VerificationKey | undefined | 'unavailable'>
  /** Called before each verification. Renews keys that are too old. Returns a promise only if the request must wait for it. */
  renew?(): MaybePromise<void>
  /**
   * Called after a valid signature of this key. If it is the first one of this key, the issuer has rotated its keys, and the
   * source may renew them. Returns a promise only if the request must wait for it. Never rejects.
   */
  used?(kid: string): MaybePromise<void>
}
