// Where verification keys come from: a port. What is in memory answers at once; what is not may be fetched.

import type { VerificationKey } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'

/** Keys by their exact id. */
export interface KeySource {
  /** The key in memory, or undefined. */
  get(kid: string): VerificationKey | undefined
  /**
   * Looks further for a key that is not in memory, bounded in time and frequency: undefined when there is none,
   * `unavailable` when no key is to be had: none ever came, or those that came are too old. Never rejects.
   */
  load?(kid: string): Promise<VerificationKey | undefined | 'unavailable'>
  /** Asked before each verification: renews what has aged. A promise only where the request itself must wait. */
  renew?(): MaybePromise<void>
  /**
   * Told that a signature under this key was right, where one was checked: what is signed under another key than before
   * tells of a rotation. A promise only where the request itself must wait. Never rejects.
   */
  used?(kid: string): MaybePromise<void>
}
