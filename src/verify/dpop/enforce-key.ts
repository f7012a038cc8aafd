// Step 8: whether the presenter of a token holds the key that it is bound to (RFC 9449 section 7).
// The proof itself is judged by dpop.ts; here stands who must bring one.

import { type Policy, refuse } from '../../claims/enforce.ts'
import type { EnforceKey } from '../judge.ts'

/** A key-bound token needs a proof, and one that is bound to no key must not claim to be. */
export function createEnforceKey(policy: Pick<Policy, 'require'>, prove: EnforceKey): EnforceKey {
  return (presented, token, claims) => {
    if (claims.cnf !== undefined) return token.scheme === 'dpop' ? prove(presented, token, claims) : UNPROVEN
    if (token.scheme === 'dpop') return NOT_BOUND
    return policy.require.includes('key') ? NEEDED : undefined
  }
}

const UNPROVEN = refuse(
  'key',
  'proof_required',
  'the token is bound to a key: present it as DPoP with a proof',
)
const NOT_BOUND = refuse('key', 'invalid_token', 'the token is bound to no key: present it as Bearer')
const NEEDED = refuse('key', 'proof_required', 'the token is bound to no key, and one is required here')
