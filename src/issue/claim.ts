// POST /auth/claim. Checks in this order, and the first that fails is the answer:
// browser -> media type -> size -> parse -> credential and its limit -> parameters -> policy -> signature

import { isJwtShaped } from '../claims/jws.ts'
import { lifetimeLimits } from '../claims/lifetime.ts'
import { readBearer } from '../http/authorization.ts'
import { readBody } from '../http/body.ts'
import { type Handler, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import { queryOf } from '../http/form.ts'
import { isForm, type MediaType, parseMediaType } from '../http/media-type.ts'
import { BODY_TOO_LARGE, invalidParameters, type Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { type ClientSecret, findAccountToken, parseAccountToken } from '../signing/secret.ts'
import { type AdmitCredential, type Received, receiveRequest } from './admission.ts'
import { isFromBrowser, type ReportBrowser, type ReportPreflight, SECRET_IN_BROWSER } from './browser.ts'
import { formatClaimAnswer, parseClaimParameters } from './claim-wire.ts'
import { createIssue, type IssueDeps } from './issue.ts'
import { mergeSources, type Parameters, parseBody, parseQuery } from './sources.ts'

export interface ClaimDeps {
  /**
   * Lifetime of a token whose request names none, seconds. Shorter when the account or the credential allows only less.
   */
  readonly tokenTtl: number
  /** Longest lifetime of any token, seconds. */
  readonly maxTtl: number
  /** Whether an account token may be in the query string. */
  readonly querySecrets: boolean
  readonly admit: AdmitCredential
  readonly reportBrowser: ReportBrowser
  readonly reportPreflight: ReportPreflight
  readonly issuing: IssueDeps
}

/** The route of the claim, for each of its paths. */
export function createClaimRoute(deps: ClaimDeps): Route {
  return {
    name: 'claim',
    headers: NO_STORE,
    countsRefusals: true,
    onDeniedPreflight: (context) => deps.reportPreflight('claim', context),
    methods: { POST: createHandler(deps) },
  }
}

function createHandler(deps: ClaimDeps): Handler {
  const { tokenTtl, maxTtl, querySecrets, admit } = deps
  const issue = createIssue(deps.issuing, 'claim', formatClaimAnswer)
  return async (context) => {
    const { headers } = context.request
    if (isFromBrowser(headers)) {
      await deps.reportBrowser('claim', context, () => findSecret(context))
      return context.refuse(SECRET_IN_BROWSER)
    }
    const type = readType(headers)
    // A body of an unsupported type is refused for its type unless it is empty, so the read may stop at the first byte.
    const received = await receiveRequest(context, type === undefined ? 0 : undefined)
    const parameters = readParameters(received, type, querySecrets)
    if (!parameters.ok) return context.refuse(parameters.reason)
    const token = parameters.value.get('token')
    const text = typeof token === 'string' ? token : ''
    const isJsonInForm = isForm(type) && hasJson(parameters.value)
    const refusal = isJwtShaped(text) ? BROWSER_TOKEN : isJsonInForm ? JSON_IN_FORM : UNAUTHORIZED
    const admitted = await admit(received, parseAccountToken(text), refusal)
    if (!admitted.ok) return context.refuse(admitted.reason.problem)

    const limits = lifetimeLimits(admitted.value.found, { tokenTtl, maxTtl }, context.now())
    const request = parseClaimParameters(parameters.value, limits)
    if (!request.ok) {
      const problem = invalidParameters(request.reason)
      return context.refuse(isJsonInForm ? { ...problem, detail: JSON_IN_FORM.detail } : problem)
    }
    return issue(context, admitted.value, request.value)
  }
}

/** The account token anywhere in the request: in the Authorization header, the query string or the body. */
async function findSecret({ request }: RequestContext): Promise<ClientSecret | undefined> {
  const bytes = await readBody(request)
  const body = bytes && new TextDecoder().decode(bytes)
  return findAccountToken([readBearer(request.headers), queryOf(request.url), body])
}

/** The media type of a body that this endpoint can read; undefined for every other type. */
function readType(headers: Headers): MediaType | undefined {
  return headers.has('content-encoding') ? undefined : parseMediaType(headers.get('content-type'))
}

/** The parameters of all sources, or the first refusal: 415 (media type), 413 (size), 400 (content). */
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
  const merged = mergeSources([readBearerParameter(headers), body.value, query.value])
  return merged.ok ? ok(merged.value) : fail({ code: 'invalid_request', detail: merged.reason })
}

/** Whether a form has a name that begins like a JSON object: curl sends JSON as a form unless it is told the type. */
function hasJson(parameters: Parameters): boolean {
  return [...parameters.keys()].some((name) => /^\s*\{/.test(name))
}

function readBearerParameter(headers: Headers): Parameters {
  const token = readBearer(headers)
  return token === undefined ? new Map() : new Map([['token', token]])
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the account token is missing, wrong, expired or revoked',
  headers: { 'www-authenticate': 'Bearer' },
}
/** For a text with the shape of a JWT, whatever it contains: the answer says nothing about our records. */
const BROWSER_TOKEN: Problem = {
  ...UNAUTHORIZED,
  detail: 'this is a browser token: send the account token, which begins with the prefix cgk_, to get one',
}
const JSON_IN_FORM: Problem = {
  ...UNAUTHORIZED,
  detail:
    'the body looks like JSON, and its Content-Type says that it is a form; send Content-Type: application/json',
}
const UNSUPPORTED: Problem = {
  code: 'unsupported_media_type',
  detail:
    'send Content-Type: application/json or application/x-www-form-urlencoded, in UTF-8 and without Content-Encoding',
}
const QUERY_SECRET: Problem = {
  code: 'invalid_request',
  detail:
    'account tokens are not accepted in the query string here; send the token as Authorization: Bearer or in the body',
}
