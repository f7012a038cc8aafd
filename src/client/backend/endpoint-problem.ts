// The error answers of a client-token endpoint: problem+json (RFC 9457) with a stable code, as in the service's
// http/problem.ts, which this folder may not import. They contain no text of the issuer's answer.

/** A stable error code: the member `error` of the body. */
export type EndpointCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'origin_not_allowed'
  | 'origin_required'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'internal'
  | 'bad_gateway'
  | 'unavailable'
  | 'gateway_timeout'

/** A refusal, before it is formatted. */
export interface EndpointProblem {
  readonly code: EndpointCode
  readonly detail: string
  /** Default: the status of the code. */
  readonly status?: number
  readonly errors?: readonly { readonly parameter: string; readonly message: string }[]
  /** Headers of the answer, lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer that an adapter writes to its server. Header names are in lower case. */
export interface EndpointAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** The default status and the title of each code. */
const PROBLEMS: Readonly<Record<EndpointCode, readonly [status: number, title: string]>> = {
  invalid_request: [400, 'The request is not well-formed'],
  unauthorized: [401, 'Sign-in is required'],
  origin_not_allowed: [403, 'Pages of this origin get no token'],
  origin_required: [403, 'The request names no origin'],
  method_not_allowed: [405, 'The method is not allowed at this path'],
  payload_too_large: [413, 'The body is too large'],
  internal: [500, 'The endpoint has an internal error'],
  bad_gateway: [502, 'The issuer gave no usable answer'],
  unavailable: [503, 'No token is available now'],
  gateway_timeout: [504, 'The issuer did not answer in time'],
}

/**
 * Formats a refusal as problem+json. `type` is the code in the documentation of the issuer; without an issuer it is
 * `about:blank` (RFC 9457 section 4.2.1).
 */
export function formatEndpointProblem(
  problem: EndpointProblem,
  requestId: string,
  issuer: string | undefined,
): EndpointAnswer {
  const { code, detail, errors, headers } = problem
  const [defaultStatus, title] = PROBLEMS[code]
  const status = problem.status ?? defaultStatus
  const type = issuer === undefined ? 'about:blank' : `${issuer}/docs#${code}`
  return {
    status,
    headers: { ...headers, 'content-type': 'application/problem+json' },
    body: JSON.stringify({ type, title, status, detail, error: code, requestId, ...(errors && { errors }) }),
  }
}

/** A 503 problem with this `Retry-After`, in seconds. */
export function unavailable(detail: string, retryAfter = 5): EndpointProblem {
  return { code: 'unavailable', detail, headers: { 'retry-after': String(retryAfter) } }
}
