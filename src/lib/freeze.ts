// Freezes plain data, so that code that got it cannot change it for other code.

/**
 * Freezes a value and the values of all its enumerable properties, in place, and returns it. Primitives are returned
 * unchanged. What an already frozen object contains is not frozen. Iterative, because deeply nested input would overflow
 * the stack of a recursion.
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
