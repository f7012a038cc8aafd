// Results (a value or a reason), and values that may be ready without waiting.

/**
 * Result of a check: `value` on success, `reason` (a text or a tagged object) on failure. A reason is meant for the
 * calling code, which decides how much of it reaches a log or a response.
 */
export type Result<T, R> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: R }

/**
 * A value, or a promise of it. Only for the hot paths (verify and issue), where awaiting a value that is ready would slow
 * down every request. Elsewhere use `await`.
 */
export type MaybePromise<T> = T | Promise<T>

/** A successful result with this value. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

/** A failed result with this reason. */
export function fail<R>(reason: R): { readonly ok: false; readonly reason: R } {
  return { ok: false, reason }
}

/**
 * Calls `next` with the value: synchronously when the value is ready, else when its promise resolves. Only instances of
 * `Promise` are waited for; another thenable is passed to `next` as it is. When the value is ready, an error of `next` is
 * thrown synchronously.
 */
export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * Calls `produce` and maps its value: synchronously when the value is ready, else when its promise resolves. Only
 * instances of `Promise` are waited for. An error thrown by `produce` or `map` becomes a rejection, so that callers handle
 * one kind of failure.
 */
export function mapMaybe<T, U>(produce: () => MaybePromise<T>, map: (value: T) => U): MaybePromise<U> {
  try {
    const value = produce()
    return value instanceof Promise ? value.then(map) : map(value)
  } catch (error) {
    return Promise.reject(error)
  }
}
