// The options of forward auth, which operators write into the query of their proxy's question. Anything unknown or
// unreadable is a fault, never a default: a typo must not let anything pass.

import type { Policy, RequiredBound } from '../claims/enforce.ts'
import { parseOrigin } from '../claims/origin.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { parseScope } from '../claims/scope.ts'
import type { TokenSource } from '../verify/extract.ts'
import type { JudgeDeps } from '../verify/judge.ts'

/** By what a request is judged, beyond what all judges of the service have in common. */
export type JudgeRules = Pick<Policy, 'missingOrigin' | 'require' | 'scopes'> &
  Pick<JudgeDeps, 'mode' | 'sources' | 'apiOrigin'> & {
    /** One of the service's audiences that the token must name; undefined: any of them will do. */
    readonly namedAudience: string | undefined
  }

/** What a token itself says, and nothing beyond: rules of whoami and explain, which show tokens of every kind. */
export const bareRules: JudgeRules = {
  missingOrigin: 'reject',
  require: [],
  scopes: [],
  mode: 'enforce',
  sources: ['authorization', 'x-client-token'],
  apiOrigin: undefined,
  namedAudience: undefined,
}

/** The rules of forward auth where no option says otherwise. */
const forwardAuthRules: JudgeRules = { ...bareRules, require: ['origin'] }

/** Who wrote a query, and which audiences the service has. */
export interface RulesAuthor {
  /** An untrusted one may narrow, never widen. */
  readonly isTrusted: boolean
  readonly audience: readonly string[]
}

/** What an option says, or undefined when it says nothing that can be understood. */
type ReadOption = (values: readonly string[], author: RulesAuthor) => Partial<JudgeRules> | undefined

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']
const BOUNDS: readonly RequiredBound[] = ['origin', 'ip', 'key']

/** Options that everybody may use. */
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

/** Options that let more pass: of trusted proxies only. */
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

/** Characters of a query that is read; a stranger's may be as long as a request's head. */
const MAX_QUERY = 2048

const readers: Readonly<Record<string, ReadOption>> = { ...narrowing, ...widening }

/** Whether a query holds an option, whatever its value. */
export function holdsOption(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => Object.hasOwn(readers, name))
}

/** The rules of a query string; the reason of a refusal is a sentence for the operator's log. */
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

/** The origin of an API: an http(s) URL with nothing behind its host; undefined for any other text. */
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
