// Reads the original request, which a proxy describes in its question to forward auth. An ambiguous or contradictory
// description is an error; no part of it is guessed.

import { HTTP_TOKEN } from '../../claims/input/http-token.ts'
import { paths } from '../../http/paths.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import type { RequestLike } from '../../verify/request/extract.ts'
import { containsOption, parseApiOrigin } from './rules.ts'

/** Headers that describe the original request. Not X-Forwarded-Proto and -For: proxies add them to every request. */
const ORIGINAL_HEADERS = [
  'x-original-method',
  'x-original-uri',
  'x-forwarded-method',
  'x-forwarded-uri',
  'x-forwarded-host',
]

/** The original request, and what the proxy said about it. */
export interface OriginalRequest {
  readonly request: RequestLike
  /** The origin to which the request was sent; undefined when the proxy's headers do not give one. */
  readonly apiOrigin: string | undefined
  /** The operator's options: a query string that begins with `?`, or an empty text. */
  readonly options: string
}

const TARGET = /^\/[^\0- \x7f]*$/
/** Completes a URL whose origin is not known. */
const NO_ORIGIN = 'http://original.invalid'

/**
 * The original request according to a trusted proxy. There are two forms:
 *
 * - On `/auth/verify` itself, the query contains the operator's options, and headers contain method and target. When the
 *   operator configured no query, Caddy sends the client's query instead. So a query that equals the client's is not used as
 *   options. If it contains the name of an option, the result is a failure, because its author is unknown.
 * - On a longer path (Envoy appends the client's path), the question has the method, path and query of the original request.
 *   Its query is the client's and is never used as options. A header with another method or target is a contradiction.
 */
export function readOriginalRequest(question: RequestLike): Result<OriginalRequest, string> {
  const { headers } = question
  const method = readHeader(headers, ['x-original-method', 'x-forwarded-method'], HTTP_TOKEN)
  const target = readHeader(headers, ['x-original-uri', 'x-forwarded-uri'], TARGET)
  if (method === null || target === null) return AMBIGUOUS
  const { pathname, search } = new URL(question.url)
  const apiOrigin = readApiOrigin(headers)
  const describe = (path: string, options: string): Result<OriginalRequest, string> => {
    const url = `${apiOrigin ?? NO_ORIGIN}${path}`
    return ok({ request: { method: method ?? question.method, url, headers }, apiOrigin, options })
  }
  if (pathname === paths.forwardAuth) {
    const isClientsQuery =
      target !== undefined && search !== '' && new URL(NO_ORIGIN + target).search === search
    if (isClientsQuery && containsOption(search)) return AMBIGUOUS
    return describe(target ?? paths.forwardAuth, isClientsQuery ? '' : search)
  }
  const appended = pathname.slice(paths.forwardAuth.length) + search
  const isContradicted = (method ?? question.method) !== question.method || (target ?? appended) !== appended
  return isContradicted || !pathname.startsWith(`${paths.forwardAuth}/`) ? AMBIGUOUS : describe(appended, '')
}

const AMBIGUOUS = fail('the description of the original request is contradictory, or cannot be read')

/** The value of a header that has several names: undefined if all are absent, null if values differ or are invalid. */
function readHeader(
  headers: RequestLike['headers'],
  names: readonly string[],
  shape: RegExp,
): string | undefined | null {
  const values = new Set(names.map((name) => headers.get(name)).filter((value) => value !== null))
  const [value] = values
  if (value === undefined) return undefined
  return values.size === 1 && shape.test(value) ? value : null
}

function readApiOrigin(headers: RequestLike['headers']): string | undefined {
  const [scheme, host] = [readLast(headers, 'x-forwarded-proto'), readLast(headers, 'x-forwarded-host')]
  return scheme === undefined || host === undefined ? undefined : parseApiOrigin(`${scheme}://${host}`)
}

/** The last non-empty entry of a list header, which the nearest proxy added. */
function readLast(headers: RequestLike['headers'], name: string): string | undefined {
  const entries = (headers.get(name) ?? '').split(',').map((entry) => entry.trim())
  return entries.findLast((entry) => entry !== '')
}

/** Whether a request has a header with which proxies describe another request. An empty header counts. */
export function describesOriginal({ headers }: RequestLike): boolean {
  return ORIGINAL_HEADERS.some((name) => headers.get(name) !== null)
}
