// Step 1: finding the one token of a request (RFC 6750 section 2, RFC 9449 section 7.1). Looks only where it
// was told to look; two different tokens are a malformed request, whatever they are worth.

import { type Reason, refuse } from '../claims/enforce.ts'
import { fail, ok, type Result } from '../lib/result.ts'

/** Where a token may stand. */
export type TokenSource = 'authorization' | 'x-client-token' | 'query' | 'websocket'

/** How a token was presented. */
export interface PresentedToken {
  readonly token: string
  readonly source: TokenSource
  /** `dpop` only for `Authorization: DPoP`. */
  readonly scheme: 'bearer' | 'dpop'
}

/** The parts of a request that verification reads: never its body. */
export interface RequestLike {
  readonly method: string
  readonly url: string
  readonly headers: { get(name: string): string | null }
}

type Found = Result<readonly PresentedToken[], Reason>

const NONE: Found = ok([])
const PLAIN = 'Bearer '
const CREDENTIALS = /^(Bearer|DPoP)(?: +(.*))?$/i
/** A second scheme behind a comma, where a parameter (RFC 9110 section 11.4) would have its `=`. */
const SECOND_CREDENTIALS = /,\s*[\w!#$%&'*+.^`|~-]+(?: +[^\s=,]|\s*(?:,|$))/

const readers: Readonly<Record<TokenSource, (request: RequestLike) => Found>> = {
  authorization(request) {
    const header = request.headers.get('authorization')
    if (header === null) return NONE
    // As nearly everybody writes it: what the expression below would say, for a quarter of its price.
    if (header.startsWith(PLAIN) && header.indexOf(' ', PLAIN.length) < 0 && !header.includes(',')) {
      return ok([{ token: header.slice(PLAIN.length), source: 'authorization', scheme: 'bearer' }])
    }
    const match = CREDENTIALS.exec(header)
    // Header lines of one name reach us joined by commas, which no token holds.
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

/** The order in which sources count: the first that holds a token names how it was presented. */
const ORDER: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']

/** The token of a request from the enabled sources. */
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
        return fail(malformed('the request holds two different tokens'))
      }
    }
  }
  return first === undefined
    ? fail(refuse('extract', 'missing_token', 'the request holds no token'))
    : ok(first)
}

function bearer(token: string, source: TokenSource): PresentedToken {
  return { token, source, scheme: 'bearer' }
}

function malformed(detail: string): Reason {
  return refuse('extract', 'invalid_request', detail)
}
