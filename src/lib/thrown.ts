// What a function threw, which may be any value, in words for a log.

/** Most causes that are followed: errors can be each other's cause. */
const MAX_DEPTH = 5

/**
 * The message of the innermost cause, because that of `fetch failed` names the system call and the address. For a value that
 * is not an Error: the value as text.
 */
export function describeThrown(thrown: unknown): string {
  let innermost = thrown
  for (
    let depth = 0;
    depth < MAX_DEPTH && innermost instanceof Error && innermost.cause !== undefined;
    depth += 1
  ) {
    innermost = innermost.cause
  }
  if (!(innermost instanceof Error)) return String(innermost)
  const { code } = innermost as { readonly code?: unknown }
  return innermost.message === '' && typeof code === 'string' ? code : innermost.message
}

/** Says which function of the developer threw what. */
export function describeThrower(name: string, thrown: unknown): string {
  return `the function ${name} threw: ${describeThrown(thrown)}`
}
