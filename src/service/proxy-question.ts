// What a proxy asks of forward auth: the original request as the proxy describes it, and the rules that its operator
// wrote. Anything unknown, doubtful or contradictory is a fault, never a default: a typo must not open a door.

import type { Policy } from '../claims/enforce.ts'
import { parseOrigin } from '../claims/origin.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { parseScope } from '../claims/scope.ts'
import type { RequestLike, TokenSource } from '../verify/extract.ts'
import type { JudgeDeps } from '../verify/judge.ts'

/** Where forward auth lives. */
export const FORWARD_AUTH_PATH = '/auth/verify'

/** By what a request is judged, beyond what all judges of the service have in common. */
export type JudgeRules = Pick<Policy, 'missingOrigin' | 'require' | 'scopes'> &
  Pick<JudgeDeps, 'mode' | 'sources' | 'apiOrigin'>

/** The rules where nothing else is said. */
export const defaultRules: JudgeRules = {
  missingOrigin: 'reject',
  require: [],
  scopes: [],
  mode: 'enforce',
  sources: ['authorization', 'x-client-token'],
  apiOrigin: undefined,
}

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
  if (pathname === FORWARD_AUTH_PATH) {
    const isClients = target !== undefined && search !== '' && new URL(NO_ORIGIN + target).search === search
    if (isClients && holdsOption(search)) return DOUBTFUL
    return describe(target ?? FORWARD_AUTH_PATH, isClients ? '' : search)
  }
  const appended = pathname.slice(FORWARD_AUTH_PATH.length) + search
  const isContradicted = (method ?? asked.method) !== asked.method || (target ?? appended) !== appended
  return isContradicted || !pathname.startsWith(`${FORWARD_AUTH_PATH}/`) ? DOUBTFUL : describe(appended, '')
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
  const [scheme, host] = [headers.get('x-forwarded-proto'), headers.get('x-forwarded-host')]
  return scheme === null || host === null ? undefined : parseApiOrigin(`${scheme}://${host}`)
}

function parseApiOrigin(text: string): string | undefined {
  const parsed = /^https?:\/\/[^/?#]+\/?$/i.test(text) ? parseOrigin(text) : undefined
  return parsed?.ok ? parsed.value.origin : undefined
}

/** What an option says, or undefined when it says nothing that can be understood. */
type ReadOption = (values: readonly string[]) => Partial<JudgeRules> | undefined

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']

const readers: Readonly<Record<string, ReadOption>> = {
  scope(values) {
    const scopes = parseScope(values.join(' '))
    return scopes.ok && scopes.value.length > 0 ? { scopes: scopes.value } : undefined
  },
  missingOrigin(values) {
    const missingOrigin = oneOf(values, ['reject', 'allow'])
    return missingOrigin && { missingOrigin }
  },
  mode(values) {
    const mode = oneOf(values, ['enforce', 'report'])
    return mode && { mode }
  },
  require(values) {
    const require = someOf(values, ['origin', 'ip', 'key'])
    return require && { require }
  },
  tokenSources(values) {
    const sources = someOf(values, SOURCES)
    return sources && { sources }
  },
  apiOrigin(values) {
    const apiOrigin = values.length === 1 ? parseApiOrigin(values.join()) : undefined
    return apiOrigin === undefined ? undefined : { apiOrigin }
  },
}

function holdsOption(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => Object.hasOwn(readers, name))
}

/** The rules of an operator's query string; the reason of a refusal is a sentence for the operator's log. */
export function parseRules(query: string): Result<JudgeRules, string> {
  const given = new URLSearchParams(query)
  let rules = defaultRules
  for (const name of new Set(given.keys())) {
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    const said = read?.(given.getAll(name))
    if (said === undefined) return fail(read ? `${name} cannot be read` : `${name.slice(0, 40)} is no option`)
    rules = { ...rules, ...said }
  }
  return ok(rules)
}

function oneOf<T extends string>([value, ...more]: readonly string[], known: readonly T[]): T | undefined {
  return more.length === 0 ? known.find((one) => one === value) : undefined
}

/** A list: repeated, or separated by commas. */
function someOf<T extends string>(values: readonly string[], known: readonly T[]): readonly T[] | undefined {
  const found = values.flatMap((value) => value.split(',')).map((part) => oneOf([part], known))
  return found.every((one) => one !== undefined) ? found : undefined
}
