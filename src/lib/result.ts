// The answer of a rule (a value, or a reason), and values that may be ready already.

/**
 * Outcome of a rule: `value` when it holds; `reason` when it does not, as a text or a tagged object. A reason is for the
 * code that asked: each caller decides which part of it, if any, may be shown to whom.
 */
export type Result<T, R> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: R }

/**
 * A value, or the promise of one: for the hot paths (verifying and issuing), where awaiting a value that is ready would
 * cost a turn of the event loop. Elsewhere `await`.
 */
export type MaybePromise<T> = T | Promise<T>

/** The result of a rule that holds. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

/** The result of a rule that does not hold. */
export function fail<R>(reason: R): { readonly ok: false; readonly reason: R } {
  return { ok: false, reason }
}

/** Calls `next` with the value: synchronously when the value is ready, else when its promise resolves. */
export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * Calls `produce` and maps its value: synchronously when the value is ready, else when its promise resolves. What
 * `produce` or `map` throws becomes a rejection, so that callers handle one kind of failure.
 */
export function mapMaybe<T, U>(produce: () => MaybePromise<T>, map: (value: T) => U): MaybePromise<U> {
  try {
    const value = produce()
    return value instanceof Promise ? value.then(map) : map(value)
  } catch (error) {
    return Promise.reject(error)
  }
}
