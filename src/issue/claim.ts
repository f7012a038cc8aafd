// POST /auth/claim: the checks in their fixed order, first failure wins.
// browser -> media type -> size -> parse -> authenticate -> parameters -> policy -> limits -> issue

import { fail, ok, type Result } from '../claims/result.ts'
import { readBearer } from '../http/bearer.ts'
import { readBody } from '../http/body.ts'
import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import { queryOf } from '../http/form.ts'
import { parseMediaType } from '../http/media-type.ts'
import { BODY_TOO_LARGE, invalidParameters, type Problem } from '../http/problem.ts'
import { findAccountToken, parseAccountToken } from '../signing/secret.ts'
import type { Authenticate } from './authenticate.ts'
import { isFromBrowser, type ReportBrowser } from './browser.ts'
import { claimAnswer } from './claim-answer.ts'
import { parseClaimParameters } from './claim-parameters.ts'
import type { Mint, RefuseCaller } from './mint.ts'
import { mergeSources, type Parameters, parseBody, parseQuery } from './sources.ts'

/** What a claim needs of the rest of the house. */
export interface ClaimDeps {
  readonly tokenTtl: number
  readonly maxTtl: number
  readonly querySecrets: boolean
  readonly authenticate: Authenticate
  readonly mint: Mint
  readonly refuseCaller: RefuseCaller
  readonly reportBrowser: ReportBrowser
}

/** The handler of a claim. */
export function createClaimHandler(deps: ClaimDeps): Handler {
  return async (context) => {
    const { headers } = context.request
    if (isFromBrowser(headers)) return refuseBrowser(context, deps)
    const parameters = await readParameters(context, deps.querySecrets)
    if (!parameters.ok) return context.refuse(parameters.reason)

    const pending = deps.authenticate(accountTokenOf(parameters.value), context.now())
    const found = pending instanceof Promise ? await pending : pending
    if (found === undefined) return context.refuse(await deps.refuseCaller(context, UNAUTHORIZED))

    const request = parseClaimParameters(parameters.value, {
      standard: deps.tokenTtl,
      serverMax: deps.maxTtl,
      accountMax: found.account.maxTtl,
    })
    if (!request.ok) return context.refuse(invalidParameters(request.reason))
    const minted = await deps.mint(found, request.value)
    if (!minted.ok) return context.refuse(minted.reason)
    const { issued, headers: limits } = minted.value
    return context.answer(200, claimAnswer(issued), { ...JSON_TYPE, ...limits })
  }
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the account token is missing, wrong, expired or revoked',
  headers: { 'www-authenticate': 'Bearer' },
}

/** Everything up to parsing: media type 415, size 413, form 400. */
async function readParameters(
  { request }: RequestContext,
  querySecrets: boolean,
): Promise<Result<Parameters, Problem>> {
  const { headers } = request
  const isEncoded = headers.has('content-encoding')
  const type = parseMediaType(headers.get('content-type'))
  const isReadable = type !== undefined && !isEncoded
  // A body that we cannot read is refused for its type whatever its size; the first byte tells that it is there.
  const bytes = await readBody(request, isReadable ? undefined : 0)
  if (bytes === undefined) return fail(isReadable ? BODY_TOO_LARGE : UNSUPPORTED)
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
