// The environment variables: allowed values, default and example of each. Rules that involve two variables are in
// config.ts. Messages never contain the given text, because it may be a secret in the wrong variable.

import * as z from 'zod'
import { type ForwardedHeader, parseTrustedProxies, type TrustedProxies } from '../claims/client-ip.ts'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import type { LogLevel } from '../http/log.ts'
import { isBase64urlOf32Bytes } from '../lib/base64url.ts'
import { fail, ok, type Result } from '../lib/result.ts'

/** Where records are stored: a SQLite file, the memory of this process, a Postgres server. */
export type DatabaseLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'postgres'; readonly url: string }

/** At most `requests` in a window of `seconds`. */
export interface RateLimit {
  readonly requests: number
  readonly seconds: number
}

/** Clients that may read `/metrics`: those on this machine, those with the admin token, all, none. */
export type MetricsAudience = 'loopback' | 'admin' | 'public' | 'off'

/** Type of each variable after parsing. `null`: unset or `off`. */
export interface Settings {
  readonly PORT: number
  readonly HOST: string
  readonly CLAIMGATE_ISSUER: string | null
  readonly CLAIMGATE_AUDIENCE: readonly string[] | null
  readonly CLAIMGATE_ALG: SignatureAlgorithm
  readonly CLAIMGATE_TOKEN_TTL: number
  readonly CLAIMGATE_MAX_TTL: number
  readonly CLAIMGATE_CLOCK_TOLERANCE: number
  readonly CLAIMGATE_KEY_ROTATION: number | null
  readonly CLAIMGATE_KEY_PUBLISH: number
  readonly DATABASE_URL: DatabaseLocation
  readonly REDIS_URL: string | null
  readonly CLAIMGATE_KEYS_DIR: string
  readonly CLAIMGATE_MASTER_KEY: Uint8Array | null
  readonly CLAIMGATE_PEPPER: string | null
  readonly CLAIMGATE_ADMIN_TOKEN: string | null
  readonly CLAIMGATE_TRUSTED_PROXIES: TrustedProxies
  readonly CLAIMGATE_FORWARDED_HEADER: ForwardedHeader
  readonly CLAIMGATE_QUERY_SECRETS: boolean
  readonly CLAIMGATE_RATE_LIMIT: RateLimit | null
  readonly CLAIMGATE_WORKERS: number | 'auto'
  readonly CLAIMGATE_METRICS: MetricsAudience
  readonly CLAIMGATE_AUDIT_DAYS: number
  readonly CLAIMGATE_LOG: LogLevel
}

/** One variable. `schema` parses its text (`undefined` when unset); `example` is a value that it accepts. */
export interface Field<T> {
  readonly schema: z.ZodType<T>
  readonly example: string
}

/** Advice for a missing or wrong master key: a command that can be pasted. */
export const MASTER_KEY_ADVICE: string =
  "make one with: node -p \"require('node:crypto').randomBytes(32).toString('base64url')\""

/** Longest time in seconds: 31 bits, about 68 years. */
const MAX_SECONDS = 2 ** 31 - 1

/** Longest time in days: a hundred years. */
const MAX_DAYS = 36_525

/** Longest window in seconds, because a timer accepts at most 31 bits of milliseconds. */
const MAX_WINDOW_SECONDS = 2_147_483

/** Longest issuer and audience, characters. Every token contains them, and a token has at most 4096 characters. */
const MAX_ISSUER_LENGTH = 256
const MAX_AUDIENCE_LENGTH = 512

/** Every variable that the server reads, in the order in which problems are reported. */
export const fields: { readonly [Name in keyof Settings]: Field<Settings[Name]> } = {
  PORT: { schema: schemaFrom((text) => parseInteger(text, 0, 65_535)).default(8787), example: '8787' },
  HOST: { schema: schemaFrom(parseHost).default('127.0.0.1'), example: '127.0.0.1' },
  CLAIMGATE_ISSUER: {
    schema: schemaFrom<string | null>(parseIssuer).default(null),
    example: 'https://auth.example.com',
  },
  CLAIMGATE_AUDIENCE: {
    schema: schemaFrom<readonly string[] | null>(parseAudience).default(null),
    example: 'https://api.example.com',
  },
  CLAIMGATE_ALG: { schema: oneOf(['ES256', 'EdDSA', 'HS256']).default('ES256'), example: 'ES256' },
  CLAIMGATE_TOKEN_TTL: { schema: seconds(10).default(1800), example: '1800' },
  CLAIMGATE_MAX_TTL: { schema: seconds(10).default(86_400), example: '86400' },
  CLAIMGATE_CLOCK_TOLERANCE: { schema: seconds(0, 300).default(5), example: '5' },
  CLAIMGATE_KEY_ROTATION: {
    schema: schemaFrom((text) => orOff(text, (given) => parseInteger(given, 1, MAX_SECONDS))).default(
      7_776_000,
    ),
    example: '7776000',
  },
  CLAIMGATE_KEY_PUBLISH: { schema: seconds(0).default(900), example: '900' },
  DATABASE_URL: {
    schema: schemaFrom(parseDatabase).default({ kind: 'sqlite', path: 'data/claimgate.db' }),
    example: 'sqlite:data/claimgate.db',
  },
  REDIS_URL: {
    schema: schemaFrom<string | null>(parseRedis).default(null),
    example: 'redis://127.0.0.1:6379',
  },
  CLAIMGATE_KEYS_DIR: { schema: schemaFrom<string>(ok).default('keys'), example: 'keys' },
  CLAIMGATE_MASTER_KEY: {
    schema: schemaFrom<Uint8Array | null>(parseMasterKey).default(null),
    example: '<43 characters>',
  },
  CLAIMGATE_PEPPER: {
    schema: schemaFrom<string | null>(parsePepper).default(null),
    example: '<32 random characters or more>',
  },
  CLAIMGATE_ADMIN_TOKEN: {
    schema: schemaFrom<string | null>(parseAdminToken).default(null),
    example: '<32 random characters or more>',
  },
  CLAIMGATE_TRUSTED_PROXIES: {
    schema: schemaFrom<TrustedProxies>(parseTrustedProxies).default({ kind: 'none' }),
    example: 'loopback,10.0.0.0/8',
  },
  CLAIMGATE_FORWARDED_HEADER: {
    schema: oneOf(['x-forwarded-for', 'forwarded']).default('x-forwarded-for'),
    example: 'x-forwarded-for',
  },
  CLAIMGATE_QUERY_SECRETS: {
    schema: oneOf(['on', 'off'])
      .transform((text) => text === 'on')
      .default(true),
    example: 'off',
  },
  CLAIMGATE_RATE_LIMIT: {
    schema: schemaFrom((text) => orOff(text, parseRateLimit)).default({ requests: 6000, seconds: 60 }),
    example: '6000/60',
  },
  CLAIMGATE_WORKERS: { schema: schemaFrom(parseWorkers).default(1), example: 'auto' },
  CLAIMGATE_METRICS: {
    schema: oneOf(['loopback', 'admin', 'public', 'off']).default('loopback'),
    example: 'loopback',
  },
  CLAIMGATE_AUDIT_DAYS: {
    schema: schemaFrom((text) => parseInteger(text, 1, MAX_DAYS)).default(400),
    example: '400',
  },
  CLAIMGATE_LOG: {
    schema: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    example: 'info',
  },
}

/** The schema of a text that `parse` accepts. The reason of a failure becomes the problem. */
function schemaFrom<T>(parse: (text: string) => Result<T, string>): z.ZodType<T> {
  return z.string({ error: 'must be text' }).transform((text, context) => {
    const result = parse(text)
    if (result.ok) return result.value
    context.addIssue({ code: 'custom', message: result.reason })
    return z.NEVER
  })
}

function oneOf<const T extends string>(words: readonly T[]): z.ZodType<T> {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` })
}

function seconds(min: number, max: number = MAX_SECONDS): z.ZodType<number> {
  return schemaFrom((text) => parseInteger(text, min, max))
}

function orOff<T>(text: string, parse: (text: string) => Result<T, string>): Result<T | null, string> {
  if (text === 'off') return ok(null)
  const result = parse(text)
  return result.ok ? result : fail(`${result.reason}, or off`)
}

function parseInteger(text: string, min: number, max: number): Result<number, string> {
  const isInteger = /^(0|[1-9]\d{0,9})$/.test(text) && Number(text) >= min && Number(text) <= max
  return isInteger ? ok(Number(text)) : fail(`must be a whole number from ${min} to ${max}, in plain digits`)
}

function parseHost(text: string): Result<string, string> {
  const isHost = /^[\w.-]+$/.test(text) || /^[\da-f:.]*:[\da-f:.]*$/i.test(text)
  return isHost && URL.canParse(`http://${bracketHost(text)}`)
    ? ok(text)
    : fail('must be a host name or an address, without scheme, port or brackets')
}

/** A host as it is written in a URL: an IPv6 address gets brackets (RFC 3986 section 3.2.2). */
export function bracketHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Normalized by the URL standard, so that upper case or a default port do not make a different issuer. */
function parseIssuer(text: string): Result<string, string> {
  const isIssuer = /^https?:\/\/[^\s/\\?#@]+(\/[^\s\\?#]*)?$/i.test(text) && URL.canParse(text)
  if (text.length > MAX_ISSUER_LENGTH) return fail(`must have at most ${MAX_ISSUER_LENGTH} characters`)
  return isIssuer
    ? ok(new URL(text).href.replace(/\/+$/, ''))
    : fail('must be an http or https URL without query, fragment or user info')
}

function parseAudience(text: string): Result<readonly string[], string> {
  const entries = text.split(',').map((entry) => entry.trim())
  if (text.length > MAX_AUDIENCE_LENGTH) return fail(`must have at most ${MAX_AUDIENCE_LENGTH} characters`)
  return entries.includes('') ? fail('must be a comma list without empty entries') : ok([...new Set(entries)])
}

function parseDatabase(text: string): Result<DatabaseLocation, string> {
  if (text === 'memory:') return ok({ kind: 'memory' })
  // `sqlite://x` would mean /x at the root of the disk, which is probably a mistake.
  const path = /^sqlite:(?!\/\/[^/])(.+)$/.exec(text)?.[1]
  if (path !== undefined && path !== ':memory:') return ok({ kind: 'sqlite', path })
  if (/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)) return ok({ kind: 'postgres', url: text })
  return fail(
    'must be sqlite:<path>, memory: or postgres://<user>:<password>@<host>/<database> (special characters percent-encoded)',
  )
}

function parseRedis(text: string): Result<string, string> {
  return /^rediss?:\/\/./.test(text) && URL.canParse(text)
    ? ok(text)
    : fail('must be a redis:// or rediss:// URL (special characters percent-encoded)')
}

/** Why a secret was refused that a file or an editor has changed: it would be another secret than the one that was meant. */
const BLANK_END = 'begins or ends with a blank or a line end; remove it'

function hasBlankEnd(text: string): boolean {
  return text !== text.trim()
}

function parseMasterKey(text: string): Result<Uint8Array, string> {
  if (hasBlankEnd(text)) return fail(BLANK_END)
  if (!isBase64urlOf32Bytes(text)) {
    return fail(`must be 32 bytes as base64url, 43 characters without padding; ${MASTER_KEY_ADVICE}`)
  }
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return ok(Uint8Array.from(bytes, (character) => character.charCodeAt(0)))
}

function parsePepper(text: string): Result<string, string> {
  if (hasBlankEnd(text)) return fail(BLANK_END)
  return text.length >= 32 ? ok(text) : fail('must have at least 32 characters')
}

/** The admin token is sent in an Authorization header, so it may contain only characters that are allowed there. */
function parseAdminToken(text: string): Result<string, string> {
  return /^[\x21-\x7e]{32,}$/.test(text)
    ? ok(text)
    : fail('must have at least 32 characters, ASCII without blanks')
}

function parseRateLimit(text: string): Result<RateLimit, string> {
  const [, requests = '', seconds = ''] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  const parts = [parseInteger(requests, 1, MAX_SECONDS), parseInteger(seconds, 1, MAX_WINDOW_SECONDS)]
  return parts.every((part) => part.ok)
    ? ok({ requests: Number(requests), seconds: Number(seconds) })
    : fail(`must be <requests>/<seconds>, both from 1, the seconds up to ${MAX_WINDOW_SECONDS}`)
}

function parseWorkers(text: string): Result<number | 'auto', string> {
  if (text === 'auto') return ok('auto')
  const result = parseInteger(text, 1, 256)
  return result.ok ? result : fail(`${result.reason}, or auto`)
}
