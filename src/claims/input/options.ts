// Checks of options that the verifier and the client-token endpoint share. Like those in lib/options.ts, they throw a
// TypeError that names the option.

import { isTextList } from '../../lib/options.ts'
import { parseTrustedProxies, type TrustedProxies } from '../client-ip.ts'
import { parseOrigin } from '../origin.ts'
import { parseOriginPatterns } from '../origin-pattern.ts'
import { HTTP_TOKEN } from './http-token.ts'

/**
 * The canonical form of one web origin: `HTTPS://API.example.com:443` gives `https://api.example.com`. Throws a TypeError
 * that shows `example` for any other value, also for a URL with a path or query.
 */
export function checkWebOrigin(name: string, value: unknown, example: string): string {
  const parsed = typeof value === 'string' ? parseOrigin(value) : undefined
  const origin = parsed?.ok && parsed.value.kind === 'web' ? parsed.value.origin : undefined
  // parseOrigin drops the path of a URL. In an option a path is a mistake.
  if (origin !== undefined && new URL(value as string).href === `${origin}/`) return origin
  throw new TypeError(`${name}: must be an origin like ${example}`)
}

/**
 * The `trustedProxies` option: a hop count, or addresses, CIDRs and `loopback` as an array or a comma list. Undefined and
 * an empty array mean that no proxy is trusted. Throws a TypeError for other values.
 */
export function checkTrustedProxies(value: unknown): TrustedProxies {
  const isList = Array.isArray(value)
  if (value === undefined || (isList && value.length === 0)) return { kind: 'none' }
  // Joined with commas, an array of one number would count as a hop count.
  if (isList && value.some((entry) => /^\d+$/.test(entry))) {
    throw new TypeError('trustedProxies: a list must contain addresses, not a hop count')
  }
  const parsed = parseTrustedProxies(isList ? value.join(',') : String(value))
  if (!parsed.ok) throw new TypeError(`trustedProxies: ${parsed.reason}`)
  return parsed.value
}

/** The list of header names in the option `option`; empty when it is undefined. Throws a TypeError for other values. */
export function checkHeaderNames(option: string, value: unknown = []): readonly string[] {
  if (isTextList(value) && value.every((name) => HTTP_TOKEN.test(name))) return value
  throw new TypeError(`${option}: must be a list of header names`)
}

/**
 * The canonical patterns of an `allowedOrigins` list, see `parseOriginPatterns`. `expected` completes the message of the
 * TypeError for a value that is not a list of strings: "allowedOrigins: must be …". Wildcards over a public suffix are
 * accepted, because the operator writes this list, not a customer.
 */
export function checkAllowedOrigins(value: unknown, expected: string): readonly string[] {
  if (!isTextList(value)) throw new TypeError(`allowedOrigins: must be ${expected}`)
  const patterns = parseOriginPatterns(value, () => false)
  if (!patterns.ok) throw new TypeError(`allowedOrigins: ${patterns.reason}`)
  return patterns.value
}
