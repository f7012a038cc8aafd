// Where verification keys come from: a port. What is in memory answers at once; what is not may be fetched.

import type { VerificationKey } from '../claims/jws.ts'

/** Keys by their exact id. */
export interface KeySource {
  /** The key in memory, or undefined. */
  get(kid: string): VerificationKey | undefined
  /** Looks further for a key that is not in memory. Bounded in time and frequency; undefined when there is none. */
  load?(kid: string): Promise<VerificationKey | undefined>
}
