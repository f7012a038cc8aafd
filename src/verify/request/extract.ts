// Finds the one token of a request (RFC 6750 section 2, RFC 9449 section 7.1). Reads only the enabled sources. Two
// different tokens are a malformed request, even when one of them is valid.

import { type Reason, refuse } from '../../claims/enforce.ts'
import { fail, ok, type Result } from '../../lib/result.ts'

/**
 * A place that tokens are read from: the `Authorization` header (Bearer or DPoP), the `X-Client-Token` header, the query
 * parameter `token`, or the entry after `claimgate` in `Sec-WebSocket-Protocol`.
 */
export type TokenSource = 'authorization' | 'x-client-token' | 'query' | 'websocket'

/** A token with the place and the scheme that it came with. Nothing about it is verified. */
export interface PresentedToken {
  readonly token: string
  readonly source: TokenSource
  /** `dpop` only for `Authorization: DPoP`. */
  readonly scheme: 'bearer' | 'dpop'
}

/**
 * The parts of a request that a verifier reads. A `Request` of the Fetch standard fits. Header names are asked for in
 * lower case, and a repeated header must be joined by commas.
 */
export interface RequestLike {
  readonly method: string
  readonly url: string
  readonly headers: { get(name: string): string | null }
}

/**
 * A request that a verifier takes: one with `headers.get`, or one whose headers are a plain object, such as an
 * `IncomingMessage` or the event of a function platform. Names may have any case; a list stands for several lines.
 */
export type VerifiableRequest =
  | RequestLike
  | {
      readonly method?: string | undefined
      readonly url?: string | undefined
      readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
    }

type Found = Result<readonly PresentedToken[], Reason>

const NONE: Found = ok([])
const PLAIN = 'Bearer '
const CREDENTIALS = /^(Bearer|DPoP)(?: +(.*))?$/i
/** A comma and a second scheme. A parameter (RFC 9110 section 11.4) does not match, because `=` follows its name. */
const SECOND_CREDENTIALS = /,\s*[\w!#$%&'*+.^`|~-]+(?: +[^\s=,]|\s*(?:,|$))/

const readers: Readonly<Record<TokenSource, (request: RequestLike) => Found>> = {
  authorization(request) {
    const header = request.headers.get('authorization')
    if (header === null) return NONE
    // A shortcut for the usual spelling: the same result as the expression below, but four times faster.
    if (header.startsWith(PLAIN) && header.indexOf(' ', PLAIN.length) < 0 && !header.includes(',')) {
      return ok([{ token: header.slice(PLAIN.length), source: 'authorization', scheme: 'bearer' }])
    }
    const match = CREDENTIALS.exec(header)
    // Repeated header lines arrive joined by commas, and a token has no comma.
    const isSeveral = match === null ? SECOND_CREDENTIALS.test(header) : header.includes(',')
    if (isSeveral) return fail(malformed('the request has several Authorization headers'))
    if (match === null) return NONE
    const scheme = match[1]?.toLowerCase() === 'dpop' ? 'dpop' : 'bearer'
    return ok([{ token: match[2] ?? '', source: 'authorization', scheme }])
  },

  'x-client-token'(request) {
    const header = request.headers.get('x-client-token')
    if (header === null) return NONE
    return ok(header.split(',').map((part) => bearer(part.trim(), 'x-client-token')))
  },

  query(request) {
    const start = request.url.indexOf('?')
    if (start < 0) return NONE
    const values = new URLSearchParams(request.url.slice(start)).getAll('token')
    return ok(values.map((token) => bearer(token, 'query')))
  },

  websocket(request) {
    const header = request.headers.get('sec-websocket-protocol')
    if (header === null) return NONE
    const entries = header.split(',').map((entry) => entry.trim())
    const marker = entries.indexOf('claimgate')
    return marker < 0 ? NONE : ok([bearer(entries[marker + 1] ?? '', 'websocket')])
  },
}

/** If several sources have the same token, the first of them in this order gives its source and scheme. */
const ORDER: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']

/**
 * Finds the token in the enabled sources. Fails with `missing_token` when there is none, and with `invalid_request` when
 * there are two different tokens or several `Authorization` headers.
 */
export function extractToken(
  request: RequestLike,
  sources: readonly TokenSource[],
): Result<PresentedToken, Reason> {
  let first: PresentedToken | undefined
  for (const source of ORDER) {
    if (!sources.includes(source)) continue
    const found = readers[source](request)
    if (!found.ok) return found
    for (const presented of found.value) {
      if (first === undefined) first = presented
      else if (first.token !== presented.token) {
        return fail(malformed('the request has two different tokens'))
      }
    }
  }
  return first === undefined
    ? fail(refuse('extract', 'missing_token', 'the request has no token'))
    : ok(first)
}

function bearer(token: string, source: TokenSource): PresentedToken {
  return { token, source, scheme: 'bearer' }
}

function malformed(detail: string): Reason {
  return refuse('extract', 'invalid_request', detail)
}
