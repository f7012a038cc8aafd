// A token that a client sends to introspection or revocation. Checked: format, signature, claims and revocation. Not checked:
// origin, address and key, because the token is not used here. A token of another account is treated like garbage.

import { type ClaimsSet, narrowScopes, type ParsedClaims } from '../claims/claims-set.ts'
import type { RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { JudgeDeps } from '../verify/judge.ts'
import type { AdmitClient } from './admit.ts'
import { readParameter } from './form.ts'

/**
 * The claims of a token that is valid at `now` (epoch milliseconds), with only the scopes that its credential still holds;
 * undefined for every other text.
 */
export type ExamineToken = (token: string, now: number) => Promise<ParsedClaims | undefined>

/** Uses the parts of the service's verifier. A token whose revocation cannot be checked counts as revoked. */
export function createExamineToken(parts: Pick<JudgeDeps, 'verifyToken' | 'isRevoked'>): ExamineToken {
  return async (token, now) => {
    const verified = await parts.verifyToken(token, now / 1000)
    if (!verified.ok) return undefined
    const { claims, kid } = verified.value
    const revoked = await parts.isRevoked(claims, kid)
    if (typeof revoked === 'object') return narrowScopes(verified.value, revoked.heldScopes)
    return revoked === false ? verified.value : undefined
  }
}

/** A client and the claims of the token that it sent. */
export interface ExaminedRequest {
  readonly clientId: string
  /** Undefined unless the token is valid and of the client's own account. */
  readonly claims: ClaimsSet | undefined
}

/** Parts of introspection and of revocation. */
export interface ExamineDeps {
  readonly admit: AdmitClient
  readonly examineToken: ExamineToken
}

/** The client of a request to `path` and the claims of its `token` parameter, or the refusal. */
export async function examineRequest(
  { admit, examineToken }: ExamineDeps,
  context: RequestContext,
  path: string,
): Promise<Result<ExaminedRequest, Problem>> {
  const admitted = await admit(context, path)
  if (!admitted.ok) return admitted
  const { form, client } = admitted.value
  const token = readParameter(form, 'token')
  if (token === undefined) return fail({ code: 'invalid_request', detail: 'token is required' })
  const claims = (await examineToken(token, context.now()))?.claims
  const { account, credential } = client.found
  const isOwn = claims?.sub === account.id
  return ok({ clientId: credential.id, claims: isOwn ? claims : undefined })
}
