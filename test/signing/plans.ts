// Helpers for tests of key-plan.ts: keys without key material, and a function that applies a plan to a list of keys.

import type { SignatureAlgorithm } from '../../src/claims/jws.ts'
import type { KeyPlan } from '../../src/signing/key-plan.ts'
import type { SigningKeyState, StoredSigningKey } from '../../src/signing/signing-key.ts'

export const ALGORITHMS = ['ES256', 'EdDSA', 'HS256'] as const
export const NOW = 1_700_000_000_000
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const GRACE = 300_000
export const TERMS = { publishMs: 900_000, lifetimeMs: DAY, rotationMs: 90 * DAY }

/** A key in this state, created two hours ago and in its state since one hour ago. */
export function makeKey(
  kid: string,
  state: SigningKeyState,
  alg: SignatureAlgorithm,
  times: Partial<Pick<StoredSigningKey, 'createdAt' | 'currentSince' | 'expiresAt'>> = {},
): StoredSigningKey {
  return {
    kid,
    alg,
    state,
    createdAt: NOW - 2 * HOUR,
    currentSince: state === 'pending' ? null : NOW - HOUR,
    expiresAt: state === 'retiring' ? NOW + HOUR : state === 'expired' ? NOW - HOUR : null,
    jwk: {},
    ...times,
  }
}

/** The keys after a plan; created ones have the kid `new-<state>`. Throws when the plan does not fit the keys. */
export function carryOut(
  keys: readonly StoredSigningKey[],
  plan: KeyPlan | undefined,
  now: number = NOW,
): readonly StoredSigningKey[] {
  if (plan === undefined) return keys
  const states = new Map(keys.map(({ kid, state }) => [kid, state]))
  for (const { kid, state } of plan.expect) {
    if (states.get(kid) !== state) throw new Error(`${kid} is not ${state}`)
  }
  const made = plan.make.map(({ alg, state }) =>
    makeKey(`new-${state}`, state, alg, { createdAt: now, currentSince: state === 'current' ? now : null }),
  )
  const after = new Map(keys.map((key) => [key.kid, key]))
  for (const key of [...plan.put, ...made]) after.set(key.kid, key)
  for (const kid of plan.remove) after.delete(kid)
  return [...after.values()]
}

/** `kid state` of every key, sorted; with `expiresAt` relative to NOW in minutes where there is one. */
export function spell(keys: readonly StoredSigningKey[]): readonly string[] {
  return keys
    .map(({ kid, state, expiresAt }) =>
      expiresAt === null ? `${kid} ${state}` : `${kid} ${state} ${(expiresAt - NOW) / 60_000}`,
    )
    .sort()
}

/** How many keys of `alg` are in a state. */
export function count(
  keys: readonly Pick<StoredSigningKey, 'alg' | 'state'>[],
  alg: SignatureAlgorithm,
  state: SigningKeyState,
): number {
  return keys.filter((key) => key.alg === alg && key.state === state).length
}
