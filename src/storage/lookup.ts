// A look-up whose answers are kept for a moment, and the last ones for longer in case the source fails.
// It keeps values, frozen; promises only while they are open, and only when told that callers may share them.

import { LRUCache } from 'lru-cache'
import { freezeDeep } from '../lib/freeze.ts'
import { type MaybePromise, mapMaybe } from '../lib/result.ts'

/** Characters of key that an answer may use up, on average: long made-up keys push others out, they do not fill memory. */
const KEY_CHARS = 256

/** What was asked so lately is not asked anew: who guesses must not tell by the time which keys there are. */
const ANEW_MS = 20

/** How a cached look-up behaves. */
export interface LookupOptions {
  /** How long an answer counts as fresh, milliseconds. */
  readonly ttlMs: number
  /** How long the last answer may stand in for a failing source, milliseconds. */
  readonly maxStaleMs: number
  /** How many answers are kept; as many again of the kind "there is none". */
  readonly max: number
  /** A monotonic clock, milliseconds. */
  readonly now: () => number
  /** Whether concurrent callers may wait for one promise. */
  readonly shareLookups: boolean
}

/**
 * A look-up by text. Answers that are ready are given at once. `given` is what the source needs besides when it is
 * asked (the time): an answer that is held stands whatever is given.
 */
export interface CachedLookup<T, G = void> {
  /** A fresh answer; rejects when the source does. */
  find(key: string, given: G): MaybePromise<T>
  /** A fresh answer, else the last one; rejects when there is neither. After a failure the source rests for `ttlMs`. */
  findStale(key: string, given: G): MaybePromise<T>
  /** An answer that is 20 ms old at the most; rejects when the source does. */
  findAnew(key: string, given: G): MaybePromise<T>
  /** When the source was asked for this object; undefined when it is not the result of a look-up. */
  readAtOf(answer: object): number | undefined
  /** Drops the answer for a key, and those on their way. */
  forget(key: string): void
  /** Drops the answers that are so, and all on their way. */
  forgetWhere(isSo: (value: T) => boolean): void
  /** Drops every answer. */
  clear(): void
}

interface Answer<T> {
  readonly value: T
  readonly askedAt: number
}

/** Caches what `ask` gives; `undefined` and `false` are answers too, kept apart so that guessing cannot push out the others. */
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
  // Counts what was dropped: an answer asked for before a drop may be from before the write that caused it.
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
