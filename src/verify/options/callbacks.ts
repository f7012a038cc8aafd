// Calls functions that the API's developer passed as options: authorize, revocation, allowedOrigins, clientIp, onDecision,
// onError.

import type { MaybePromise } from '../../lib/result.ts'

/**
 * Calls a developer's function and returns its result, or that of `onThrown` when it throws or rejects. Every object with a
 * `then` method counts as a promise, for example a query builder or a promise of another realm.
 */
export function callSafely<T, F>(
  call: () => T | PromiseLike<T>,
  onThrown: (thrown: unknown) => F,
): MaybePromise<T | F> {
  try {
    const result = call()
    return isThenable(result) ? Promise.resolve(result).catch(onThrown) : result
  } catch (thrown) {
    return onThrown(thrown)
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && typeof (value as { readonly then?: unknown }).then === 'function'
}
