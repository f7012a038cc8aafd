// Work on an answer that may be ready at once: what keeps the issuing path free of needless turns of the event loop.

import type { MaybePromise } from '../claims/result.ts'

/** Maps what `produce` gives: at once when it is ready, else a promise. A fault is always a rejection, never a throw. */
export function mapMaybe<T, U>(produce: () => MaybePromise<T>, map: (value: T) => U): MaybePromise<U> {
  try {
    const value = produce()
    return value instanceof Promise ? value.then(map) : map(value)
  } catch (error) {
    return Promise.reject(error)
  }
}
