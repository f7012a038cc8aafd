// The one shape in which pure rules answer: a value, or a tagged reason that holds the evidence.

/** Outcome of a rule: `value` when it holds, `reason` (never shown to callers as is) when it does not. */
export type Result<T, R> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: R }

/** A value that may be ready already: callers await only when it is a promise. */
export type MaybePromise<T> = T | Promise<T>

/** Wraps a value. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

/** Wraps a reason. */
export function fail<R>(reason: R): { readonly ok: false; readonly reason: R } {
  return { ok: false, reason }
}

/** Goes on with a value: at once when it is ready, after the promise otherwise. */
export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
