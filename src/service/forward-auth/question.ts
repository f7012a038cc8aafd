// The original request as a proxy describes it to forward auth. Anything ambiguous or contradictory is an error; no
// default takes its place.

import { paths } from '../../http/paths.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import type { RequestLike } from '../../verify/extract.ts'
import { holdsOption, parseApiOrigin } from './rules.ts'

/** Headers that describe the original request. X-Forwarded-Proto and -For are not listed: proxies always send them. */
const ORIGINAL_HEADERS = [
  'x-original-method',
  'x-original-uri',
  'x-forwarded-method',
  'x-forwarded-uri',
  'x-forwarded-host',
]

/** The original request. */
export interface OriginalRequest {
  readonly request: RequestLike
  /** The origin that it was sent to, where the proxy tells. */
  readonly apiOrigin: string | undefined
  /** The operator's options, a query string with or without its `?`. */
  readonly options: string
}

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const TARGET = /^\/[^\0- \x7f]*$/
/** Base of a URL whose origin nobody told. */
const NO_ORIGIN = 'http://original.invalid'

/**
 * The original request of a trusted proxy. On the bare path the query holds options, and method and target stand in
 * headers. Behind a longer path (Envoy appends the client's own) the request itself is the original one: its query is
 * the client's, never an option, and a header that says otherwise is a contradiction. So is a query on the bare path
 * that equals the client's and holds an option: Caddy keeps the client's query where its operator wrote none.
 */
export function readOriginalRequest(asked: RequestLike): Result<OriginalRequest, string> {
  const { headers } = asked
  const method = readHeader(headers, ['x-original-method', 'x-forwarded-method'], METHOD)
  const target = readHeader(headers, ['x-original-uri', 'x-forwarded-uri'], TARGET)
  if (method === null || target === null) return DOUBTFUL
  const { pathname, search } = new URL(asked.url)
  const apiOrigin = readApiOrigin(headers)
  const describe = (path: string, options: string): Result<OriginalRequest, string> => {
    const url = `${apiOrigin ?? NO_ORIGIN}${path}`
    return ok({ request: { method: method ?? asked.method, url, headers }, apiOrigin, options })
  }
  if (pathname === paths.forwardAuth) {
    const isClients = target !== undefined && search !== '' && new URL(NO_ORIGIN + target).search === search
    if (isClients && holdsOption(search)) return DOUBTFUL
    return describe(target ?? paths.forwardAuth, isClients ? '' : search)
  }
  const appended = pathname.slice(paths.forwardAuth.length) + search
  const isContradicted = (method ?? asked.method) !== asked.method || (target ?? appended) !== appended
  return isContradicted || !pathname.startsWith(`${paths.forwardAuth}/`) ? DOUBTFUL : describe(appended, '')
}

const DOUBTFUL = fail('the original request is described in several ways, or in none that can be read')

/** The one value of a header that has two spellings; null when they differ, or it makes no sense. */
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

/** The last non-empty entry of a list: the nearest proxy appends its own. */
function readLast(headers: RequestLike['headers'], name: string): string | undefined {
  const entries = (headers.get(name) ?? '').split(',').map((entry) => entry.trim())
  return entries.findLast((entry) => entry !== '')
}

/** Whether a request describes another request, as only a proxy should. An empty header counts. */
export function describesOriginal({ headers }: RequestLike): boolean {
  return ORIGINAL_HEADERS.some((name) => headers.get(name) !== null)
}
