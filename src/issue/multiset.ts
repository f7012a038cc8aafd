// POST /v1/m2m/token: MultiSet's dialect. Only here may a page ask for a token itself. It needs a credential for pages (one
// with `browserPrototype`), and the token is bound to its origin. Checks in this order, and the first that fails is the answer:
// Basic -> limit -> browser -> size -> body -> policy -> signature

import { lifetimeLimits, standardLifetime } from '../claims/lifetime.ts'
import type { CredentialWithAccount } from '../claims/records/account.ts'
import { type Handler, NO_STORE, type Route } from '../http/context.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import type { ClientSecret } from '../signing/secret.ts'
import { type AdmitCredential, type NotAdmitted, type Received, receiveRequest } from './admission.ts'
import { isFromBrowser, type ReportBrowser, type ReportPreflight, SECRET_IN_BROWSER } from './browser.ts'
import { createIssue, type IssueDeps, requestEveryScope } from './issue.ts'
import { createMultisetCors, LOCALHOST_PATTERNS, type MultisetCorsDeps } from './multiset-cors.ts'
import {
  type BodyPair,
  formatMultisetAnswer,
  formatMultisetProblem,
  readBasicPair,
  readBodyPair,
} from './multiset-wire.ts'

export interface MultisetDeps extends MultisetCorsDeps {
  /** Longest lifetime of any token, seconds. */
  readonly maxTtl: number
  readonly admit: AdmitCredential
  readonly reportBrowser: ReportBrowser
  readonly reportPreflight: ReportPreflight
  readonly issuing: IssueDeps
}

/** Lifetime of MultiSet's tokens in place of CLAIMGATE_TOKEN_TTL. Shorter limits of service, account or credential apply. */
const LIFETIME_SECONDS = 1800

/** The route of MultiSet's endpoint, for each of its paths. */
export function createMultisetRoute(deps: MultisetDeps): Route {
  return {
    name: 'multiset',
    headers: NO_STORE,
    countsRefusals: true,
    formatProblem: formatMultisetProblem,
    cors: createMultisetCors(deps),
    onDeniedPreflight: (context) => deps.reportPreflight('multiset', context),
    methods: { POST: createHandler(deps) },
  }
}

function createHandler(deps: MultisetDeps): Handler {
  const { maxTtl } = deps
  const issue = createIssue(deps.issuing, 'multiset', formatMultisetAnswer)
  return async (context) => {
    const received = await receiveRequest(context)
    const { headers } = context.request
    const pair = readBasicPair(headers)
    // A page gets no challenge, because the browser would ask the visitor for a password.
    const admitted = await deps.admit(received, pair, headers.has('origin') ? UNAUTHORIZED : CHALLENGED)
    if (!admitted.ok) return refuseCredential(received, admitted.reason, deps)
    const { found } = admitted.value
    if (isFromBrowser(headers) && !mayBeUsedFrom(headers, found)) {
      await deps.reportBrowser('multiset', context, async () => pair)
      return context.refuse(BACKEND_SECRET)
    }

    if (received.bytes === undefined) return context.refuse(BODY_TOO_LARGE)
    const sent = readBodyPair(received.bytes)
    if (!sent.ok) return context.refuse({ code: 'invalid_request', detail: sent.reason })
    if (!agrees(sent.value, pair)) return context.refuse(DISAGREES)

    const alsoAllowed = found.credential.allowLocalhost ? LOCALHOST_PATTERNS : []
    const limits = lifetimeLimits(found, { tokenTtl: LIFETIME_SECONDS, maxTtl }, context.now())
    const request = requestEveryScope(standardLifetime(limits), headers.get('origin') ?? undefined)
    return issue(context, admitted.value, request, alsoAllowed)
  }
}

/** Whether the request may use the credential from a browser: credential and account allow it, and there is an origin. */
function mayBeUsedFrom(headers: Headers, { account, credential }: CredentialWithAccount): boolean {
  return account.browserPrototype && credential.browserPrototype && headers.has('origin')
}

/** Whether the client id and secret in the body, if they are there, equal those of the Basic header. */
function agrees({ clientId, clientSecret }: BodyPair, pair: ClientSecret | undefined): boolean {
  const isSameId = clientId === undefined || clientId === pair?.clientId
  return isSameId && (clientSecret === undefined || clientSecret === pair?.clientSecret)
}

/**
 * Answers 401 or 429. A request of a browser is also reported, with the pair of the header when its secret was right, else
 * with that of the body. Not reported: a credential for pages that is over its limit.
 */
async function refuseCredential(
  { context, bytes = new Uint8Array() }: Received,
  { problem, overLimit }: NotAdmitted,
  deps: MultisetDeps,
): Promise<Response> {
  const { headers } = context.request
  if (isFromBrowser(headers) && !(overLimit && mayBeUsedFrom(headers, overLimit))) {
    await deps.reportBrowser('multiset', context, async () =>
      overLimit === undefined ? readWholePair(bytes) : readBasicPair(headers),
    )
  }
  return context.refuse(problem)
}

function readWholePair(bytes: Uint8Array): ClientSecret | undefined {
  const sent = readBodyPair(bytes)
  const { clientId, clientSecret } = sent.ok ? sent.value : {}
  return typeof clientId === 'string' && typeof clientSecret === 'string'
    ? { clientId, clientSecret }
    : undefined
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the client id or client secret is missing, wrong, expired or revoked; send them as HTTP Basic',
}
const CHALLENGED: Problem = { ...UNAUTHORIZED, headers: { 'www-authenticate': 'Basic realm="claimgate"' } }
/** Unlike `SECRET_IN_BROWSER` it names the alternative: here some credentials may be used from pages. */
const BACKEND_SECRET: Problem = {
  ...SECRET_IN_BROWSER,
  detail:
    'this credential is for backends and must not be in a page: ask for the token on your server, or use a credential with browserPrototype',
}
const DISAGREES: Problem = {
  code: 'invalid_request',
  detail: 'clientId and clientSecret in the body must be those of the Authorization header, or be left out',
}
