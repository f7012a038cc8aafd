// POST /oauth/token: the client credentials grant (RFC 6749 section 4.4), bound to a key where a proof comes with it
// (RFC 9449 section 5). admit -> parameters -> proof -> policy, signature

import type { Reason } from '../claims/enforce.ts'
import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { type Problem, unavailable } from '../http/problem.ts'
import { type IssuedToken, lifetimeLimits } from '../issue/issue.ts'
import type { Mint } from '../issue/mint.ts'
import { fail, type MaybePromise, ok, type Result } from '../lib/result.ts'
import type { Admit } from './admit.ts'
import { parseTokenParameters } from './parameters.ts'

/**
 * The RFC 7638 thumbprint of the key that the `DPoP` header of a request proves, or what is wrong with it. `now` is
 * epoch seconds. A proof that passes is used up.
 */
export type ProveKey = (request: Request, now: number) => MaybePromise<Result<string, Reason>>

/** What issuing needs. */
export interface TokenDeps {
  readonly audience: readonly string[]
  /** Seconds. */
  readonly tokenTtl: number
  readonly maxTtl: number
  readonly admit: Admit
  readonly mint: Mint
  readonly proveKey: ProveKey
}

/** The handler of the token endpoint. */
export function createTokenHandler(deps: TokenDeps): Handler {
  return async (context) => {
    const admitted = await deps.admit(context, paths.oauthToken)
    if (!admitted.ok) return context.refuse(admitted.reason)
    const { form, client } = admitted.value
    const service = { standard: deps.tokenTtl, serverMax: deps.maxTtl }
    const lifetime = lifetimeLimits(client.found, service, context.now())
    const request = parseTokenParameters(form, { lifetime, resources: deps.audience })
    if (!request.ok) return context.refuse(request.reason)
    const jkt = await readKey(context, deps.proveKey)
    if (!jkt.ok) return context.refuse(jkt.reason)
    const minted = await deps.mint(client, { ...request.value, jkt: jkt.value })
    if (!minted.ok) return context.refuse(minted.reason)
    const { issued, headers } = minted.value
    return context.answer(200, tokenAnswer(issued), { ...JSON_TYPE, ...headers })
  }
}

/** The thumbprint of the key to bind to; undefined when the request asks for none. */
async function readKey(
  { request, now }: RequestContext,
  proveKey: ProveKey,
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

function tokenAnswer({ token, claims }: IssuedToken): string {
  return JSON.stringify({
    access_token: token,
    token_type: claims.cnf === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - claims.iat,
    ...(claims.scope !== undefined && { scope: claims.scope }),
  })
}
