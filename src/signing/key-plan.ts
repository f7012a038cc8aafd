// Decides what should change in the stored signing keys; key-life.ts makes the change. Pure functions: `now` (epoch
// milliseconds) is an argument, and a plan lists the keys to create instead of creating them. Every plan leaves exactly
// one current and one pending key of its algorithm, whatever keys were stored, except a plan that only expires or
// deletes old keys. A negative age counts as 0: when the clock is set back, changes happen later, never earlier.

import type { SignatureAlgorithm } from '../claims/jws.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { SigningKeyChange, StoredSigningKey } from './signing-key.ts'

type Keys = readonly StoredSigningKey[]

/** A change of stored keys, and the keys to create and store in the same change. */
export interface KeyPlan extends SigningKeyChange {
  readonly make: readonly Pick<StoredSigningKey, 'alg' | 'state'>[]
}

/** How long keys stay in their states, milliseconds. */
export interface KeyTerms {
  /** How long a key is published before it may sign. */
  readonly publishMs: number
  /** How long a key signs before it is rotated by schedule; null: keys are rotated only on request. */
  readonly rotationMs: number | null
  /** Longest lifetime of a token that these keys have signed or may sign. */
  readonly lifetimeMs: number
}

/**
 * How long a retired key stays published after its last token has expired. Covers a process that signs with it for a
 * moment longer, and the clock skew that verifiers allow.
 */
const GRACE_MS = 300_000

/** How long an expired key stays in the store, in addition to the lifetime of a token. */
const LISTED_MS = 86_400_000

/** Most keys in the JWK Set. Verifiers accept sets of at least twice this size. */
const MAX_PUBLISHED = 50

/**
 * Most keys that one plan of upkeep expires or deletes, because some databases limit the values in a statement. The next
 * plan continues.
 */
const MAX_AGED = 8

/** The key that signs. If there are several current keys, the newest. */
export function findCurrentKey(keys: Keys, alg: SignatureAlgorithm): StoredSigningKey | undefined {
  return listCurrent(keys, alg)[0]
}

/** The key that signs after the next rotation. If there are several pending keys, the one published first. */
export function findPendingKey(keys: Keys, alg: SignatureAlgorithm): StoredSigningKey | undefined {
  return listPending(keys, alg)[0]
}

/**
 * Whether another process has moved the service to another algorithm: there are current keys, but no current or pending
 * key of `alg`. A running process must not move the service back; a process that starts does (`planOpening`).
 */
export function hasMovedOn(keys: Keys, alg: SignatureAlgorithm): boolean {
  return (
    keys.some(({ state }) => state === 'current') && !keys.some((key) => key.alg === alg && isServing(key))
  )
}

/**
 * The pending key becomes current, and the current one retires. Fails with `too_young` while the pending key has been
 * published for less than `publishMs` (`force` skips this check), and with `too_many` when more than 50 keys would be
 * published: then a retiring key must expire first.
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
  return published > MAX_PUBLISHED ? fail('too_many') : ok(planChange(keys, draft, alg))
}

/** Whether a rotation is due by schedule and the pending key has been published long enough. */
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
 * Expires a key immediately, whatever its algorithm. If it is the current one, the pending key becomes current, even if it
 * has been published for less than `publishMs`. Undefined when the key is unknown or has expired.
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
  return planChange(
    keys,
    isServing(ended) ? settle(rest, alg, now, lifetimeMs) : { keys: rest, make: [] },
    alg,
  )
}

/**
 * Expires retiring keys and deletes expired ones that are due, of every algorithm. Also creates a missing current or
 * pending key of `alg`, retires surplus current ones and deletes surplus pending ones, unless the service has moved to
 * another algorithm. Undefined when nothing is due.
 */
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
  return planChangeIfAny(keys, draft, alg)
}

/**
 * Prepares the keys for a process that starts with `alg`: current keys of other algorithms retire, and their pending ones
 * are deleted. Missing keys of `alg` are created, and surplus ones retire or are deleted. Undefined when nothing must
 * change.
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
  return planChangeIfAny(keys, settle(rest, alg, now, lifetimeMs), alg)
}

/** The result of a change: the stored keys after it, and the keys to create in addition. */
interface Draft {
  readonly keys: Keys
  readonly make: KeyPlan['make']
}

/**
 * Leaves one current and one pending key of `alg`: the newest current and the longest published pending one. Without a
 * current key, that pending one becomes current. Keys that are then missing are to be created.
 */
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

/**
 * The key in state `retiring`. Its last token is signed at `now`, or when the key became current if that is later
 * because the clock was set back.
 */
function retire(key: StoredSigningKey, now: number, lifetimeMs: number): StoredSigningKey {
  const last = Math.max(now, key.currentSince ?? now)
  return { ...key, state: 'retiring', expiresAt: last + lifetimeMs + GRACE_MS }
}

/**
 * The change from `before` to the draft. It applies only while every key that it changes or deletes, and every current or
 * pending key of `alg`, is stored in its state in `before`.
 */
function planChange(before: Keys, { keys, make }: Draft, alg: SignatureAlgorithm): KeyPlan {
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

function planChangeIfAny(before: Keys, draft: Draft, alg: SignatureAlgorithm): KeyPlan | undefined {
  const plan = planChange(before, draft, alg)
  return plan.put.length + plan.remove.length + plan.make.length === 0 ? undefined : plan
}

function isServing({ state }: StoredSigningKey): boolean {
  return state === 'current' || state === 'pending'
}

/** Whether the pending key has been published for `publishMs`. A pending key that does not exist yet has the age 0. */
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
