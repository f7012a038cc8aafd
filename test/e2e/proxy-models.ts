// Models of Traefik and Envoy: what each proxy, with the settings of its example, does with a request according to its
// documentation.

import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { Json, WireRequest } from '../support/wire.ts'

type Lines = Readonly<Record<string, readonly string[]>>

/** A client's request after the proxy has parsed it. */
export interface ClientRequest {
  readonly method: string
  /** Path and query, as the client sent them. */
  readonly target: string
  /** Header lines by lower-case name. */
  readonly headers: Lines
}

/** What a proxy does with a client's request. */
export interface Step {
  /**
   * `answer`: the proxy sends `wire` to claimgate and passes the answer to the client. `ask`: it sends `wire` to claimgate,
   * and after a 2xx the client's request to the API. `refuse`: it answers 4xx itself.
   */
  readonly kind: 'answer' | 'ask' | 'refuse'
  /** The request to claimgate. For `refuse` the client's request, which is not sent. */
  readonly wire: WireRequest
}

const readExample = (name: string): Json =>
  parse(readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8'))

/** The header lines whose names are wanted. */
function pick(headers: Lines, isWanted: (name: string) => boolean): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isWanted(name)))
}
const namesOf = (record: object): Set<string> =>
  new Set(Object.keys(record).map((name) => name.toLowerCase()))
const FORWARDED = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }

/** Traefik: ForwardAuth, replacePath, customRequestHeaders ("" removes one), Header and Method rules. */
export function runTraefik({ method, target, headers: sent }: ClientRequest): Step {
  const { http } = readExample('traefik-dynamic.yml')
  const { middlewares, routers } = http
  const rule = /^Method\(`(\w+)`\) && HeaderRegexp\(`(.+?)`, `\.\+`\) && HeaderRegexp\(`(.+?)`, `\.\+`\)$/
  const [, ruled, first = '', second = ''] = rule.exec(routers.preflight.rule) ?? []
  const has = (name: string) => (sent[name.toLowerCase()] ?? []).some((value) => value !== '')
  // The entry point removes X-Forwarded-* headers of untrusted clients.
  let headers = pick(sent, (name) => !name.startsWith('x-forwarded-') && name !== 'x-real-ip')
  const run = (names: readonly string[]) => {
    for (const name of names) {
      const taken = namesOf(middlewares[name].headers?.customRequestHeaders ?? {})
      headers = pick(headers, (one) => !taken.has(one))
    }
  }
  const host = { 'x-forwarded-host': 'api.example.com' }
  if (method === ruled && has(first) && has(second)) {
    run(routers.preflight.middlewares)
    const query = target.includes('?') ? target.slice(target.indexOf('?')) : ''
    const path = middlewares['below-verify'].replacePath.path + query
    return { kind: 'answer', wire: { method, path, headers: { ...headers, ...FORWARDED, ...host } } }
  }
  run(['plain'])
  const { address, authRequestHeaders } = middlewares.claimgate.forwardAuth
  const allowed = new Set(authRequestHeaders.map((name: string) => name.toLowerCase()))
  const { pathname, search } = new URL(address)
  const described = { 'x-forwarded-method': method, 'x-forwarded-uri': target }
  const asked = { ...pick(headers, (name) => allowed.has(name)), ...FORWARDED, ...host, ...described }
  return { kind: 'ask', wire: { method: 'GET', path: pathname + search, headers: asked } }
}

/** Envoy: header_mutation, then ext_authz over HTTP with path_prefix and allowed_headers; the first route that matches. */
export function runEnvoy({ method, target, headers: sent }: ClientRequest): Step {
  const listener = readExample('envoy.yaml').static_resources.listeners[0]
  const manager = listener.filter_chains[0].filters[0].typed_config
  const [mutation, authz] = manager.http_filters.map((one: Json) => one.typed_config)
  const [preflight] = manager.route_config.virtual_hosts[0].routes
  const wire: WireRequest = { method, path: target, headers: sent }
  if (Object.keys(sent).some((name) => name.includes('_')) || /%2f|%5c/i.test(target))
    return { kind: 'refuse', wire }
  const path = new URL(target.replace(/\/{2,}/g, '/'), 'http://x').href.slice('http://x'.length)
  const isMatch = preflight.match.headers.every(({ name, string_match, present_match }: Json) =>
    name === ':method' ? method === string_match.exact : present_match && sent[name] !== undefined,
  )
  const removed = new Set(mutation.mutations.request_mutations.map(({ remove }: Json) => remove))
  const headers = {
    ...pick(sent, (name) => !removed.has(name) && !name.startsWith('x-forwarded-')),
    ...FORWARDED,
  }
  if (isMatch) {
    const dropped = new Set(preflight.request_headers_to_remove)
    const below = preflight.route.prefix_rewrite + path.slice(1)
    return {
      kind: 'answer',
      wire: { method, path: below, headers: pick(wide(headers), (one) => !dropped.has(one)) },
    }
  }
  const allowed = new Set(authz.allowed_headers.patterns.map(({ exact }: Json) => exact))
  const always = new Set(['authorization', 'host'])
  const asked = pick(wide(headers), (name) => allowed.has(name) || always.has(name))
  const [{ key, value }] = authz.http_service.authorization_request.headers_to_add
  const below = authz.http_service.path_prefix + path
  return { kind: 'ask', wire: { method, path: below, headers: { ...asked, [key]: [value] } } }
}

const wide = (headers: Readonly<Record<string, string | readonly string[]>>): Lines =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()]))
