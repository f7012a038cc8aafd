// The options of forward auth: the query of the URL that operators configure in their proxy. An unknown or unreadable
// option is an error, so that a typo lets no request pass.

import type { Policy, RequiredBound } from '../../claims/enforce.ts'
import { parseOrigin } from '../../claims/origin.ts'
import { parseScope } from '../../claims/scope.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import type { TokenSource } from '../../verify/extract.ts'
import type { JudgeDeps } from '../../verify/judge.ts'

/** The rules that differ between the judges of the service. */
export type JudgeRules = Pick<Policy, 'missingOrigin' | 'require' | 'scopes'> &
  Pick<JudgeDeps, 'mode' | 'sources' | 'apiOrigin'> & {
    /** The one of the service's audiences that the token must name; undefined: any of them. */
    readonly namedAudience: string | undefined
  }

/** Requires nothing but a valid token: the rules of whoami and explain, which show every kind of token. */
export const bareRules: JudgeRules = {
  missingOrigin: 'reject',
  require: [],
  scopes: [],
  mode: 'enforce',
  sources: ['authorization', 'x-client-token'],
  apiOrigin: undefined,
  namedAudience: undefined,
}

/** The rules of forward auth without options. */
const forwardAuthRules: JudgeRules = { ...bareRules, require: ['origin'] }

/** The author of a query, and the audiences of the service. */
export interface RulesAuthor {
  /** An untrusted author may only narrow the rules. */
  readonly isTrusted: boolean
  readonly audience: readonly string[]
}

/** Reads the values of an option; undefined when they are invalid. */
type ReadOption = (values: readonly string[], author: RulesAuthor) => Partial<JudgeRules> | undefined

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']
const BOUNDS: readonly RequiredBound[] = ['origin', 'ip', 'key']

/** Options that narrow the rules; any author may use them. */
const narrowing: Readonly<Record<string, ReadOption>> = {
  scope(values) {
    const scopes = parseScope(values.join(' '))
    return scopes.ok && scopes.value.length > 0 ? { scopes: scopes.value } : undefined
  },
  require(values, { isTrusted }) {
    if (oneOf(values, ['none'])) return isTrusted ? { require: [] } : {}
    const require = someOf(values, BOUNDS)
    if (require === undefined || isTrusted) return require && { require }
    return { require: [...new Set([...forwardAuthRules.require, ...require])] }
  },
  audience(values, { audience }) {
    const namedAudience = oneOf(values, audience)
    return namedAudience === undefined ? undefined : { namedAudience }
  },
}

/** Options that widen the rules; only for trusted proxies. */
const widening: Readonly<Record<string, ReadOption>> = {
  missingOrigin(values) {
    const missingOrigin = oneOf(values, ['reject', 'allow'])
    return missingOrigin && { missingOrigin }
  },
  mode(values) {
    const mode = oneOf(values, ['enforce', 'report'])
    return mode && { mode }
  },
  tokenSources(values) {
    const sources = someOf(values, SOURCES)
    return sources && { sources }
  },
  apiOrigin(values) {
    const apiOrigin = values.length === 1 ? parseApiOrigin(values.join()) : undefined
    return apiOrigin === undefined ? undefined : { apiOrigin }
  },
  // Reserved: until forward auth can judge tickets, a proxy that asks for them is refused.
  tickets: () => undefined,
}

/** Longest query that is parsed, in characters. Untrusted peers can send as much as the head of a request holds. */
const MAX_QUERY = 2048

const readers: Readonly<Record<string, ReadOption>> = { ...narrowing, ...widening }

/** Whether a query has any option, even with an invalid value. */
export function holdsOption(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => Object.hasOwn(readers, name))
}

/** The rules of a query string; the reason is for the operator's log. */
export function parseRules(query: string, author: RulesAuthor): Result<JudgeRules, string> {
  if (query.length > MAX_QUERY) return fail(`the options have more than ${MAX_QUERY} characters`)
  const given = new URLSearchParams(query)
  let rules = forwardAuthRules
  for (const name of new Set(given.keys())) {
    if (!author.isTrusted && Object.hasOwn(widening, name)) continue
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    const said = read?.(given.getAll(name), author)
    if (said === undefined) return fail(read ? `${name} cannot be read` : `${name.slice(0, 40)} is no option`)
    rules = { ...rules, ...said }
  }
  return ok(rules)
}

/** The origin of an API: an http(s) URL without path, query and fragment; undefined for any other text. */
export function parseApiOrigin(text: string): string | undefined {
  const parsed = /^https?:\/\/[^/?#]+\/?$/i.test(text) ? parseOrigin(text) : undefined
  return parsed?.ok ? parsed.value.origin : undefined
}

function oneOf<T extends string>([value, ...more]: readonly string[], known: readonly T[]): T | undefined {
  return more.length === 0 ? known.find((one) => one === value) : undefined
}

/** A list: repeated, or separated by commas. */
function someOf<T extends string>(values: readonly string[], known: readonly T[]): readonly T[] | undefined {
  const found = values.flatMap((value) => value.split(',')).map((part) => oneOf([part], known))
  return found.every((one) => one !== undefined) ? found : undefined
}
