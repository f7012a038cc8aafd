// Ending tokens before their time. Every token minted before the call is ended, none that is minted after the answer.

import { LATE_MINT_MS, type Revocation, type RevocationKind } from '../claims/account.ts'
import { randomBase62 } from '../signing/random.ts'
import { createRotationEntry } from '../signing/rotation-entry.ts'
import { type Actor, type AdminPorts, createAuditEntry } from './operation.ts'
import type { RevocationInput } from './revocation-input.ts'

/** A revocation on record. */
export interface CreatedRevocation {
  readonly revocation: Revocation
  /** What was asked for, epoch milliseconds. The rule on record may reach further. */
  readonly issuedBefore: number
}

/** Other processes follow a change of keys within this: until then they sign with the key that was ended. */
const FOLLOW_MS = 1500

/** Timers count from their own clock, and may be early by a little. */
const TIMER_GRAIN_MS = 5

type RevocationPorts = Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'keys' | 'onChange'>

/**
 * Puts a revocation on record and resolves once it is in force here and no token minted from then on can match it:
 * tokens tell their mint time in whole seconds, so that takes up to one second for an account or a credential, and
 * for a signing key as long as other processes may need to take up another.
 * `now` is epoch milliseconds, of the clock that tokens are minted by.
 */
export async function createRevocation(
  { storage, lifetimeSeconds, keys, onChange }: RevocationPorts,
  input: RevocationInput,
  actor: Actor,
  now: number,
): Promise<CreatedRevocation> {
  const issuedBefore = Math.floor(input.issuedBefore ?? now)
  const revocation = toRevocation(input, now, lifetimeSeconds)
  const { id, kind, value, before } = revocation
  const settled = waitUntil(settlesAt(kind, before, now), now)
  const detail = { revocation: id, kind, issuedBefore: new Date(issuedBefore).toISOString() }
  await storage.addRevocation(revocation, createAuditEntry(actor, 'revocation.create', value, now, detail))
  const isEnded = kind === 'kid' && (await keys.end(value, now))
  await onChange()
  if (isEnded) await recordSuccessor({ storage, keys }, value, actor, now)
  await settled
  return { revocation, issuedBefore }
}

/** Where a key that signed was ended, another one signs from now on. */
async function recordSuccessor(
  { storage, keys }: Pick<RevocationPorts, 'storage' | 'keys'>,
  ended: string,
  actor: Actor,
  now: number,
): Promise<void> {
  const successor = (await keys.list()).find(({ currentSince }) => currentSince === now)
  if (successor === undefined) return
  await storage.appendAuditOnce(createRotationEntry(actor, successor.kid, now, { ended }))
}

function toRevocation(
  { kind, value, issuedBefore }: RevocationInput,
  now: number,
  lifetimeSeconds: number,
): Revocation {
  // Without a time of its own, the second in which the call came is ended as a whole.
  const before =
    issuedBefore === undefined ? Math.floor(now / 1000) * 1000 + 1000 : Math.ceil(issuedBefore / 1000) * 1000
  const until = Math.max(before, now) + lifetimeSeconds * 1000 + LATE_MINT_MS
  // One token is meant whenever it was minted, and whoever has stolen a key writes any mint time.
  const isEndless = kind === 'jti' || kind === 'kid'
  return { id: randomBase62(16), kind, value, before: isEndless ? until : before, until, createdAt: now }
}

/** When nothing that a revocation ends can be minted any more. */
function settlesAt(kind: RevocationKind, before: number, now: number): number {
  if (kind === 'jti') return now
  return kind === 'kid' ? now + FOLLOW_MS : before
}

/** Resolves once a clock that shows `now` at this moment has reached `time`. One timer; the clock is not asked again. */
function waitUntil(time: number, now: number): Promise<void> | undefined {
  if (time <= now) return undefined
  return new Promise((resolve) => setTimeout(resolve, time - now + TIMER_GRAIN_MS))
}
