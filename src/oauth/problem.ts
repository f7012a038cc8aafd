// Refusals as OAuth clients read them (RFC 6749 section 5.2): the house's codes in the registered spelling.
// Tells no more than problem+json does: a code, a sentence, and where the code is explained.

import { type FormatProblem, type ProblemCode, problemStatus } from '../http/problem.ts'

/** Status and `error` where they are not `invalid_request` with 400. */
const SPELLINGS: Readonly<Partial<Record<ProblemCode, readonly [status: number, error: string]>>> = {
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

/** A client that was refused may try Basic, whatever it tried before (RFC 9110 section 15.5.2 wants a challenge). */
const CHALLENGE = { 'www-authenticate': 'Basic realm="claimgate"' }

/** What `error_description` may not hold (RFC 6749 appendix A.8). */
const UNSPEAKABLE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g

/** `{ error, error_description, error_uri }`; a problem's `dialectCode` goes before its `code`. */
export const formatOAuthProblem: FormatProblem = (problem, docs) => {
  const [status, error] = SPELLINGS[problem.code] ?? standIn(problemStatus(problem))
  const code = problem.dialectCode ?? error
  return {
    status,
    code,
    body: JSON.stringify({
      error: code,
      error_description: problem.detail.replace(UNSPEAKABLE, "'"),
      error_uri: `${docs}#${problem.code}`,
    }),
    headers: {
      ...problem.headers,
      ...(status === 401 && CHALLENGE),
      'content-type': 'application/json',
    },
  }
}

/** Whatever has no spelling of its own is the client's fault or the server's. */
function standIn(status: number): readonly [status: number, error: string] {
  return status < 500 ? [400, 'invalid_request'] : [status, 'server_error']
}
