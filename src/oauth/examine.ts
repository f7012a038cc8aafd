// A token that a client hands in, not one that a browser presents: form, signature, claims and revocation are judged
// (steps 2 to 5 of the service's verifier); its bounds are not, for nobody uses it here. Tokens of other accounts are
// told apart from nothing.

import { type ClaimsSet, narrowScopes, type ParsedClaims } from '../claims/claims-set.ts'
import type { RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { fail, type MaybePromise, ok, type Result } from '../lib/result.ts'
import type { JudgeDeps } from '../verify/judge.ts'
import type { Admit } from './admit.ts'
import { readParameter } from './form.ts'

/** The claims of a token in force at `now` (epoch milliseconds), with the scopes that its credential still holds. */
export type Examine = (token: string, now: number) => MaybePromise<ParsedClaims | undefined>

/** Examination with the verifier's own parts. A token of which revocation cannot be told counts as ended. */
export function createExamine(parts: Pick<JudgeDeps, 'verifyToken' | 'isRevoked'>): Examine {
  return async (token, now) => {
    const verified = await parts.verifyToken(token, now / 1000)
    if (!verified.ok) return undefined
    const { claims, kid } = verified.value
    const revoked = await parts.isRevoked(claims, kid)
    if (typeof revoked === 'object') return narrowScopes(verified.value, revoked.heldScopes)
    return revoked === false ? verified.value : undefined
  }
}

/** A client and the token that it asks about. */
export interface Examined {
  readonly clientId: string
  /** Undefined unless the token is in force and of the client's own account. */
  readonly claims: ClaimsSet | undefined
}

/** What the endpoints that take a token have in common. */
export interface ExamineDeps {
  readonly admit: Admit
  readonly examine: Examine
}

/** The client of a request to `path` and the claims of its `token`, or why it is refused. */
export async function examineRequest(
  { admit, examine }: ExamineDeps,
  context: RequestContext,
  path: string,
): Promise<Result<Examined, Problem>> {
  const admitted = await admit(context, path)
  if (!admitted.ok) return admitted
  const { form, client } = admitted.value
  const token = readParameter(form, 'token')
  if (token === undefined) return fail({ code: 'invalid_request', detail: 'token is required' })
  const claims = (await examine(token, context.now()))?.claims
  const { account, credential } = client.found
  const isOwn = claims?.sub === account.id
  return ok({ clientId: credential.id, claims: isOwn ? claims : undefined })
}
