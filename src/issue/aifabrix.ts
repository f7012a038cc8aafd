// POST /api/v1/auth/token: the dialect of AI Fabrix' miso-client. The client id and secret are in two headers; only the
// size of a body is checked. Checks in this order, and the first that fails is the answer:
// browser -> size -> credential and its limit -> policy -> signature

import { lifetimeLimits, standardLifetime } from '../claims/lifetime.ts'
import { formatSecond, type Handler, NO_STORE, type Route } from '../http/context.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import type { ClientSecret } from '../signing/secret.ts'
import { type AdmitCredential, receiveRequest } from './admission.ts'
import { isFromBrowser, type ReportBrowser, type ReportPreflight, SECRET_IN_BROWSER } from './browser.ts'
import { createIssue, type IssueDeps, type IssuedToken, requestEveryScope } from './issue.ts'

export interface AifabrixDeps {
  /** Lifetime of a token, seconds. Shorter when the account or the credential allows only less. */
  readonly tokenTtl: number
  /** Longest lifetime of any token, seconds. */
  readonly maxTtl: number
  readonly admit: AdmitCredential
  readonly reportBrowser: ReportBrowser
  readonly reportPreflight: ReportPreflight
  readonly issuing: IssueDeps
}

/** The route of AI Fabrix' endpoint. */
export function createAifabrixRoute(deps: AifabrixDeps): Route {
  return {
    name: 'aifabrix',
    headers: NO_STORE,
    countsRefusals: true,
    onDeniedPreflight: (context) => deps.reportPreflight('aifabrix', context),
    methods: { POST: createHandler(deps) },
  }
}

function createHandler(deps: AifabrixDeps): Handler {
  const { tokenTtl, maxTtl, admit } = deps
  const issue = createIssue(deps.issuing, 'aifabrix', formatAifabrixAnswer)
  return async (context) => {
    const { headers } = context.request
    if (isFromBrowser(headers)) {
      await deps.reportBrowser('aifabrix', context, async () => readPair(headers))
      return context.refuse(SECRET_IN_BROWSER)
    }
    const received = await receiveRequest(context)
    if (received.bytes === undefined) return context.refuse(BODY_TOO_LARGE)
    const admitted = await admit(received, readPair(headers), UNAUTHORIZED)
    if (!admitted.ok) return context.refuse(admitted.reason.problem)

    const limits = lifetimeLimits(admitted.value.found, { tokenTtl, maxTtl }, context.now())
    return issue(context, admitted.value, requestEveryScope(standardLifetime(limits)))
  }
}

function readPair(headers: Headers): ClientSecret | undefined {
  const [clientId, clientSecret] = [headers.get('x-client-id'), headers.get('x-client-secret')]
  return clientId === null || clientSecret === null ? undefined : { clientId, clientSecret }
}

/** The JSON body of a 200. Current miso-clients read `data`, older ones the same members at the top level. */
function formatAifabrixAnswer({ token, claims }: IssuedToken): string {
  const data = { token, expiresIn: claims.exp - claims.iat, expiresAt: formatSecond(claims.exp) }
  return JSON.stringify({ success: true, data, ...data, timestamp: formatSecond(claims.iat) })
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail:
    'the client id or client secret is missing, wrong, expired or revoked; send them as x-client-id and x-client-secret',
  // RFC 9110 requires a challenge on every 401, and no scheme has the pair in two headers. The claim endpoint also answers
  // with Bearer. With Basic, some programs would ask their user for a password.
  headers: { 'www-authenticate': 'Bearer' },
}
