// What becomes of signing keys: every change in their life is planned here, and made by key-life.ts. Pure: `now` is an
// argument, and the plan says which keys are to be made.
// Whatever a plan finds, it leaves exactly one current and one pending key of its algorithm. Ages are never negative:
// with a clock that was set back everything comes later, nothing earlier.

import type { SignatureAlgorithm } from '../claims/jws.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { SigningKeyChange, StoredSigningKey } from './signing-key.ts'

type Keys = readonly StoredSigningKey[]

/** A change of stored keys, and the keys to be made and stored with it. */
export interface KeyPlan extends SigningKeyChange {
  readonly make: readonly Pick<StoredSigningKey, 'alg' | 'state'>[]
}

/** How keys live, milliseconds. */
export interface KeyTerms {
  /** How long a key is published before it may sign. */
  readonly publishMs: number
  /** How long a key signs until it is rotated by schedule; null: for ever. */
  readonly rotationMs: number | null
  /** Longest life of a token. */
  readonly lifetimeMs: number
}

/** After its last token has expired: another process signs with a retired key for a moment, and verifiers forgive so much. */
const GRACE_MS = 300_000

/** How long an expired key is listed, beyond the life of a token. */
const LISTED_MS = 86_400_000

/** Most keys that are published together. Each verifier holds all of them, and may accept as few as twice as many. */
const MAX_PUBLISHED = 50

/** Aged keys that one change takes along: some databases allow few values in a statement. The rest comes next time. */
const MAX_AGED = 8

/** The key in force: the newest one, should there be several. */
export function findCurrentKey(keys: Keys, alg: SignatureAlgorithm): StoredSigningKey | undefined {
  return listCurrent(keys, alg)[0]
}

/** The key that signs next; of several the one that was published first. */
export function findPendingKey(keys: Keys, alg: SignatureAlgorithm): StoredSigningKey | undefined {
  return listPending(keys, alg)[0]
}

/**
 * Whether another process has taken the service to another algorithm: this one must not bring its own back.
 * Opening it again (`planOpening`) does.
 */
export function hasMovedOn(keys: Keys, alg: SignatureAlgorithm): boolean {
  return (
    keys.some(({ state }) => state === 'current') && !keys.some((key) => key.alg === alg && isServing(key))
  )
}

/**
 * Lets the pending key sign and the current one retire. `too_young`: its time of publication is not over.
 * `too_many`: as many keys are published as may be; one of the retiring ones must expire first.
 */
export function planRotation(
  keys: Keys,
  alg: SignatureAlgorithm,
  now: number,
  terms: Pick<KeyTerms, 'publishMs' | 'lifetimeMs'> & { readonly force: boolean },
): Result<KeyPlan, 'too_young' | 'too_many'> {
  if (!terms.force && !isPublished(keys, alg, now, terms.publishMs)) return fail('too_young')
  const retired = keys.map((key) =>
    key.alg === alg && key.state === 'current' ? retire(key, now, terms.lifetimeMs) : key,
  )
  const draft = settle(retired, alg, now, terms.lifetimeMs)
  const published = draft.keys.filter(({ state }) => state !== 'expired').length + draft.make.length
  return published > MAX_PUBLISHED ? fail('too_many') : ok(compare(keys, draft, alg))
}

/** Whether the schedule asks for a rotation, and the pending key is ready for it. */
export function isRotationDue(
  keys: Keys,
  alg: SignatureAlgorithm,
  now: number,
  { rotationMs, publishMs }: Pick<KeyTerms, 'rotationMs' | 'publishMs'>,
): boolean {
  const current = findCurrentKey(keys, alg)
  if (rotationMs === null || current === undefined || listPending(keys, alg).length === 0) return false
  return (
    now - (current.currentSince ?? current.createdAt) >= rotationMs && isPublished(keys, alg, now, publishMs)
  )
}

/**
 * Ends a key at once, whatever its algorithm. For a current key the pending one signs from now on, however young it is.
 * Undefined when the key is unknown or expired already.
 */
export function planEnd(
  keys: Keys,
  kid: string,
  now: number,
  { lifetimeMs }: Pick<KeyTerms, 'lifetimeMs'>,
): KeyPlan | undefined {
  const ended = keys.find((key) => key.kid === kid)
  if (ended === undefined || ended.state === 'expired') return undefined
  const { alg } = ended
  const rest = keys.map((key) =>
    key === ended ? { ...key, state: 'expired' as const, expiresAt: now } : key,
  )
  return compare(keys, isServing(ended) ? settle(rest, alg, now, lifetimeMs) : { keys: rest, make: [] }, alg)
}

/** Expires retiring keys and deletes expired ones in their time, and mends what is odd. Undefined: nothing is to be done. */
export function planUpkeep(
  keys: Keys,
  alg: SignatureAlgorithm,
  now: number,
  { lifetimeMs }: Pick<KeyTerms, 'lifetimeMs'>,
): KeyPlan | undefined {
  const isPast = (key: StoredSigningKey, spanMs: number): boolean =>
    key.expiresAt !== null && key.expiresAt + spanMs <= now
  const over = keys.filter((key) => key.state === 'retiring' && isPast(key, 0))
  const forgotten = keys.filter((key) => key.state === 'expired' && isPast(key, LISTED_MS + lifetimeMs))
  const aged = new Set([...over, ...forgotten].slice(0, MAX_AGED))
  const rest = keys.flatMap((key) => {
    if (!aged.has(key)) return [key]
    return key.state === 'retiring' ? [{ ...key, state: 'expired' as const }] : []
  })
  const draft = hasMovedOn(keys, alg) ? { keys: rest, make: [] } : settle(rest, alg, now, lifetimeMs)
  return compareOrNone(keys, draft, alg)
}

/**
 * Makes a store ready for a process that starts with `alg`: current keys of other algorithms retire, pending ones are
 * deleted, what is odd is mended. Undefined: it is ready.
 */
export function planOpening(
  keys: Keys,
  alg: SignatureAlgorithm,
  now: number,
  { lifetimeMs }: Pick<KeyTerms, 'lifetimeMs'>,
): KeyPlan | undefined {
  const rest = keys.flatMap((key) => {
    if (key.alg === alg || !isServing(key)) return [key]
    return key.state === 'current' ? [retire(key, now, lifetimeMs)] : []
  })
  return compareOrNone(keys, settle(rest, alg, now, lifetimeMs), alg)
}

interface Draft {
  readonly keys: Keys
  readonly make: KeyPlan['make']
}

/** Exactly one current and one pending key of `alg`: the newest current and the longest published pending one stay. */
function settle(keys: Keys, alg: SignatureAlgorithm, now: number, lifetimeMs: number): Draft {
  const [current, ...surplus] = listCurrent(keys, alg)
  const [pending, ...spare] = listPending(keys, alg)
  const settled = keys.flatMap((key) => {
    if (spare.includes(key)) return []
    if (surplus.includes(key)) return [retire(key, now, lifetimeMs)]
    if (key === pending && current === undefined) {
      return [{ ...key, state: 'current' as const, currentSince: now }]
    }
    return [key]
  })
  const missing = [
    ...(current === undefined && pending === undefined ? (['current'] as const) : []),
    ...(current === undefined || pending === undefined ? (['pending'] as const) : []),
  ]
  return { keys: settled, make: missing.map((state) => ({ alg, state })) }
}

/** The last token was signed at `now`, or later where the clock was set back since. */
function retire(key: StoredSigningKey, now: number, lifetimeMs: number): StoredSigningKey {
  const last = Math.max(now, key.currentSince ?? now)
  return { ...key, state: 'retiring', expiresAt: last + lifetimeMs + GRACE_MS }
}

/** From what was seen to what shall be, on the condition that whatever was decided by is still so. */
function compare(before: Keys, { keys, make }: Draft, alg: SignatureAlgorithm): KeyPlan {
  const kept = new Set(keys)
  const kids = new Set(keys.map(({ kid }) => kid))
  return {
    expect: before
      .filter((key) => !kept.has(key) || (key.alg === alg && isServing(key)))
      .map(({ kid, state }) => ({ kid, state })),
    put: keys.filter((key) => !before.includes(key)),
    remove: before.filter(({ kid }) => !kids.has(kid)).map(({ kid }) => kid),
    make,
  }
}

function compareOrNone(before: Keys, draft: Draft, alg: SignatureAlgorithm): KeyPlan | undefined {
  const plan = compare(before, draft, alg)
  return plan.put.length + plan.remove.length + plan.make.length === 0 ? undefined : plan
}

function isServing({ state }: StoredSigningKey): boolean {
  return state === 'current' || state === 'pending'
}

/** A key that is still to be made has no age. */
function isPublished(keys: Keys, alg: SignatureAlgorithm, now: number, publishMs: number): boolean {
  const [pending] = listPending(keys, alg)
  return Math.max(0, now - (pending?.createdAt ?? now)) >= publishMs
}

function listCurrent(keys: Keys, alg: SignatureAlgorithm): Keys {
  return keys
    .filter((key) => key.alg === alg && key.state === 'current')
    .toSorted((a, b) => (b.currentSince ?? 0) - (a.currentSince ?? 0) || (a.kid < b.kid ? -1 : 1))
}

function listPending(keys: Keys, alg: SignatureAlgorithm): Keys {
  return keys
    .filter((key) => key.alg === alg && key.state === 'pending')
    .toSorted((a, b) => a.createdAt - b.createdAt || (a.kid < b.kid ? -1 : 1))
}
