// GET /auth/whoami: verifies the token of the request, as an API would, and answers with its claims.

import type { ClaimsSet } from '../claims/claims-set.ts'
import { formatSecond, type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { refusalHeaders, toRefusal } from '../verify/challenge.ts'
import type { Denial, Judge } from '../verify/judge.ts'

/** Creates the handler. A refusal is answered like that of an API, with its challenge. */
export function createWhoamiHandler(judge: Judge, metrics: Metrics): Handler {
  return async (context) => {
    const { request, address, now } = context
    const verdict = await judge({ request, address, now: now() / 1000 })
    metrics.countVerification(verdict.outcome, verdict.outcome === 'allow' ? '' : verdict.reason.code)
    if (verdict.outcome === 'deny') return refuse(context, verdict)
    return context.answer(200, describe(verdict.parsed.claims), JSON_TYPE)
  }
}

function refuse(context: RequestContext, denial: Denial): Response {
  const refusal = toRefusal(denial)
  const { code, detail } = refusal
  return context.refuse({ code, detail, headers: refusalHeaders(refusal) })
}

function describe(claims: ClaimsSet): string {
  return JSON.stringify({
    sub: claims.sub,
    clientId: claims.client_id,
    jti: claims.jti,
    origin: claims.origin ?? null,
    ip: claims.ip ?? null,
    scope: claims.scope ?? null,
    expiresAt: formatSecond(claims.exp),
    keyBound: claims.cnf !== undefined,
  })
}
