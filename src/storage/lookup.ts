// A cached look-up. Results are fresh for a short time, and are kept longer for the case that the source fails. The
// cache
// holds frozen values; it holds pending promises only if callers may share them.

import { LRUCache } from 'lru-cache'
import { freezeDeep } from '../lib/freeze.ts'
import { type MaybePromise, mapMaybe } from '../lib/result.ts'

/** Average characters of a key: longer made-up keys push other results out instead of filling the memory. */
const KEY_CHARS = 256

/** Results of this age count as new. Without it, response times would tell an attacker which keys exist. */
const ANEW_MS = 20

/** Times and limits of a cached look-up. */
export interface LookupOptions {
  /** How long a result is fresh, milliseconds. */
  readonly ttlMs: number
  /** How long the last result may be used while the source fails, milliseconds. */
  readonly maxStaleMs: number
  /** How many results are kept; as many again that say that there is none. */
  readonly max: number
  /** A monotonic clock, milliseconds, such as `performance.now`. */
  readonly now: () => number
  /** Whether concurrent callers may await one promise. */
  readonly shareLookups: boolean
}

/**
 * A look-up by a text key. A cached result is returned synchronously. `given` is a further argument for the source (the
 * time); it is not part of the key.
 */
export interface CachedLookup<T, G = void> {
  /** A fresh result. Rejects when the source does. */
  find(key: string, given: G): MaybePromise<T>
  /**
   * A fresh result, else the last one; rejects when there is neither. After a failure the source is not asked for
   * `ttlMs`.
   */
  findStale(key: string, given: G): MaybePromise<T>
  /** A result that is at most 20 ms old. Rejects when the source does. */
  findAnew(key: string, given: G): MaybePromise<T>
  /** When the source was asked for this object; undefined when it is not a result of this look-up. */
  readAtOf(answer: object): number | undefined
  /** Drops the result for a key. Pending results of any key are not cached. */
  forget(key: string): void
  /** Drops the results for which `isSo` is true. Pending results are not cached. */
  forgetWhere(isSo: (value: T) => boolean): void
  /** Drops every result. Pending results are not cached. */
  clear(): void
}

interface Answer<T> {
  readonly value: T
  readonly askedAt: number
}

/**
 * Caches the results of `ask`. `undefined` and `false` have a cache of their own, so that guessed keys cannot push out
 * the others.
 */
export function createCachedLookup<T, G = void>(
  ask: (key: string, given: G) => MaybePromise<T>,
  { ttlMs, maxStaleMs, max, now, shareLookups }: LookupOptions,
): CachedLookup<T, G> {
  const createAnswers = () =>
    new LRUCache<string, Answer<T>>({
      max,
      maxSize: max * KEY_CHARS,
      sizeCalculation: (_answer, key) => key.length + 1,
    })
  const found = createAnswers()
  const missing = createAnswers()
  const open = new Map<string, Promise<T>>()
  const readAt = new WeakMap<object, number>()
  // Number of drops so far. A result that was asked for before a drop may be older than the write that caused the drop.
  let drops = 0
  let restsUntil = Number.NEGATIVE_INFINITY

  function getHeld(key: string, maxAgeMs: number): Answer<T> | undefined {
    const answer = found.get(key) ?? missing.get(key)
    return answer && now() - answer.askedAt < maxAgeMs ? answer : undefined
  }

  function hold(key: string, answer: Answer<T>): void {
    const [kept, other] = answer.value ? [found, missing] : [missing, found]
    other.delete(key)
    kept.set(key, answer)
  }

  function askSource(key: string, given: G): MaybePromise<T> {
    const shared = open.get(key)
    if (shared) return shared
    const askedAt = now()
    const dropsBefore = drops
    const answer = mapMaybe(
      () => ask(key, given),
      (value) => {
        freezeDeep(value)
        if (typeof value === 'object' && value !== null) readAt.set(value, askedAt)
        if (drops === dropsBefore) hold(key, { value, askedAt })
        return value
      },
    )
    if (shareLookups && answer instanceof Promise) {
      const settle = () => open.delete(key)
      open.set(key, answer)
      answer.then(settle, settle)
    }
    return answer
  }

  function find(key: string, given: G): MaybePromise<T> {
    const answer = getHeld(key, ttlMs)
    return answer ? answer.value : askSource(key, given)
  }

  function findAnew(key: string, given: G): MaybePromise<T> {
    const answer = getHeld(key, ANEW_MS)
    return answer ? answer.value : askSource(key, given)
  }

  function findStale(key: string, given: G): MaybePromise<T> {
    const held = now() < restsUntil ? getHeld(key, maxStaleMs) : undefined
    if (held) return held.value
    const answer = find(key, given)
    if (!(answer instanceof Promise)) return answer
    return answer.catch((error: unknown) => {
      restsUntil = now() + ttlMs
      const last = getHeld(key, maxStaleMs)
      if (!last) throw error
      return last.value
    })
  }

  return {
    find,
    findAnew,
    findStale,
    readAtOf: (answer) => readAt.get(answer),
    forget(key) {
      drops++
      open.delete(key)
      found.delete(key)
      missing.delete(key)
    },
    forgetWhere(isSo) {
      drops++
      open.clear()
      for (const answers of [found, missing]) {
        for (const [key, { value }] of [...answers]) if (isSo(value)) answers.delete(key)
      }
    },
    clear() {
      drops++
      open.clear()
      found.clear()
      missing.clear()
    },
  }
}
