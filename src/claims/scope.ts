// Scopes (RFC 6749 section 3.3): parsing a space separated list, and what a grant may hold.

import { fail, ok, type Result } from '../lib/result.ts'

/** One scope-token: printable ASCII without blank, quote and backslash. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Whether `text` is one scope-token (RFC 6749 section 3.3). */
export function isScopeToken(text: string): boolean {
  return SCOPE_TOKEN.test(text)
}

/** The scope-tokens of a space separated list; empty text gives none. Refuses characters outside the RFC's set. */
export function parseScope(text: string): Result<readonly string[], string> {
  const scopes = text.split(' ').filter((part) => part !== '')
  return scopes.every(isScopeToken)
    ? ok(scopes)
    : fail('scopes are separated by single spaces and made of printable ASCII without quotes or backslashes')
}

/**
 * What is granted when `asked` is asked of `held`: without repeats, in the order of `held`.
 * Nothing asked: all of it. Undefined when `asked` is not a subset.
 */
export function grantScope(asked: readonly string[], held: readonly string[]): readonly string[] | undefined {
  if (asked.length === 0) return held
  if (!asked.every((scope) => held.includes(scope))) return undefined
  return held.filter((scope) => asked.includes(scope))
}

/** Scopes of a credential at this moment: its own where it has some, cut to what its account still has. */
export function heldScopes(
  accountScopes: readonly string[],
  credentialScopes: readonly string[] | null,
): readonly string[] {
  if (credentialScopes === null) return accountScopes
  return credentialScopes.filter((scope) => accountScopes.includes(scope))
}
