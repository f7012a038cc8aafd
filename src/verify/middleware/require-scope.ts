// Scopes of one route, behind claimAuth: the same refusal as that of the verifier's option `scope`.

import { enforceScope, markKeyBound } from '../../claims/enforce.ts'
import { parseScope } from '../../claims/scope.ts'
import type { Claims } from '../options/options.ts'
import { type Admission, isReported, toProblem, wouldBlock } from './admit.ts'

/** What a route with scopes does with a request that has passed claimAuth; `claims` are those that claimAuth has set. */
export type ScopeGate = (claims: Claims | undefined, source: object) => Admission

/**
 * Makes the check of a route that needs all of these scopes. Each text is one scope, or several separated by spaces. A
 * request that lacks one gets 403; in report mode it passes, with the header `Claimgate-Would-Block`. Without claims the
 * answer is 500, because that is a mistake in the program.
 *
 * @throws {TypeError} without a scope, and for a text that is no list of scopes (RFC 6749 section 3.3).
 */
export function createScopeGate(texts: readonly string[]): ScopeGate {
  const needed = texts.flatMap((text) => {
    const parsed = typeof text === 'string' ? parseScope(text) : undefined
    if (!parsed?.ok) throw new TypeError('requireScope: give scopes, as texts')
    return parsed.value
  })
  if (needed.length === 0) throw new TypeError('requireScope: give at least one scope')
  return (claims, source) => {
    if (claims === undefined) return missingAuth()
    const held = parseScope(claims.scope ?? '')
    const reason = enforceScope(held.ok ? held.value : [], needed)
    if (reason === undefined) return { kind: 'pass', claims, headers: {} }
    if (isReported(source)) return { kind: 'pass', claims, headers: wouldBlock(reason.code) }
    return toProblem({ outcome: 'deny', reason: markKeyBound(reason, claims) }, {}, claims.iss, source)
  }
}

function missingAuth(): Admission {
  // biome-ignore lint/suspicious/noConsole: a mistake in the program, which has no verifier to report it
  console.error('claimgate: requireScope has no claims to check: put claimAuth before it on this route')
  return {
    kind: 'answer',
    status: 500,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: JSON.stringify({ title: 'This route is not configured', status: 500, error: 'internal' }),
  }
}
