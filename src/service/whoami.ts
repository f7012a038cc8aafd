// GET /auth/whoami: what the token it was called with is worth, as the service's own verifier sees it.

import type { ClaimsSet } from '../claims/claims-set.ts'
import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { toRefusal } from '../verify/challenge.ts'
import type { Judge, Verdict } from '../verify/judge.ts'

/** The handler, judging by `judge`. */
export function createWhoamiHandler(judge: Judge, metrics: Metrics): Handler {
  return async (context) => {
    const judged = judge(context.request, context.address, context.now / 1000)
    const { result, presented } = judged instanceof Promise ? await judged : judged
    if (result.ok) {
      metrics.countVerification('allow', '')
      return context.answer(200, describe(result.value.claims), JSON_TYPE)
    }
    metrics.countVerification('deny', result.reason.code)
    return refuse(context, result.reason, presented)
  }
}

function refuse(
  context: RequestContext,
  reason: Parameters<typeof toRefusal>[0],
  presented: Verdict['presented'],
): Response {
  const { code, detail, challenge } = toRefusal(reason, presented?.scheme === 'dpop')
  return context.refuse({ code, detail, ...(challenge && { headers: { 'www-authenticate': challenge } }) })
}

function describe(claims: ClaimsSet): string {
  return JSON.stringify({
    sub: claims.sub,
    clientId: claims.client_id,
    jti: claims.jti,
    origin: claims.origin ?? null,
    ip: claims.ip ?? null,
    scope: claims.scope ?? null,
    expiresAt: `${new Date(claims.exp * 1000).toISOString().slice(0, 19)}Z`,
    keyBound: claims.cnf !== undefined,
  })
}
