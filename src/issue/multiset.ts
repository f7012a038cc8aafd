// POST /v1/m2m/token: MultiSet's dialect. The checks in their order, first failure wins.
// Basic -> browser -> size -> body -> policy -> limits -> issue
// The one door that a page may use: with a credential made for that, and for a token bound to the page's origin.

import type { CredentialWithAccount } from '../claims/account.ts'
import { standardLifetime } from '../claims/lifetime.ts'
import { readBody } from '../http/body.ts'
import { type Handler, JSON_TYPE, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import type { Authenticate } from './authenticate.ts'
import { isFromBrowser, type ReportBrowser } from './browser.ts'
import type { TokenRequest } from './issue.ts'
import type { Mint, RefuseCaller } from './mint.ts'
import { createMultisetCors, LOCALHOST_PATTERNS, type MultisetCorsDeps } from './multiset-cors.ts'
import { formatMultisetProblem, multisetAnswer, readBasicPair, readBodyPair } from './multiset-wire.ts'

/** What this door needs of the rest of the house. */
export interface MultisetDeps extends MultisetCorsDeps {
  readonly maxTtl: number
  readonly authenticate: Authenticate
  readonly mint: Mint
  readonly refuseCaller: RefuseCaller
  readonly reportBrowser: ReportBrowser
}

/** MultiSet's tokens live this long, whatever the service's own standard is. */
const LIFETIME_SECONDS = 1800

/** The door, for each of its paths. */
export function createMultisetRoute(deps: MultisetDeps): Route {
  return {
    name: 'multiset',
    headers: NO_STORE,
    isDoor: true,
    formatProblem: formatMultisetProblem,
    cors: createMultisetCors(deps),
    methods: { POST: createHandler(deps) },
  }
}

function createHandler(deps: MultisetDeps): Handler {
  return async (context) => {
    const { request, now } = context
    const pair = readBasicPair(request.headers)
    const found = await deps.authenticate(pair, now())
    if (pair === undefined || found === undefined) return refuseUnknown(context, deps)
    const { headers } = request
    const isBrowser = isFromBrowser(headers)
    // A page without an origin has none that a token could be bound to.
    if (isBrowser && !(found.credential.browserPrototype && headers.has('origin'))) {
      await deps.reportBrowser('multiset', context, async () => pair)
      return context.refuse(SECRET_IN_BROWSER)
    }

    const bytes = await readBody(request)
    if (bytes === undefined) return context.refuse(BODY_TOO_LARGE)
    const sent = readBodyPair(bytes)
    if (!sent.ok) return context.refuse({ code: 'invalid_request', detail: sent.reason })
    const { clientId = pair.clientId, clientSecret = pair.clientSecret } = sent.value
    if (clientId !== pair.clientId || clientSecret !== pair.clientSecret) return context.refuse(DISAGREES)

    const alsoAllowed = found.credential.allowLocalhost ? LOCALHOST_PATTERNS : []
    const minted = await deps.mint(found, tokenRequest(headers, found, deps.maxTtl), alsoAllowed)
    if (!minted.ok) return context.refuse(minted.reason)
    const { issued, headers: limits } = minted.value
    return context.answer(200, multisetAnswer(issued), { ...JSON_TYPE, ...limits })
  }
}

/** All that the credential may have; from a page, bound to the page's origin. */
function tokenRequest(headers: Headers, { account }: CredentialWithAccount, maxTtl: number): TokenRequest {
  return {
    origin: headers.get('origin') ?? undefined,
    ip: [],
    lifetimeSeconds: standardLifetime({
      standard: LIFETIME_SECONDS,
      serverMax: maxTtl,
      accountMax: account.maxTtl,
    }),
    scopes: [],
    jkt: undefined,
  }
}

/** 401. A page that keeps a right secret in the body alone is found out too. */
async function refuseUnknown(context: RequestContext, deps: MultisetDeps): Promise<Response> {
  const { request } = context
  const hasOrigin = request.headers.has('origin')
  if (isFromBrowser(request.headers)) {
    await deps.reportBrowser('multiset', context, async () => {
      const sent = readBodyPair((await readBody(request)) ?? new Uint8Array())
      const { clientId, clientSecret } = sent.ok ? sent.value : {}
      return typeof clientId === 'string' && typeof clientSecret === 'string'
        ? { clientId, clientSecret }
        : undefined
    })
  }
  return context.refuse(await deps.refuseCaller(context, hasOrigin ? UNAUTHORIZED : CHALLENGED))
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the client id or client secret is missing, wrong, expired or revoked; send them as HTTP Basic',
}
/** Not for a page: its browser would ask the visitor for a password. */
const CHALLENGED: Problem = { ...UNAUTHORIZED, headers: { 'www-authenticate': 'Basic realm="claimgate"' } }
const SECRET_IN_BROWSER: Problem = {
  code: 'secret_in_browser',
  detail:
    'this credential is for backends and must not be in a page: ask for the token on your server, or use a credential with browserPrototype',
}
const DISAGREES: Problem = {
  code: 'invalid_request',
  detail: 'clientId and clientSecret in the body must be those of the Authorization header, or be left out',
}
