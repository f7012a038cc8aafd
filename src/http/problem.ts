// The service's error answers: problem+json (RFC 9457) with a stable code. OAuth, MultiSet and AI Fabrix have formats of
// their own, which they build from the same `Problem`. A problem says which rule failed; it never contains a token, a
// secret, a stack, or the value that would have been accepted.

import { type ClaimErrorCode, claimProblems } from '../claims/codes.ts'
import { MAX_BODY_BYTES } from './body.ts'

/** A stable error code: the verifier's codes, and those that only the service uses. A code never changes its meaning. */
export type ProblemCode =
  | ClaimErrorCode
  | 'unauthorized'
  | 'origin_not_allowed'
  | 'scope_not_allowed'
  | 'secret_in_browser'
  | 'not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'conflict'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'internal'
  | 'bad_gateway'
  | 'gateway_timeout'

/** The default status and the title of each code. */
export const problems: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  ...claimProblems,
  unauthorized: [401, 'The credential was not accepted'],
  origin_not_allowed: [403, 'The account does not allow this origin'],
  scope_not_allowed: [403, 'The credential does not have this scope'],
  secret_in_browser: [403, 'A secret was used from a browser'],
  not_found: [404, 'There is nothing at this path'],
  method_not_allowed: [405, 'The method is not allowed at this path'],
  request_timeout: [408, 'The request took too long to arrive'],
  conflict: [409, 'The change does not fit the current state'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The media type is not supported'],
  internal: [500, 'The service has an internal error'],
  bad_gateway: [502, 'An upstream service gave no usable answer'],
  gateway_timeout: [504, 'An upstream service took too long'],
}

/** What is wrong with one parameter. */
export interface ParameterFault {
  readonly parameter: string
  readonly message: string
}

/** A refusal, before a format is chosen. */
export interface Problem {
  readonly code: ProblemCode
  /** One sentence: what is wrong and what to do. */
  readonly detail: string
  /** Default: the status of the code. `invalid_request` has 400; parameters that can be read and are wrong get 422. */
  readonly status?: number
  readonly errors?: readonly ParameterFault[]
  /** Headers of the answer, lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** The code for a format that distinguishes more cases than `code` does. */
  readonly dialectCode?: string
}

/** A problem in its format, ready to be sent. */
export interface FormattedProblem {
  readonly status: number
  /** The code as the body has it: metrics count it. */
  readonly code: string
  readonly body: string
  /** Names in lower case; includes the content type. */
  readonly headers: Readonly<Record<string, string>>
}

/** Formats a problem. `docs` is the URL of the page that explains the codes; a code is a fragment of it. */
export type FormatProblem = (problem: Problem, docs: string, requestId: string) => FormattedProblem

/** The problem's own status, or else that of its code. */
export function problemStatus(problem: Problem): number {
  return problem.status ?? problems[problem.code][0]
}

/** The problem+json text of a problem. `docs` as in `FormatProblem`. */
export function problemBody(problem: Problem, docs: string, requestId: string): string {
  return JSON.stringify({
    type: `${docs}#${problem.code}`,
    title: problems[problem.code][1],
    status: problemStatus(problem),
    detail: problem.detail,
    error: problem.code,
    requestId,
    ...(problem.errors && { errors: problem.errors }),
  })
}

/** Formats a problem as problem+json: the default of every route. */
export const formatProblem: FormatProblem = (problem, docs, requestId) => ({
  status: problemStatus(problem),
  code: problem.code,
  body: problemBody(problem, docs, requestId),
  headers: { ...problem.headers, 'content-type': 'application/problem+json' },
})

/** A 422 that lists every invalid parameter. */
export function invalidParameters(errors: readonly ParameterFault[]): Problem {
  const names = [...new Set(errors.map((fault) => fault.parameter))].join(', ')
  return {
    code: 'invalid_request',
    status: 422,
    detail: `these parameters are not acceptable: ${names}`,
    errors,
  }
}

/** The 404 of a path that does not exist, or that must look as if it did not. */
export const NOT_FOUND: Problem = { code: 'not_found', detail: 'there is nothing at this path' }

/** The 413 of every endpoint that uses the default limit of `readBody`. */
export const BODY_TOO_LARGE: Problem = {
  code: 'payload_too_large',
  detail: `a body may have up to ${MAX_BODY_BYTES} bytes`,
}

/** A 503 that asks callers to wait this long before they try again. */
export function unavailable(detail: string, retryAfterSeconds = 5): Problem {
  return { code: 'unavailable', detail, headers: { 'retry-after': String(retryAfterSeconds) } }
}
