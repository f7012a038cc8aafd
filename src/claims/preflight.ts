// The definition of a CORS preflight (Fetch section 3.2.2). A preflight passes without a token, so a middleware and the
// API behind it must use the same definition.

import { HTTP_TOKEN } from './input/http-token.ts'

/** The parts of a request that make it a preflight. Repeated header lines are joined with commas; null: no such header. */
export interface PreflightHead {
  readonly method: string
  readonly origin: string | null
  /** Value of the header `Access-Control-Request-Method`; null: not sent. */
  readonly requestMethod: string | null
}

/** A serialized origin (RFC 6454 section 7.1) as browsers and web views send it: of a site, of an app, or `null`. */
const ORIGIN = /^(?:null|[a-z][a-z0-9+.-]*:\/\/(?:[A-Za-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)$/

/** Request headers of tracing, which are always allowed: they hold no secret, and libraries add them to every request. */
export const TRACE_HEADERS: readonly string[] = ['traceparent', 'tracestate', 'baggage', 'sentry-trace']

/**
 * Whether a request is a preflight: `OPTIONS` with exactly one serialized `Origin` and exactly one
 * `Access-Control-Request-Method`. Repeated headers never match, because a comma list is not an origin or a method.
 */
export function isPreflightHead({ method, origin, requestMethod }: PreflightHead): boolean {
  return (
    method === 'OPTIONS' &&
    origin !== null &&
    ORIGIN.test(origin) &&
    requestMethod !== null &&
    HTTP_TOKEN.test(requestMethod)
  )
}
