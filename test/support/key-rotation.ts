// The change of stored signing keys that a rotation makes, for tests of key stores.

import type { SigningKeyChange, StoredSigningKey } from '../../src/signing/signing-key.ts'

/** The expectation that a key is still in the state that was read. */
export const expectState = ({ kid, state }: StoredSigningKey) => ({ kid, state })

/**
 * The change that a rotation makes: the pending key becomes current, the current key retires, `next` is added, and the keys
 * that were retiring are removed. `now` is in milliseconds.
 */
export function rotation(
  keys: readonly StoredSigningKey[],
  next: StoredSigningKey,
  now: number,
): SigningKeyChange {
  const current = keys.find(({ state }) => state === 'current')!
  const pending = keys.find(({ state }) => state === 'pending')!
  return {
    expect: [expectState(current), expectState(pending)],
    put: [
      { ...current, state: 'retiring' as const, expiresAt: now + 1000 },
      { ...pending, state: 'current' as const, currentSince: now },
      next,
    ],
    remove: keys.filter(({ state }) => state === 'retiring').map(({ kid }) => kid),
  }
}
