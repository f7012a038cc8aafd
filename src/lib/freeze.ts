// Makes plain data safe to share between several readers.

/**
 * Freezes a value with everything in it, and returns it. Does not recurse, because hostile data may be nested deeply.
 */
export function freezeDeep<T>(value: T): T {
  const open: unknown[] = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null || Object.isFrozen(next)) continue
    Object.freeze(next)
    open.push(...Object.values(next))
  }
  return value
}
