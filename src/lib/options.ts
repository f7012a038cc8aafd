// Checks of the options that a caller gives to a factory. They repeat what the types say, for callers in JavaScript.
// Every check throws a TypeError whose message begins with the option's name and never contains its value.

/**
 * Rejects option names that are not in `known`, also when their value is undefined: a typo must not pass unseen.
 *
 * @param known every allowed name; write them as a `Record<keyof Options, true>`, so that the compiler finds a missing one
 * @param path goes before the name in the message, such as `revocation.`
 */
export function checkNames(options: unknown, known: Readonly<Record<string, true>>, path = ''): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name))
  if (unknown !== undefined) throw new TypeError(`${path}${unknown}: unknown option`)
}

/** The value, which must be one of `allowed`. */
export function checkChoice<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw new TypeError(`${name}: must be one of ${allowed.join(', ')}`)
  return value
}

/** A copy of the list, which must have at least `minLength` entries, each of them one of `allowed`. */
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

/** The boolean, or `fallback` when the value is undefined. */
export function checkFlag(name: string, value: unknown, fallback: boolean): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name}: must be true or false`)
  return value ?? fallback
}

/** The function, or undefined when the option is not given. Its parameters and result are not checked. */
export function checkFunction<T>(name: string, value: T): T {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`${name}: must be a function`)
  return value
}

/** Whether a value is an array that contains nothing but strings. The empty array is one. */
export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}
