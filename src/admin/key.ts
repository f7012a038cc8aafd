// Signing keys as an administrator sees and rotates them. No key material comes near.

import * as z from 'zod'
import type { ParameterFault, Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { applyRevocations, type KeyRecord, type RotationObstacle } from '../signing/key-life.ts'
import { createRotationEntry } from '../signing/rotation-entry.ts'
import { flag, parseInput } from './members.ts'
import { type Actor, type AdminPorts, conflict } from './operation.ts'

/** How keys are rotated. */
export interface KeyRotationInput {
  /** Whether the pending key may sign before verifiers have had their time to learn of it. */
  readonly force: boolean
}

const REFUSALS = {
  too_young:
    'the pending key has not been published long enough for every verifier to know it; wait, or force it with "force": true',
  too_many:
    'as many keys are published as verifiers may be asked to hold; wait until one of the retiring keys has expired',
  outrun: 'another rotation was faster; look at the keys before you rotate again',
} as const satisfies Readonly<Record<RotationObstacle, string>>

/** Reads what a rotation is asked with from JSON. */
export function parseKeyRotationInput(value: unknown): Result<KeyRotationInput, readonly ParameterFault[]> {
  return parseInput(z.strictObject({ force: flag.default(false) }), value)
}

/** Lets the pending key sign from now on, and gives all keys as they are then. `conflict` when that may not be. */
export async function rotateKeys(
  { storage, keyLife, onChange }: Pick<AdminPorts, 'storage' | 'keyLife' | 'onChange'>,
  { force }: KeyRotationInput,
  actor: Actor,
  now: number,
): Promise<Result<readonly KeyRecord[], Problem>> {
  // Keys may live elsewhere: what could not be put on record is not begun.
  await storage.ping()
  const rotated = await keyLife.rotate(now, { force })
  if (!rotated.ok) return fail(conflict(REFUSALS[rotated.reason]))
  const current = rotated.value.find(({ state }) => state === 'current')
  await storage.appendAuditOnce(createRotationEntry(actor, current?.kid ?? '', now, { forced: force }))
  await onChange()
  return ok(rotated.value)
}

/**
 * The same operations; keys are listed with revocations applied, see `applyRevocations`. A rotation first ends the revoked
 * keys that the store still lets sign: where the current one was among them, that is the rotation.
 */
export function showRevocations(
  life: AdminPorts['keyLife'],
  isRevoked: (kid: string) => boolean,
): AdminPorts['keyLife'] {
  return {
    list: async () => applyRevocations(await life.list(), isRevoked),
    async rotate(now, options) {
      const revoked = (await life.list()).filter(({ kid, state }) => state !== 'expired' && isRevoked(kid))
      // The pending key first: it would sign in place of the current one.
      for (const { kid } of revoked.toReversed()) await life.end(kid, now)
      if (revoked.some(({ state }) => state === 'current')) return ok(await life.list())
      const rotated = await life.rotate(now, options)
      return rotated.ok ? ok(applyRevocations(rotated.value, isRevoked)) : rotated
    },
    end: (kid, now) => life.end(kid, now),
  }
}
