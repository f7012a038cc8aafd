// A cached look-up. Results are fresh for a short time, and are kept longer in case the source fails. Cached values are
// frozen. Pending promises are kept only if callers may share them.

import { LRUCache } from 'lru-cache'
import { freezeDeep } from '../lib/freeze.ts'
import { type MaybePromise, mapMaybe } from '../lib/result.ts'

/** Characters of a key for which the cache has room. A longer key takes the room of several keys. */
const KEY_CHARS = 256

/**
 * `findLatest` returns a cached result of up to this age, so that a caller whose `find` has just asked the source does not
 * ask it again. Otherwise a key that is not cached would take two reads and a cached key one, and response times would
 * tell an attacker which keys exist.
 */
const LATEST_MS = 20

/** Times and limits of a cached look-up. */
export interface LookupOptions {
  /** How long a result is fresh, milliseconds. */
  readonly ttlMs: number
  /** How long the last result may be used while the source fails, milliseconds. */
  readonly maxStaleMs: number
  /** Most positive results in the cache. The same number of negative results is cached in addition. */
  readonly max: number
  /** Reads a monotonic clock, milliseconds, such as `performance.now`. */
  readonly now: () => number
  /** Whether concurrent callers may await one promise. */
  readonly shareLookups: boolean
}

/**
 * A look-up by a text key. A cached result is returned synchronously. `given` is a value for the source, such as the
 * current time. It is not part of the key, so a cached result is returned whatever `given` is.
 */
export interface CachedLookup<T, G = void> {
  /** A fresh result. Rejects when the source does. */
  find(key: string, given: G): MaybePromise<T>
  /**
   * A fresh result; when the source fails, the last one, up to `maxStaleMs` old. Rejects when there is none. For `ttlMs`
   * after a failure, cached results are used without asking the source.
   */
  findStale(key: string, given: G): MaybePromise<T>
  /** A result that is at most 20 ms old, or the result of a look-up in progress. Rejects when the source does. */
  findLatest(key: string, given: G): MaybePromise<T>
  /** When the source was asked for this object, by the `now` option; undefined if this look-up did not return it. */
  readAtOf(answer: object): number | undefined
  /** Drops the result of a key. Look-ups in progress, of any key, will not be cached. */
  forget(key: string): void
  /** Drops the results for which `isAffected` is true. Look-ups in progress will not be cached. */
  forgetWhere(isAffected: (value: T) => boolean): void
  /** Drops every result. Look-ups in progress will not be cached. */
  clear(): void
}

interface Answer<T> {
  readonly value: T
  readonly askedAt: number
}

/**
 * Creates a cache for the results of `ask`, the source. Negative results (`undefined`, `false`) are in a cache of their
 * own, so that guessed keys cannot evict the others.
 */
export function createCachedLookup<T, G = void>(
  ask: (key: string, given: G) => MaybePromise<T>,
  { ttlMs, maxStaleMs, max, now, shareLookups }: LookupOptions,
): CachedLookup<T, G> {
  const createAnswers = () =>
    new LRUCache<string, Answer<T>>({
      maxSize: max * KEY_CHARS,
      // A key counts as KEY_CHARS at least, so there are never more than `max` keys. The option `max` of LRUCache would
      // do the same, but it allocates the memory of `max` entries at the start.
      sizeCalculation: (_answer, key) => Math.max(KEY_CHARS, key.length + 1),
    })
  const found = createAnswers()
  const missing = createAnswers()
  const open = new Map<string, Promise<T>>()
  const readAt = new WeakMap<object, number>()
  // Number of drops so far. The result of a look-up that began before a drop may be older than the write that caused it.
  let drops = 0
  /** Until then `findStale` does not ask the source, because it has just failed. */
  let pausedUntil = Number.NEGATIVE_INFINITY

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

  function findLatest(key: string, given: G): MaybePromise<T> {
    const answer = getHeld(key, LATEST_MS)
    return answer ? answer.value : askSource(key, given)
  }

  function findStale(key: string, given: G): MaybePromise<T> {
    const held = now() < pausedUntil ? getHeld(key, maxStaleMs) : undefined
    if (held) return held.value
    const answer = find(key, given)
    if (!(answer instanceof Promise)) return answer
    return answer.catch((error: unknown) => {
      pausedUntil = now() + ttlMs
      const last = getHeld(key, maxStaleMs)
      if (!last) throw error
      return last.value
    })
  }

  return {
    find,
    findLatest,
    findStale,
    readAtOf: (answer) => readAt.get(answer),
    forget(key) {
      drops++
      open.delete(key)
      found.delete(key)
      missing.delete(key)
    },
    forgetWhere(isAffected) {
      drops++
      open.clear()
      for (const answers of [found, missing]) {
        for (const [key, { value }] of [...answers]) if (isAffected(value)) answers.delete(key)
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
