// What the developer of a caller can do about each error code. GET /docs and the command line show these sentences.

import type { ProblemCode } from './problem.ts'

/** Advice for each code: plain text, sentences with a full stop; names from the protocol are in backticks. */
export const problemAdvice: Readonly<Record<ProblemCode, string>> = {
  invalid_request: 'Correct the request. `errors`, where the answer has it, names each invalid parameter.',
  unauthorized: 'Check the account token or admin token: it may be mistyped, expired or revoked.',
  missing_token: 'Send the token as `Authorization: Bearer`.',
  invalid_token:
    'Get a new token from your backend. If that one is refused too, compare issuer, audience and keys.',
  token_expired: 'Get a new token from your backend.',
  token_revoked: 'The token, its credential or its account was revoked. Ask the API provider.',
  origin_required:
    'Send the request from a web page on the origin of the token: the browser adds `Origin` by itself.',
  origin_mismatch: 'Claim a token for the real origin of the page: scheme, host and port.',
  ip_mismatch:
    'Claim the token for the address that the request really comes from, or for no address in particular.',
  proof_required: 'Send the token as `Authorization: DPoP`, with a proof signed by its key in `DPoP`.',
  invalid_proof: 'Make a new proof for this token, method and URL, with the key of the token.',
  origin_not_allowed: 'Add the origin to the allowed origins of the account.',
  scope_not_allowed: 'Ask only for scopes that the credential has.',
  insufficient_scope: 'Claim a token that has the required scope.',
  secret_in_browser:
    'Move the secret to your server and replace it, because it is public now. Give the page only claimed tokens.',
  not_found: 'Check the path.',
  method_not_allowed: 'Use one of the methods that `Allow` lists.',
  request_timeout: 'Send the whole request within 30 seconds.',
  conflict: 'Read the current state and decide again.',
  payload_too_large: 'Send a smaller body.',
  unsupported_media_type: 'Send JSON or a URL-encoded form, in UTF-8.',
  rate_limited: 'Wait, then try again. `Retry-After` gives the number of seconds.',
  internal: 'Try again. If the error stays, give the `requestId` to the API provider.',
  bad_gateway: 'Try again. The log of the service has the reason.',
  unavailable: 'Wait, then try again. `Retry-After` gives the number of seconds.',
  gateway_timeout: 'Try again in a few seconds.',
}
