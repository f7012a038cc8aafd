// The origins that an account allows (RFC 6454), as canonical pattern texts: parsing them, and finding those that match
// an origin. A wildcard that would cover sites of other owners is refused. The origin `null` never matches.

import { fail, ok, type Result } from '../lib/result.ts'
import { MAX_ORIGIN_LENGTH, readOriginText } from './input/caller-text.ts'
import { parseOrigin } from './origin.ts'

/** Most patterns in the list of an account. */
export const MAX_PATTERNS = 100

/** A scheme, a host, perhaps a port, and one slash. */
const LONE_SLASH = /^([^/?#]+:\/\/[^/?#]+)\/$/
const WEB = /^(https?):\/\/([^/?#]*)/i
const ANY_PORT = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):\*$/i
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/

/** Hosts of a developer's own machine: only these may have `*` as their port. */
const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * The canonical text of one allowed origin, for storing it: a web origin, `https://*.example.com` (one or more leading
 * labels), `http://localhost:*` (with any port or none; also 127.0.0.1 and [::1]), an app origin, or `*` (any web
 * origin). `isPublicSuffix` is called with the lower-case ASCII name after `*.`; when it returns true the wildcard is
 * refused, because the names below a public suffix have different owners. The reason of a failure is a sentence for the
 * administrator, without the text itself. One slash at the end is dropped, because address bars and `URL.href` show an origin
 * with it; a longer path is refused.
 * Example: `https://*.Example.com:443/` gives `https://*.example.com`.
 */
export function parseOriginPattern(
  given: string,
  isPublicSuffix: (host: string) => boolean,
): Result<string, string> {
  const text = given.replace(LONE_SLASH, '$1')
  if (text === '*') return ok(text)
  if (text.length > MAX_ORIGIN_LENGTH) {
    return fail(`an allowed origin has at most ${MAX_ORIGIN_LENGTH} characters`)
  }
  if (ANY_PORT.test(text)) return ok(text.toLowerCase())
  const [whole, scheme, authority] = WEB.exec(text) ?? []
  if (whole !== undefined && whole !== text) {
    return fail(
      'an allowed origin ends after the host or port, like https://www.example.com: no path or query',
    )
  }
  const parent = authority?.startsWith('*.') ? `${scheme}://${authority.slice(2)}` : undefined
  if ((parent ?? text).includes('*')) {
    return fail(
      '* is allowed only alone, before a domain (https://*.example.com) or as a local port (http://localhost:*)',
    )
  }
  if (parent !== undefined) return parseWildcard(parent, isPublicSuffix)
  const parsed = parseOrigin(text)
  return parsed.ok ? ok(parsed.value.origin) : parsed
}

function parseWildcard(
  parentText: string,
  isPublicSuffix: (host: string) => boolean,
): Result<string, string> {
  const parsed = parseOrigin(parentText)
  if (!parsed.ok) return parsed
  const { scheme, host, port } = splitWebOrigin(parsed.value.origin)
  if (isAddress(host) || host.endsWith('.')) {
    return fail('a wildcard is allowed only before a domain name, like https://*.example.com')
  }
  if (!host.includes('.') || isPublicSuffix(host)) {
    return fail(
      'a wildcard must cover one owner only: write at least your own domain, like https://*.example.com',
    )
  }
  return ok(`${scheme}://*.${host}${port}`)
}

/**
 * The canonical texts of a list of 1 to 100 allowed origins, in the order given, without repeats. `*` must be the only
 * entry. The reason of a failure gives the position of the entry, counted from 1.
 */
export function parseOriginPatterns(
  texts: readonly string[],
  isPublicSuffix: (host: string) => boolean,
): Result<readonly string[], string> {
  if (texts.length < 1 || texts.length > MAX_PATTERNS) {
    return fail(`write 1 to ${MAX_PATTERNS} allowed origins, like ["https://www.example.com"]`)
  }
  const patterns = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const pattern = parseOriginPattern(text, isPublicSuffix)
    if (!pattern.ok) return fail(`entry ${index + 1}: ${pattern.reason}`)
    patterns.add(pattern.value)
  }
  if (patterns.has('*') && patterns.size > 1)
    return fail('* allows every web origin, so it must be the only entry')
  return ok([...patterns])
}

/**
 * All patterns that match a canonical origin: the origin itself, `scheme://*.parent[:port]` from the nearest parent up,
 * `scheme://host:*` for a local host, and `*`; at most 127. For an app origin only itself. The list is empty for `null`,
 * for a text that is not canonical, and for one of more than 300 characters. Only this function defines what matches: a
 * database looks these patterns up in an index.
 */
export function patternsMatching(origin: string): readonly string[] {
  const parsed = readOriginText(origin)
  if (!parsed.ok || parsed.value.origin !== origin) return []
  if (parsed.value.kind === 'app') return [origin]
  const { scheme, host, port } = splitWebOrigin(origin)
  const labels = isAddress(host) || host.endsWith('.') ? [] : host.split('.')
  const parents = labels.slice(1, -1).map((_, index) => labels.slice(index + 1).join('.'))
  return [
    origin,
    ...parents.map((parent) => `${scheme}://*.${parent}${port}`),
    ...(LOCAL_HOSTS.includes(host) ? [`${scheme}://${host}:*`] : []),
    '*',
  ]
}

/** Whether one of `patterns`, in the form that `parseOriginPattern` gives, matches a canonical origin. */
export function matchOrigin(patterns: readonly string[], origin: string): boolean {
  // The common case, without building the patterns. A text with `*` is not an origin, but it could equal a pattern.
  if (!origin.includes('*') && patterns.includes(origin)) return true
  return patternsMatching(origin).some((pattern) => patterns.includes(pattern))
}

/** The parts of a canonical web origin. `port` is empty, or a colon and the number. */
function splitWebOrigin(origin: string): { scheme: string; host: string; port: string } {
  const schemeEnd = origin.indexOf('://')
  const authority = origin.slice(schemeEnd + 3)
  const port = /:\d+$/.exec(authority)?.[0] ?? ''
  return {
    scheme: origin.slice(0, schemeEnd),
    host: authority.slice(0, authority.length - port.length),
    port,
  }
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || IPV4.test(host)
}
