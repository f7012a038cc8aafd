// POST /oauth/token: the client credentials grant (RFC 6749 section 4.4). A DPoP proof binds the token to its key (RFC 9449
// section 5). Checks in this order, and the first that fails is the answer: admit -> parameters -> proof -> policy -> signature

import { lifetimeLimits } from '../claims/lifetime.ts'
import type { Handler, RequestContext } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { type Problem, unavailable } from '../http/problem.ts'
import { createIssue, type IssueDeps, type IssuedToken } from '../issue/issue.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ProveTokenRequest } from '../verify/dpop/enforce-key.ts'
import type { AdmitClient } from './admit.ts'
import { parseTokenParameters } from './parameters.ts'

export interface TokenDeps {
  /** Audiences that `resource` may name. */
  readonly audience: readonly string[]
  /** Lifetime of a token, seconds. Shorter when the account or the credential allows only less. */
  readonly tokenTtl: number
  /** Longest lifetime of any token, seconds. */
  readonly maxTtl: number
  readonly admit: AdmitClient
  readonly proveKey: ProveTokenRequest
  readonly issuing: IssueDeps
}

export function createTokenHandler(deps: TokenDeps): Handler {
  const { tokenTtl, maxTtl } = deps
  const issue = createIssue(deps.issuing, 'oauth', formatTokenAnswer)
  return async (context) => {
    const admitted = await deps.admit(context, paths.oauthToken)
    if (!admitted.ok) return context.refuse(admitted.reason)
    const { form, client } = admitted.value
    const lifetime = lifetimeLimits(client.found, { tokenTtl, maxTtl }, context.now())
    const request = parseTokenParameters(form, { lifetime, resources: deps.audience })
    if (!request.ok) return context.refuse(request.reason)
    const jkt = await readKey(context, deps.proveKey)
    if (!jkt.ok) return context.refuse(jkt.reason)
    return issue(context, client, { ...request.value, jkt: jkt.value })
  }
}

/** The thumbprint of the key that the request proves with `DPoP`; undefined without that header. */
async function readKey(
  { request, now }: RequestContext,
  proveKey: ProveTokenRequest,
): Promise<Result<string | undefined, Problem>> {
  if (!request.headers.has('dpop')) return ok(undefined)
  const proven = await proveKey(request, now() / 1000)
  if (proven.ok) return proven
  const { code, detail, retryAfterSeconds } = proven.reason
  if (code === 'unavailable') return fail(unavailable(detail))
  if (code === 'rate_limited') {
    return fail({ code, detail, headers: { 'retry-after': String(retryAfterSeconds) } })
  }
  return fail({ code: 'invalid_proof', detail })
}

function formatTokenAnswer({ token, claims }: IssuedToken): string {
  return JSON.stringify({
    access_token: token,
    token_type: claims.cnf === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - claims.iat,
    ...(claims.scope !== undefined && { scope: claims.scope }),
  })
}
