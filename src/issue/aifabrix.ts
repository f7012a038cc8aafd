// POST /api/v1/auth/token: the dialect of AI Fabrix' miso-client. The pair stands in two headers; a body is read for
// its size alone. The checks in their order: browser -> size -> authenticate -> limits -> issue

import { standardLifetime } from '../claims/lifetime.ts'
import { readBody } from '../http/body.ts'
import { type Handler, JSON_TYPE, NO_STORE, type Route } from '../http/context.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import { formatSecond } from '../http/time.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Authenticate } from './authenticate.ts'
import { isFromBrowser, type ReportBrowser } from './browser.ts'
import type { IssuedToken } from './issue.ts'
import type { Mint, RefuseCaller } from './mint.ts'

/** What this door needs of the rest of the house. */
export interface AifabrixDeps {
  readonly tokenTtl: number
  readonly maxTtl: number
  readonly authenticate: Authenticate
  readonly mint: Mint
  readonly refuseCaller: RefuseCaller
  readonly reportBrowser: ReportBrowser
}

/** The door. */
export function createAifabrixRoute(deps: AifabrixDeps): Route {
  return { name: 'aifabrix', headers: NO_STORE, isDoor: true, methods: { POST: createHandler(deps) } }
}

function createHandler(deps: AifabrixDeps): Handler {
  return async (context) => {
    const { request, now } = context
    const { headers } = request
    if (isFromBrowser(headers)) {
      await deps.reportBrowser('aifabrix', context, async () => readPair(headers))
      return context.refuse(SECRET_IN_BROWSER)
    }
    if ((await readBody(request)) === undefined) return context.refuse(BODY_TOO_LARGE)
    const found = await deps.authenticate(readPair(headers), now())
    if (found === undefined) return context.refuse(await deps.refuseCaller(context, UNAUTHORIZED))

    const { tokenTtl: standard, maxTtl: serverMax } = deps
    const lifetimeSeconds = standardLifetime({ standard, serverMax, accountMax: found.account.maxTtl })
    const unbound = { origin: undefined, ip: [], lifetimeSeconds, scopes: [], jkt: undefined }
    const minted = await deps.mint(found, unbound)
    if (!minted.ok) return context.refuse(minted.reason)
    const { issued, headers: limits } = minted.value
    return context.answer(200, aifabrixAnswer(issued), { ...JSON_TYPE, ...limits })
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
