// Scopes (RFC 6749 section 3.3): parsing a space-separated list, and which scopes a token gets.

import { fail, ok, type Result } from '../lib/result.ts'

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether `text` is one scope-token (RFC 6749 section 3.3): printable ASCII except space, double quote and backslash. */
export function isScopeToken(text: string): boolean {
  return SCOPE_TOKEN.test(text)
}

/**
 * The scope-tokens of a space-separated list (RFC 6749 section 3.3), in its order, repeats included. Empty text gives none;
 * several spaces count as one. Fails for a character that a scope-token cannot have.
 */
export function parseScope(text: string): Result<readonly string[], string> {
  const scopes = text.split(' ').filter((part) => part !== '')
  return scopes.every(isScopeToken)
    ? ok(scopes)
    : fail('scopes are separated by spaces and made of printable ASCII without double quotes or backslashes')
}

/**
 * The scopes that a token gets: those of `asked` without repeats, in the order of `held`; all of `held` when none is asked
 * for. Undefined when one of `asked` is not in `held`.
 */
export function grantScope(asked: readonly string[], held: readonly string[]): readonly string[] | undefined {
  if (asked.length === 0) return held
  if (!asked.every((scope) => held.includes(scope))) return undefined
  return held.filter((scope) => asked.includes(scope))
}

/**
 * The scopes of a credential: its own (null: all of the account), without those that the account no longer has. In the
 * order of the credential's list.
 */
export function heldScopes(
  accountScopes: readonly string[],
  credentialScopes: readonly string[] | null,
): readonly string[] {
  if (credentialScopes === null) return accountScopes
  return credentialScopes.filter((scope) => accountScopes.includes(scope))
}
