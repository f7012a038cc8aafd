// Signing keys as an administrator sees and rotates them. No function here handles key material.

import * as z from 'zod'
import type { ParameterFault, Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { formatTime } from '../lib/time.ts'
import {
  applyRevocations,
  createRotationEntry,
  type KeyRecord,
  type RotationObstacle,
} from '../signing/key-life.ts'
import type { Actor } from './audit.ts'
import { flag, parseInput } from './input.ts'
import { type AdminPaths, answerJson, readInput } from './json-api.ts'
import { type AdminPorts, conflict } from './operation.ts'

/** Options of a rotation of signing keys. */
export interface KeyRotationInput {
  /** Whether the pending key may sign before all verifiers have had time to fetch it. */
  readonly force: boolean
}

/** A signing key as JSON, its times in ISO 8601. */
export type WireKey = Pick<KeyRecord, 'kid' | 'alg' | 'state'> & {
  readonly createdAt: string
  readonly currentSince: string | null
  readonly expiresAt: string | null
}

const REFUSALS = {
  too_young:
    'the pending key has not been published long enough for every verifier to know it; wait, or force it with "force": true',
  too_many:
    'no more keys may be published, because verifiers accept only so many; wait until one of the retiring keys has expired',
  outrun: 'the keys were changed by somebody else just now; list them before you rotate again',
} as const satisfies Readonly<Record<RotationObstacle, string>>

/** Checks the JSON of a rotation. `force` is false by default. */
function parseKeyRotationInput(value: unknown): Result<KeyRotationInput, readonly ParameterFault[]> {
  return parseInput(z.strictObject({ force: flag.default(false) }), value)
}

/**
 * Lets the pending key sign from now on, and resolves to all keys as they are then. `conflict`: the pending key is not
 * published long enough and `force` is false, too many keys are published, or another change was faster.
 */
export async function rotateKeys(
  { storage, keyLife, onChange }: Pick<AdminPorts, 'storage' | 'keyLife' | 'onChange'>,
  { force }: KeyRotationInput,
  actor: Actor,
  now: number,
): Promise<Result<readonly KeyRecord[], Problem>> {
  // Keys may be stored outside the database. A rotation does not start while the database, which gets its audit entry,
  // is down.
  await storage.ping()
  const rotated = await keyLife.rotate(now, { force })
  if (!rotated.ok) return fail(conflict(REFUSALS[rotated.reason]))
  const current = rotated.value.find(({ state }) => state === 'current')
  await storage.appendAuditOnce(createRotationEntry(actor, current?.kid ?? '', now, { forced: force }))
  await onChange()
  return ok(rotated.value)
}

/**
 * Returns the operations of `life` with revocations enforced. Revoked keys are listed as expired, see
 * `applyRevocations`. A rotation first ends the revoked keys that have not expired in the store. If the current key is
 * one of them, the rotation ends there, because its successor is current then.
 */
export function enforceRevocations(
  life: AdminPorts['keyLife'],
  isRevoked: (kid: string) => boolean,
): AdminPorts['keyLife'] {
  return {
    list: async () => applyRevocations(await life.list(), isRevoked),
    async rotate(now, options) {
      const revoked = (await life.list()).filter(({ kid, state }) => state !== 'expired' && isRevoked(kid))
      // A revoked pending key is ended before a revoked current one; otherwise it would become the current key.
      for (const { kid } of revoked.toReversed()) await life.end(kid, now)
      if (revoked.some(({ state }) => state === 'current')) return ok(await life.list())
      const rotated = await life.rotate(now, options)
      return rotated.ok ? ok(applyRevocations(rotated.value, isRevoked)) : rotated
    },
    end: (kid, now) => life.end(kid, now),
  }
}

/** A signing key as the admin API and the command line show it. */
export function toWireKey({ kid, alg, state, createdAt, currentSince, expiresAt }: KeyRecord): WireKey {
  return {
    kid,
    alg,
    state,
    createdAt: formatTime(createdAt),
    currentSince: formatTime(currentSince),
    expiresAt: formatTime(expiresAt),
  }
}

/** The paths of signing keys: list, rotate. */
export function createKeyPaths(ports: Pick<AdminPorts, 'storage' | 'keyLife' | 'onChange'>): AdminPaths {
  return {
    '/admin/keys': {
      name: 'admin.keys',
      methods: {
        GET: async (context) =>
          answerJson(context, 200, { keys: (await ports.keyLife.list()).map(toWireKey) }),
      },
    },
    '/admin/keys/rotate': {
      name: 'admin.keys.rotate',
      methods: {
        async POST(context) {
          const input = await readInput(context.request, parseKeyRotationInput, { mayBeEmpty: true })
          if (!input.ok) return context.refuse(input.reason)
          const rotated = await rotateKeys(ports, input.value, 'admin', context.now())
          if (!rotated.ok) return context.refuse(rotated.reason)
          return answerJson(context, 200, { keys: rotated.value.map(toWireKey) })
        },
      },
    },
  }
}
