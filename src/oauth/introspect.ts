// POST /oauth/introspect (RFC 7662): a client asks what a token of its own account is worth. Of any other token it
// learns nothing, not even why.

import type { ClaimsSet } from '../claims/claims-set.ts'
import { type Handler, JSON_TYPE } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { type ExamineDeps, examineRequest } from './examine.ts'

const INACTIVE = JSON.stringify({ active: false })

/** The handler of the introspection endpoint. */
export function createIntrospectHandler(deps: ExamineDeps): Handler {
  return async (context) => {
    const examined = await examineRequest(deps, context, paths.oauthIntrospect)
    if (!examined.ok) return context.refuse(examined.reason)
    const { claims } = examined.value
    return context.answer(200, claims === undefined ? INACTIVE : describe(claims), JSON_TYPE)
  }
}

/** RFC 7662 section 2.2; what the token lacks is left out. */
function describe({ scope, client_id, exp, iat, sub, aud, iss, jti, origin, ip, cnf }: ClaimsSet): string {
  const token_type = cnf === undefined ? 'Bearer' : 'DPoP'
  return JSON.stringify({
    active: true,
    scope,
    client_id,
    token_type,
    exp,
    iat,
    sub,
    aud,
    iss,
    jti,
    origin,
    ip,
    cnf,
  })
}
