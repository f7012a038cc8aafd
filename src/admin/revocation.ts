// Ending tokens before their time: every token issued before the answer, by any process, and none issued after it.

import { LATE_MINT_MS, type Revocation } from '../claims/account.ts'
import { randomBase62 } from '../lib/random.ts'
import { sleep } from '../lib/timing.ts'
import { createRotationEntry } from '../signing/rotation-entry.ts'
import { type Actor, type AdminPorts, createAuditEntry } from './operation.ts'
import type { RevocationInput } from './revocation-input.ts'
import { settleChange, settleRevocation, settlingMoment } from './settle.ts'

/** A revocation on record. */
export interface CreatedRevocation {
  readonly revocation: Revocation
  /** What was asked for, epoch milliseconds. The rule on record may reach further. */
  readonly issuedBefore: number
  /**
   * Why a revoked signing key could not be ended in its store; absent otherwise. The revocation is in force anyway:
   * servers sign with another key, and retry every second to end this one.
   */
  readonly keyFault?: unknown
}

type RevocationPorts = Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'keyLife' | 'onChange' | 'settleMs'>

/**
 * How long a signing key stays revoked. Longer than any token lives: a read-only store or a restored backup still holds
 * the key, which must not sign again.
 */
const KEY_KEPT_MS = 10 * 365 * 24 * 60 * 60 * 1000

/**
 * Puts a revocation on record and resolves once it is in force here and on every process of the same database that
 * issues tokens: for an account, a credential or a signing key that takes up to `settleMs`, and then no token issued
 * before is accepted. `now` is epoch milliseconds, of the clock that tokens are issued by.
 */
export async function createRevocation(
  ports: RevocationPorts,
  input: RevocationInput,
  actor: Actor,
  now: number,
): Promise<CreatedRevocation> {
  const { storage, keyLife, onChange } = ports
  const startedAt = performance.now()
  const issuedBefore = Math.floor(input.issuedBefore ?? now)
  const revocation = toRevocation(input, now, ports)
  const { id, kind, value, before } = revocation
  const detail = { revocation: id, kind, issuedBefore: new Date(issuedBefore).toISOString() }
  await storage.addRevocation(revocation, createAuditEntry(actor, 'revocation.create', value, now, detail))
  if (kind === 'kid') {
    // The rule alone stops this process from signing with the key: its store may be slow or read-only.
    await onChange()
    const ending = await endKey(keyLife, value, now)
    await settleChange(ports)
    // A failure here does not undo the revocation: upkeep writes the missing entry.
    if (ending.isEnded) await recordSuccessor({ storage, keyLife }, value, actor, now).catch(() => undefined)
    return { revocation, issuedBefore, ...(ending.fault !== undefined && { keyFault: ending.fault }) }
  }
  if (kind === 'jti') await onChange()
  else if (input.issuedBefore === undefined) await settleRevocation(ports, revocation, now, startedAt)
  else {
    await onChange()
    // `iat` has whole seconds: after this wait no token is issued in the second that was named.
    await waitUntil(before, now + performance.now() - startedAt)
  }
  return { revocation, issuedBefore }
}

/** Ends a key in its store. A store that cannot be changed (mounted read-only, say) does not undo the revocation. */
async function endKey(
  keyLife: RevocationPorts['keyLife'],
  kid: string,
  now: number,
): Promise<{ readonly isEnded: boolean; readonly fault?: unknown }> {
  try {
    return { isEnded: await keyLife.end(kid, now) }
  } catch (fault) {
    return { isEnded: false, fault }
  }
}

/** Where a key that signed was ended, another one signs from now on. */
async function recordSuccessor(
  { storage, keyLife }: Pick<RevocationPorts, 'storage' | 'keyLife'>,
  ended: string,
  actor: Actor,
  now: number,
): Promise<void> {
  const successor = (await keyLife.list()).find(({ currentSince }) => currentSince === now)
  if (successor === undefined) return
  await storage.appendAuditOnce(createRotationEntry(actor, successor.kid, now, { ended }))
}

function toRevocation(
  { kind, value, issuedBefore }: RevocationInput,
  now: number,
  { lifetimeSeconds, settleMs }: Pick<AdminPorts, 'lifetimeSeconds' | 'settleMs'>,
): Revocation {
  const before =
    issuedBefore === undefined ? settlingMoment(now, settleMs) : Math.ceil(issuedBefore / 1000) * 1000
  const keptMs = kind === 'kid' ? KEY_KEPT_MS : lifetimeSeconds * 1000 + LATE_MINT_MS
  const until = Math.max(before, now) + keptMs
  // One token is meant whenever it was issued, and the holder of a stolen key writes any time of issue.
  const isEndless = kind === 'jti' || kind === 'kid'
  return {
    id: randomBase62(16),
    kind,
    value,
    account: null,
    before: isEndless ? until : before,
    until,
    createdAt: now,
  }
}

/** Timers count by their own clock, and may fire a little early. */
const TIMER_GRAIN_MS = 5

/** Resolves once a clock that shows `now` at the call has reached `time`. Uses one timer and never re-reads the clock. */
async function waitUntil(time: number, now: number): Promise<void> {
  if (time > now) await sleep(time - now + TIMER_GRAIN_MS)
}
