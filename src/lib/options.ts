// Checks of the options that a caller gives to a factory. They check at run time what the types say, for callers in
// JavaScript. Each `check` function throws a TypeError that names the option and never contains its value.

/**
 * Throws a TypeError when `options` is not an object, or for the first name that is not in `known`, also when the value
 * under it is undefined: a misspelt name must not be ignored.
 *
 * @param known every allowed name; typed `Record<keyof Options, true>`, so that the compiler finds a missing one
 * @param path prefix of the name in the message, such as `revocation.`
 */
export function checkNames(options: unknown, known: Readonly<Record<string, true>>, path = ''): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name))
  if (unknown !== undefined) throw new TypeError(`${path}${unknown}: unknown option`)
}

/** Returns `value`. Throws a TypeError that lists `allowed` when the value is not one of them, or not given. */
export function checkChoice<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw new TypeError(`${name}: must be one of ${allowed.join(', ')}`)
  return value
}

/**
 * Returns a copy of the list. Throws a TypeError unless it is an array of at least `minLength` entries, each one of
 * `allowed`. Repeated entries are kept.
 */
export function checkChoices<T extends string>(
  name: string,
  values: readonly T[],
  allowed: readonly T[],
  minLength: number,
): readonly T[] {
  const isValid =
    Array.isArray(values) && values.length >= minLength && values.every((value) => allowed.includes(value))
  if (!isValid) throw new TypeError(`${name}: must be a list of ${allowed.join(', ')}`)
  return [...values]
}

/** Returns the boolean, or `fallback` when the value is undefined. Throws a TypeError for any other value. */
export function checkFlag(name: string, value: unknown, fallback: boolean): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name}: must be true or false`)
  return value ?? fallback
}

/**
 * Returns the function, or undefined when the option is not given. Throws a TypeError for any other value. The
 * function's parameters and result are not checked.
 */
export function checkFunction<T>(name: string, value: T): T {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`${name}: must be a function`)
  return value
}

/** Whether a value is an array of strings. True for an empty array. */
export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}
