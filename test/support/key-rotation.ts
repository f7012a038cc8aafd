// Changes of signing keys for the tests, as a rotation makes them.

import type { SigningKeyChange, StoredSigningKey } from '../../src/signing/signing-key.ts'

/** What a change expects of a key that was read. */
export const seen = ({ kid, state }: StoredSigningKey) => ({ kid, state })

/** The change that a rotation makes: the pending key signs, the current one retires, a new one waits. */
export function rotation(
  keys: readonly StoredSigningKey[],
  next: StoredSigningKey,
  now: number,
): SigningKeyChange {
  const current = keys.find(({ state }) => state === 'current')!
  const pending = keys.find(({ state }) => state === 'pending')!
  return {
    expect: [seen(current), seen(pending)],
    put: [
      { ...current, state: 'retiring' as const, expiresAt: now + 1000 },
      { ...pending, state: 'current' as const, currentSince: now },
      next,
    ],
    remove: keys.filter(({ state }) => state === 'retiring').map(({ kid }) => kid),
  }
}
