// Members that several inputs of administration have, and how the faults of an input are told: all at once, each
// with its name. Messages speak of shapes, never of values.

import { getPublicSuffix } from 'tldts'
import * as z from 'zod'
import { MAX_SCOPE_LENGTH } from '../claims/caller-text.ts'
import { MIN_LIFETIME_SECONDS } from '../claims/lifetime.ts'
import { MAX_PATTERNS, parseOriginPatterns } from '../claims/origin-pattern.ts'
import { isScopeToken } from '../claims/scope.ts'
import type { ParameterFault } from '../http/problem.ts'
import { isJsonObject } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'

const ORIGINS = 'must be a list of origins, like ["https://www.example.com"]'
const INSTANT = 'must be a time in ISO 8601 with a zone, like "2030-01-31T12:00:00Z"'

/** All scopes of a claim share MAX_SCOPE_LENGTH characters: at least one each, and a space between. */
const MAX_SCOPES = MAX_SCOPE_LENGTH / 2

/** Most members that an input may have, and most faults that are reported. */
const MAX_MEMBERS = 100
const MAX_FAULTS = 100
const TOO_MANY: readonly ParameterFault[] = [
  { parameter: 'body', message: `must have at most ${MAX_MEMBERS} members` },
]

/** Canonical origin patterns, or the reason why one is refused. */
export const allowedOrigins: z.ZodType<readonly string[]> = listOf(
  z.string({ error: ORIGINS }),
  MAX_PATTERNS,
  ORIGINS,
).transform((texts, context) => {
  const patterns = parseOriginPatterns(texts, isPublicSuffix)
  if (patterns.ok) return patterns.value
  context.addIssue({ code: 'custom', message: patterns.reason })
  return z.NEVER
})

/** A name for people, 1 to 200 characters. */
export const name: z.ZodType<string> = z
  .string({ error: 'must be text of 1 to 200 characters' })
  .refine(isName, 'must have 1 to 200 characters')

/** Scopes, each once. */
export const scopes: z.ZodType<readonly string[]> = listOf(
  z
    .string({ error: 'must be text' })
    .max(MAX_SCOPE_LENGTH, `must have at most ${MAX_SCOPE_LENGTH} characters`)
    .refine(isScopeToken, 'is not a scope: printable ASCII without blanks, quotes and backslashes'),
  MAX_SCOPES,
  'must be a list of scopes',
)
  .transform((given) => [...new Set(given)])
  .refine(
    (given) => given.join(' ').length <= MAX_SCOPE_LENGTH,
    `must have at most ${MAX_SCOPE_LENGTH} characters in all: they stand in every token`,
  )

/** True or false, nothing that looks like it. */
export const flag: z.ZodType<boolean> = z.boolean({ error: 'must be true or false' })

/** A point in time: ISO 8601 in, epoch milliseconds out. */
export const instant: z.ZodType<number> = z.iso
  .datetime({ offset: true, error: INSTANT })
  .transform((text) => Date.parse(text))

/** A token lifetime in seconds up to the server's own limit, or null for that limit. */
export function lifetime(maxTtl: number): z.ZodType<number | null> {
  const message = `must be a whole number of seconds from ${MIN_LIFETIME_SECONDS} to ${maxTtl}`
  return z.int({ error: message }).min(MIN_LIFETIME_SECONDS, message).max(maxTtl, message).nullable()
}

/** A list of at most `max` entries. Its length is checked before its entries. */
function listOf<T>(member: z.ZodType<T>, max: number, error: string): z.ZodType<T[], unknown> {
  const any = z.array(z.unknown(), { error }).max(max, `must have at most ${max} entries`)
  return any.pipe(z.array(member, { error }))
}

/** Reads an input, or gives its faults, at most {@link MAX_FAULTS}. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): Result<T, readonly ParameterFault[]> {
  if (isJsonObject(value) && Object.keys(value).length > MAX_MEMBERS) return fail(TOO_MANY)
  const parsed = schema.safeParse(value)
  return parsed.success ? ok(parsed.data) : fail(toFaults(parsed.error))
}

/** zod's issues as faults of parameters. */
function toFaults(error: z.ZodError): readonly ParameterFault[] {
  return error.issues.slice(0, MAX_FAULTS).flatMap((issue) => {
    const parameter = issue.path.join('.') || 'body'
    if (issue.code !== 'unrecognized_keys') return [{ parameter, message: issue.message }]
    // A name is shown only where it can be one: a secret may stand in a wrong place.
    return issue.keys.map((key) => ({
      parameter: /^[A-Za-z]{1,24}$/.test(key) ? key : 'body',
      message: 'is not known here',
    }))
  })
}

/** Characters are code points; half of one (a lone surrogate) cannot be stored. */
function isName(text: string): boolean {
  // A code point is one or two units: a text of more than 400 units need not be counted.
  return text !== '' && text.length <= 400 && [...text].length <= 200 && text.isWellFormed()
}

/** Whether a host is one under which strangers register names, the private section of the list included. */
function isPublicSuffix(host: string): boolean {
  return getPublicSuffix(host, { allowPrivateDomains: true }) === host
}
