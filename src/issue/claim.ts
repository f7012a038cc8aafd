// POST /auth/claim: the checks in their fixed order, first failure wins.
// browser -> media type -> size -> parse -> credential and its limit -> parameters -> policy -> issue

import { readBearer } from '../http/authorization.ts'
import { readBody } from '../http/body.ts'
import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import { queryOf } from '../http/form.ts'
import { type MediaType, parseMediaType } from '../http/media-type.ts'
import { BODY_TOO_LARGE, invalidParameters, type Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { findAccountToken, parseAccountToken } from '../signing/secret.ts'
import { type AdmitCredential, type Received, receiveRequest } from './admission.ts'
import { isFromBrowser, type ReportBrowser } from './browser.ts'
import { claimAnswer } from './claim-answer.ts'
import { parseClaimParameters } from './claim-parameters.ts'
import { lifetimeLimits } from './issue.ts'
import type { Mint } from './mint.ts'
import { mergeSources, type Parameters, parseBody, parseQuery } from './sources.ts'

/** What a claim needs of the rest of the house. */
export interface ClaimDeps {
  readonly tokenTtl: number
  readonly maxTtl: number
  readonly querySecrets: boolean
  readonly admit: AdmitCredential
  readonly mint: Mint
  readonly reportBrowser: ReportBrowser
}

/** The handler of a claim. */
export function createClaimHandler(deps: ClaimDeps): Handler {
  return async (context) => {
    const { headers } = context.request
    if (isFromBrowser(headers)) return refuseBrowser(context, deps)
    const type = readType(headers)
    // A body of an unsupported type is refused for its type whatever its size; one byte shows that there is a body.
    const received = await receiveRequest(context, type === undefined ? 0 : undefined)
    const parameters = readParameters(received, type, deps.querySecrets)
    if (!parameters.ok) return context.refuse(parameters.reason)
    const admitted = await deps.admit(received, accountTokenOf(parameters.value), UNAUTHORIZED)
    if (!admitted.ok) return context.refuse(admitted.reason.problem)

    const service = { standard: deps.tokenTtl, serverMax: deps.maxTtl }
    const limits = lifetimeLimits(admitted.value.found, service, context.now())
    const request = parseClaimParameters(parameters.value, limits)
    if (!request.ok) return context.refuse(invalidParameters(request.reason))
    const minted = await deps.mint(admitted.value, request.value)
    if (!minted.ok) return context.refuse(minted.reason)
    return context.answer(200, claimAnswer(minted.value.issued), { ...JSON_TYPE, ...minted.value.headers })
  }
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the account token is missing, wrong, expired or revoked',
  headers: { 'www-authenticate': 'Bearer' },
}

/** The type of a body that can be read here; undefined when it is another. */
function readType(headers: Headers): MediaType | undefined {
  return headers.has('content-encoding') ? undefined : parseMediaType(headers.get('content-type'))
}

/** Everything up to parsing: media type 415, size 413, form 400. */
function readParameters(
  { context: { request }, bytes }: Received,
  type: MediaType | undefined,
  querySecrets: boolean,
): Result<Parameters, Problem> {
  const { headers } = request
  if (bytes === undefined) return fail(type === undefined ? UNSUPPORTED : BODY_TOO_LARGE)
  const query = parseQuery(queryOf(request.url))
  if (!query.ok) return fail({ code: 'invalid_request', detail: query.reason })
  if (!querySecrets && query.value.has('token')) return fail(QUERY_SECRET)
  const body = parseBody(bytes, type)
  if (!body.ok) return fail({ code: 'invalid_request', detail: body.reason })
  const merged = mergeSources([bearerOf(headers), body.value, query.value])
  return merged.ok ? ok(merged.value) : fail({ code: 'invalid_request', detail: merged.reason })
}

const UNSUPPORTED: Problem = {
  code: 'unsupported_media_type',
  detail: 'send application/json or application/x-www-form-urlencoded in UTF-8, without Content-Encoding',
}
const QUERY_SECRET: Problem = {
  code: 'invalid_request',
  detail:
    'account tokens are not taken from the query string here; send it as Authorization: Bearer or in the body',
}

function bearerOf(headers: Headers): Parameters {
  const token = readBearer(headers)
  return token === undefined ? new Map() : new Map([['token', token]])
}

function accountTokenOf(parameters: Parameters): ReturnType<typeof parseAccountToken> {
  const token = parameters.get('token')
  return typeof token === 'string' ? parseAccountToken(token) : undefined
}

/** A browser here means that somebody put a secret into a page: say so, count it, and find out whose it is. */
async function refuseBrowser(context: RequestContext, deps: ClaimDeps): Promise<Response> {
  await deps.reportBrowser('claim', context, async () => {
    const { headers, url } = context.request
    const bytes = await readBody(context.request)
    return findAccountToken([readBearer(headers), queryOf(url), bytes && new TextDecoder().decode(bytes)])
  })
  return context.refuse({
    code: 'secret_in_browser',
    detail: 'this endpoint is for backends: the secret must not be in a page. Claim the token on your server',
  })
}
