// Errors on the wire: problem+json (RFC 9457) with a stable code. The one place that builds them.
// Says which rule failed; never a token, a secret, a stack, or the value that would have passed.

import { type ClaimErrorCode, claimProblems } from '../claims/codes.ts'

/** A stable code. */
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

/** Every code of the service with its usual status and title. */
export const problems: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  ...claimProblems,
  unauthorized: [401, 'The credential was not accepted'],
  origin_not_allowed: [403, 'The account does not allow this origin'],
  scope_not_allowed: [403, 'The credential does not hold this scope'],
  secret_in_browser: [403, 'A secret was used from a browser'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'The method is not allowed here'],
  request_timeout: [408, 'The request took too long to arrive'],
  conflict: [409, 'The change does not fit the present state'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The media type is not supported'],
  internal: [500, 'Something went wrong here'],
  bad_gateway: [502, 'The service behind gave no good answer'],
  gateway_timeout: [504, 'The service behind took too long'],
}

/** A fault of one parameter. */
export interface ParameterFault {
  readonly parameter: string
  readonly message: string
}

/** A refusal on its way out. */
export interface Problem {
  readonly code: ProblemCode
  /** One sentence: what is wrong and what to do. */
  readonly detail: string
  /** Where it is not the code's usual one (`invalid_request` with 422). */
  readonly status?: number
  readonly errors?: readonly ParameterFault[]
  readonly headers?: Readonly<Record<string, string>>
  /** The code of a dialect that knows a finer one than `code`. */
  readonly dialectCode?: string
}

/** A refusal as it goes out. */
export interface Refusal {
  readonly status: number
  /** Stable code, as the body has it. */
  readonly code: string
  readonly body: string
  /** With the content type. */
  readonly headers: Readonly<Record<string, string>>
}

/** A dialect's way of spelling refusals. `docs` is the URL whose fragments are the codes. */
export type FormatProblem = (problem: Problem, docs: string, requestId: string) => Refusal

/** The status that a problem answers with. */
export function problemStatus(problem: Problem): number {
  return problem.status ?? problems[problem.code][0]
}

/** The body of a problem. `docs` is the URL whose fragments are the codes. */
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

/** Problem+json: what every path answers that belongs to no other dialect. */
export const formatProblem: FormatProblem = (problem, docs, requestId) => ({
  status: problemStatus(problem),
  code: problem.code,
  body: problemBody(problem, docs, requestId),
  headers: { ...problem.headers, 'content-type': 'application/problem+json' },
})

/** Several faults of parameters at once: 422. */
export function invalidParameters(errors: readonly ParameterFault[]): Problem {
  const names = [...new Set(errors.map((fault) => fault.parameter))].join(', ')
  return {
    code: 'invalid_request',
    status: 422,
    detail: `these parameters are not acceptable: ${names}`,
    errors,
  }
}

/** One answer for every path that is not there, or must look so. */
export const NOT_FOUND: Problem = { code: 'not_found', detail: 'there is nothing at this path' }

/** A body over what any door reads. */
export const BODY_TOO_LARGE: Problem = {
  code: 'payload_too_large',
  detail: 'a body may have up to 16384 bytes',
}

/** The service cannot do this now. */
export function unavailable(detail: string, retryAfterSeconds = 5): Problem {
  return { code: 'unavailable', detail, headers: { 'retry-after': String(retryAfterSeconds) } }
}
