// POST /api/v1/auth/token: the dialect of AI Fabrix' miso-client. The pair stands in two headers; a body is read for
// its size alone. The checks in their order: browser -> size -> credential and its limit -> policy -> issue

import { standardLifetime } from '../claims/lifetime.ts'
import { formatSecond, type Handler, JSON_TYPE, NO_STORE, type Route } from '../http/context.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import type { ClientSecret } from '../signing/secret.ts'
import { type AdmitCredential, receiveRequest } from './admission.ts'
import { isFromBrowser, type ReportBrowser } from './browser.ts'
import { type IssuedToken, lifetimeLimits } from './issue.ts'
import type { Mint } from './mint.ts'

/** What this door needs of the rest of the house. */
export interface AifabrixDeps {
  readonly tokenTtl: number
  readonly maxTtl: number
  readonly admit: AdmitCredential
  readonly mint: Mint
  readonly reportBrowser: ReportBrowser
}

/** The door. */
export function createAifabrixRoute(deps: AifabrixDeps): Route {
  return { name: 'aifabrix', headers: NO_STORE, countsRefusals: true, methods: { POST: createHandler(deps) } }
}

function createHandler(deps: AifabrixDeps): Handler {
  return async (context) => {
    const { headers } = context.request
    if (isFromBrowser(headers)) {
      await deps.reportBrowser('aifabrix', context, async () => readPair(headers))
      return context.refuse(SECRET_IN_BROWSER)
    }
    const received = await receiveRequest(context)
    if (received.bytes === undefined) return context.refuse(BODY_TOO_LARGE)
    const admitted = await deps.admit(received, readPair(headers), UNAUTHORIZED)
    if (!admitted.ok) return context.refuse(admitted.reason.problem)

    const service = { standard: deps.tokenTtl, serverMax: deps.maxTtl }
    const limits = lifetimeLimits(admitted.value.found, service, context.now())
    const lifetimeSeconds = standardLifetime(limits)
    const unbound = { origin: undefined, ip: [], lifetimeSeconds, scopes: [], jkt: undefined }
    const minted = await deps.mint(admitted.value, unbound)
    if (!minted.ok) return context.refuse(minted.reason)
    return context.answer(200, aifabrixAnswer(minted.value.issued), { ...JSON_TYPE, ...minted.value.headers })
  }
}

function readPair(headers: Headers): ClientSecret | undefined {
  const [clientId, clientSecret] = [headers.get('x-client-id'), headers.get('x-client-secret')]
  return clientId === null || clientSecret === null ? undefined : { clientId, clientSecret }
}

/** The JSON body of a 200. miso-client reads what is in `data` first, older ones what stands beside it. */
function aifabrixAnswer({ token, claims }: IssuedToken): string {
  const data = { token, expiresIn: claims.exp - claims.iat, expiresAt: formatSecond(claims.exp) }
  return JSON.stringify({ success: true, data, ...data, timestamp: formatSecond(claims.iat) })
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail:
    'the client id or client secret is missing, wrong, expired or revoked; send them as x-client-id and x-client-secret',
  // RFC 9110 wants a challenge and knows no scheme of two headers. This one is what the claim answers, and unlike
  // Basic no program takes it for a question to the user.
  headers: { 'www-authenticate': 'Bearer' },
}
const SECRET_IN_BROWSER: Problem = {
  code: 'secret_in_browser',
  detail: 'this endpoint is for backends: the secret must not be in a page. Ask for the token on your server',
}
