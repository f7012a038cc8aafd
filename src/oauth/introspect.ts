// POST /oauth/introspect (RFC 7662): the claims of a token of the client's own account. For every other token the answer is
// the same as for garbage: `{"active":false}`.

import type { ClaimsSet } from '../claims/claims-set.ts'
import { type Handler, JSON_TYPE } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { type ExamineDeps, examineRequest } from './examine.ts'

const INACTIVE = JSON.stringify({ active: false })

export function createIntrospectHandler(deps: ExamineDeps): Handler {
  return async (context) => {
    const examined = await examineRequest(deps, context, paths.oauthIntrospect)
    if (!examined.ok) return context.refuse(examined.reason)
    const { claims } = examined.value
    return context.answer(200, claims === undefined ? INACTIVE : describe(claims), JSON_TYPE)
  }
}

/** The answer of RFC 7662 section 2.2. Claims that the token does not have are left out. */
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
