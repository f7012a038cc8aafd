// Refusals in the format of OAuth (RFC 6749 section 5.2), with the codes that OAuth registers in place of the service's own.

import { type FormatProblem, type ProblemCode, problemStatus } from '../http/problem.ts'

/** Status and `error` of the codes that differ from the default, see `defaultFor`. */
const OAUTH_CODES: Readonly<Partial<Record<ProblemCode, readonly [status: number, error: string]>>> = {
  unauthorized: [401, 'invalid_client'],
  origin_not_allowed: [400, 'invalid_target'],
  scope_not_allowed: [400, 'invalid_scope'],
  secret_in_browser: [400, 'unauthorized_client'],
  method_not_allowed: [405, 'invalid_request'],
  request_timeout: [408, 'invalid_request'],
  payload_too_large: [413, 'invalid_request'],
  rate_limited: [429, 'rate_limited'],
  invalid_proof: [400, 'invalid_dpop_proof'],
  unavailable: [503, 'temporarily_unavailable'],
}

/** On every 401, also when the client did not use Basic: RFC 9110 section 15.5.2 requires a challenge. */
const CHALLENGE = { 'www-authenticate': 'Basic realm="claimgate"' }

/** Characters that `error_description` may not contain (RFC 6749 appendix A.8). */
const FORBIDDEN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g

/** `{ error, error_description, error_uri }`. A problem's `dialectCode` replaces the code of the table. */
export const formatOAuthProblem: FormatProblem = (problem, docs) => {
  const [status, error] = OAUTH_CODES[problem.code] ?? defaultFor(problemStatus(problem))
  const code = problem.dialectCode ?? error
  return {
    status,
    code,
    body: JSON.stringify({
      error: code,
      error_description: problem.detail.replace(FORBIDDEN, "'"),
      error_uri: `${docs}#${problem.code}`,
    }),
    headers: {
      ...problem.headers,
      ...(status === 401 && CHALLENGE),
      'content-type': 'application/json',
    },
  }
}

/** 400 `invalid_request` for every 4xx; `server_error` with its own status for a 5xx. */
function defaultFor(status: number): readonly [status: number, error: string] {
  return status < 500 ? [400, 'invalid_request'] : [status, 'server_error']
}
