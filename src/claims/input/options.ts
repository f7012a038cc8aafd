// Checks of options that the verifier and the client-token endpoint have in common. Like the checks in lib/options.ts,
// they throw a TypeError that names the option.

import { isTextList } from '../../lib/options.ts'
import { parseTrustedProxies, type TrustedProxies } from '../client-ip.ts'
import { parseOrigin } from '../origin.ts'
import { parseOriginPatterns } from '../origin-pattern.ts'

/** The canonical form of one web origin: `HTTPS://API.example.com:443` gives `https://api.example.com`. */
export function checkWebOrigin(name: string, value: unknown, example: string): string {
  const parsed = typeof value === 'string' ? parseOrigin(value) : undefined
  const origin = parsed?.ok && parsed.value.kind === 'web' ? parsed.value.origin : undefined
  // parseOrigin accepts a whole URL and drops its path; an option that has one is a mistake.
  if (origin !== undefined && new URL(value as string).href === `${origin}/`) return origin
  throw new TypeError(`${name}: must be an origin like ${example}`)
}

/**
 * The `trustedProxies` option: a hop count, or addresses, CIDRs and `loopback` in a list or in a text separated by
 * commas. Undefined and the empty list mean that no proxy is trusted.
 */
export function checkTrustedProxies(value: unknown): TrustedProxies {
  const isList = Array.isArray(value)
  if (value === undefined || (isList && value.length === 0)) return { kind: 'none' }
  // A number alone is a hop count. In a list it can only be a mistake.
  if (isList && value.some((entry) => /^\d+$/.test(entry))) {
    throw new TypeError('trustedProxies: a list must contain addresses, not a hop count')
  }
  const parsed = parseTrustedProxies(isList ? value.join(',') : String(value))
  if (!parsed.ok) throw new TypeError(`trustedProxies: ${parsed.reason}`)
  return parsed.value
}

/**
 * The canonical patterns of an `allowedOrigins` list. `expected` completes the message about a value that is not a list:
 * "must be a list of origins". Wildcards over a public suffix are accepted: the operator writes this list, not a customer.
 */
export function checkAllowedOrigins(value: unknown, expected: string): readonly string[] {
  if (!isTextList(value)) throw new TypeError(`allowedOrigins: must be ${expected}`)
  const patterns = parseOriginPatterns(value, () => false)
  if (!patterns.ok) throw new TypeError(`allowedOrigins: ${patterns.reason}`)
  return patterns.value
}
