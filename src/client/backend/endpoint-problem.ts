// Refusals of a client-token endpoint: problem+json (RFC 9457) with a stable code. Says nothing of the issuer: where
// it is, and what it answered, is the operator's to know.

/** A stable code. */
export type EndpointCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'origin_not_allowed'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'internal'
  | 'bad_gateway'
  | 'unavailable'
  | 'gateway_timeout'

/** A refusal. */
export interface EndpointProblem {
  readonly code: EndpointCode
  readonly detail: string
  /** Where it is not the code's usual one. */
  readonly status?: number
  readonly errors?: readonly { readonly parameter: string; readonly message: string }[]
  /** Lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer of the endpoint, whichever server writes it. Headers in lower case. */
export interface EndpointAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** Usual status and title of each code. */
const PROBLEMS: Readonly<Record<EndpointCode, readonly [status: number, title: string]>> = {
  invalid_request: [400, 'The request is not well-formed'],
  unauthorized: [401, 'Nobody is signed in who may have a token'],
  origin_not_allowed: [403, 'This origin may have no token'],
  method_not_allowed: [405, 'The method is not allowed here'],
  payload_too_large: [413, 'The body is too large'],
  internal: [500, 'Something went wrong here'],
  bad_gateway: [502, 'The service behind gave no good answer'],
  unavailable: [503, 'The service is not available'],
  gateway_timeout: [504, 'The service behind took too long'],
}

/** Codes are what counts; there is no page behind this URL (RFC 9457 section 3.1.1 does not ask for one). */
const TYPE = 'https://claimgate.invalid/docs'

/** A refusal as it goes out. */
export function toProblemAnswer(problem: EndpointProblem, requestId: string): EndpointAnswer {
  const { code, detail, errors, headers } = problem
  const [usual, title] = PROBLEMS[code]
  const status = problem.status ?? usual
  const type = `${TYPE}#${code}`
  return {
    status,
    headers: { ...headers, 'content-type': 'application/problem+json' },
    body: JSON.stringify({ type, title, status, detail, error: code, requestId, ...(errors && { errors }) }),
  }
}

/** No token now, but later. */
export function unavailable(detail: string, retryAfter = 5): EndpointProblem {
  return { code: 'unavailable', detail, headers: { 'retry-after': String(retryAfter) } }
}
