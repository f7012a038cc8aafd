// The options of forward auth: the query of the URL that operators configure in their proxy. An unknown or invalid
// option is an error, so that no request passes because of a typo.

import type { Policy, RequiredBound } from '../../claims/enforce.ts'
import { parseOrigin } from '../../claims/origin.ts'
import { parseScope } from '../../claims/scope.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import type { JudgeDeps } from '../../verify/judge.ts'
import type { TokenSource } from '../../verify/request/extract.ts'

/** The rules in which the judges of the service differ. */
export type JudgeRules = Pick<Policy, 'missingOrigin' | 'require' | 'scopes'> &
  Pick<JudgeDeps, 'mode' | 'sources' | 'apiOrigin'> & {
    /** The audience of the service that the token must name; undefined: any of its audiences. */
    readonly namedAudience: string | undefined
  }

/** Require a valid token and no particular bound. For whoami and explain, which show every kind of token. */
export const bareRules: JudgeRules = {
  missingOrigin: 'reject',
  require: [],
  scopes: [],
  mode: 'enforce',
  sources: ['authorization', 'x-client-token'],
  apiOrigin: undefined,
  namedAudience: undefined,
}

/** The rules of forward auth without options: the token must be bound to an origin. */
const forwardAuthRules: JudgeRules = { ...bareRules, require: ['origin'] }

/** The author of a query, and what the query may refer to. */
export interface RulesAuthor {
  /** An untrusted author may only make the rules stricter. */
  readonly isTrusted: boolean
  /** All audiences of the service's tokens. The option `audience` must name one of them. */
  readonly audience: readonly string[]
}

/** Reads all values of one option; undefined when they are invalid. */
type ReadOption = (values: readonly string[], author: RulesAuthor) => Partial<JudgeRules> | undefined

const SOURCES: readonly TokenSource[] = ['authorization', 'x-client-token', 'query', 'websocket']
const BOUNDS: readonly RequiredBound[] = ['origin', 'ip', 'key']

/** Options that make the rules stricter. Every author may use them. */
const stricter: Readonly<Record<string, ReadOption>> = {
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

/** Options that may allow more. Only trusted proxies may use them. */
const permissive: Readonly<Record<string, ReadOption>> = {
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
  // Reserved: forward auth does not accept tickets yet, and a proxy that requires them must not be answered 200.
  tickets: () => undefined,
}

/** Longest query that is parsed, in characters. Limited because untrusted peers may send a query of any length. */
const MAX_QUERY = 2048

const readers: Readonly<Record<string, ReadOption>> = { ...stricter, ...permissive }

/** Whether a query contains the name of an option, even with an invalid value. */
export function containsOption(query: string): boolean {
  return [...new URLSearchParams(query).keys()].some((name) => Object.hasOwn(readers, name))
}

/**
 * The rules of forward auth, changed by the options of a query string. Options that could allow more are ignored when
 * their author is not trusted. Fails when an option is unknown or invalid; the reason names it and is for the operator's
 * log.
 */
export function parseRules(query: string, author: RulesAuthor): Result<JudgeRules, string> {
  if (query.length > MAX_QUERY) return fail(`the options have more than ${MAX_QUERY} characters`)
  const given = new URLSearchParams(query)
  let rules = forwardAuthRules
  for (const name of new Set(given.keys())) {
    if (!author.isTrusted && Object.hasOwn(permissive, name)) continue
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    const changed = read?.(given.getAll(name), author)
    if (changed === undefined) {
      return fail(read ? `${name}: invalid value` : `${name.slice(0, 40)}: unknown option`)
    }
    rules = { ...rules, ...changed }
  }
  return ok(rules)
}

/** The origin of an API, from an http(s) URL without path, query and fragment; undefined for every other text. */
export function parseApiOrigin(text: string): string | undefined {
  const parsed = /^https?:\/\/[^/?#]+\/?$/i.test(text) ? parseOrigin(text) : undefined
  return parsed?.ok ? parsed.value.origin : undefined
}

function oneOf<T extends string>([value, ...more]: readonly string[], known: readonly T[]): T | undefined {
  return more.length === 0 ? known.find((one) => one === value) : undefined
}

/** The values of a list option, which is repeated or separated by commas; undefined when one is not known. */
function someOf<T extends string>(values: readonly string[], known: readonly T[]): readonly T[] | undefined {
  const found = values.flatMap((value) => value.split(',')).map((part) => oneOf([part], known))
  return found.every((one) => one !== undefined) ? found : undefined
}
