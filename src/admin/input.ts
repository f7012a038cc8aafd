// Schemas for members that several inputs have in common. The faults of an input are reported together, each with the
// name of its member. Messages describe the expected form and never repeat a given value.

import { getPublicSuffix } from 'tldts'
import * as z from 'zod'
import { MAX_SCOPE_LENGTH } from '../claims/input/caller-text.ts'
import { MIN_LIFETIME_SECONDS } from '../claims/lifetime.ts'
import { MAX_PATTERNS, parseOriginPatterns } from '../claims/origin-pattern.ts'
import { isScopeToken } from '../claims/scope.ts'
import type { ParameterFault } from '../http/problem.ts'
import { isJsonObject } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'

const ORIGINS = 'must be a list of origins, like ["https://www.example.com"]'
const INSTANT = 'must be a time in ISO 8601 with a zone, like "2030-01-31T12:00:00Z"'

/** Most scopes that fit into MAX_SCOPE_LENGTH characters: each takes at least one character and a space. */
const MAX_SCOPES = MAX_SCOPE_LENGTH / 2

/** An object with more members is refused before its members are checked, because each check takes time. */
const MAX_MEMBERS = 100
/** Most entries in the list of faults, because a refusal must not grow with the input. */
const MAX_FAULTS = 100
const TOO_MANY: readonly ParameterFault[] = [
  { parameter: 'body', message: `must have at most ${MAX_MEMBERS} members` },
]

/**
 * A list of origin patterns, returned in canonical form. The fault of a list describes the first invalid pattern only.
 */
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

/** A display name: 1 to 200 code points of well-formed Unicode. */
export const name: z.ZodType<string> = z
  .string({ error: 'must be text of 1 to 200 characters' })
  .refine(isName, 'must have 1 to 200 characters and no unpaired surrogate')

/** Scopes without repeats, in the given order. */
export const scopes: z.ZodType<readonly string[]> = listOf(
  z
    .string({ error: 'must be text' })
    .max(MAX_SCOPE_LENGTH, `must have at most ${MAX_SCOPE_LENGTH} characters`)
    .refine(
      isScopeToken,
      'must be one or more printable ASCII characters, none of them a space, double quote or backslash',
    ),
  MAX_SCOPES,
  'must be a list of scopes',
)
  .transform((given) => [...new Set(given)])
  .refine(
    (given) => given.join(' ').length <= MAX_SCOPE_LENGTH,
    `must have at most ${MAX_SCOPE_LENGTH} characters together, because every token holds them`,
  )

/** A JSON boolean. Texts and numbers are refused. */
export const flag: z.ZodType<boolean> = z.boolean({ error: 'must be true or false' })

/** Takes a time in ISO 8601 with a zone and returns epoch milliseconds. */
export const instant: z.ZodType<number> = z.iso
  .datetime({ offset: true, error: INSTANT })
  .transform((text) => Date.parse(text))

/** A token lifetime in seconds, from 10 to the configured limit `maxTtl`; null means that limit. */
export function lifetime(maxTtl: number): z.ZodType<number | null> {
  const message = `must be a whole number of seconds from ${MIN_LIFETIME_SECONDS} to ${maxTtl}`
  return z.int({ error: message }).min(MIN_LIFETIME_SECONDS, message).max(maxTtl, message).nullable()
}

/** A list of at most `max` entries. A list that is too long is refused before its entries are checked. */
function listOf<T>(member: z.ZodType<T>, max: number, error: string): z.ZodType<T[], unknown> {
  const any = z.array(z.unknown(), { error }).max(max, `must have at most ${max} entries`)
  return any.pipe(z.array(member, { error }))
}

/**
 * Checks `value` against `schema`. The reason lists its faults in at most 100 entries. When there are more faults, the
 * last entry says how many are not listed. An object of more than 100 members gets one fault and no other check.
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): Result<T, readonly ParameterFault[]> {
  if (isJsonObject(value) && Object.keys(value).length > MAX_MEMBERS) return fail(TOO_MANY)
  const parsed = schema.safeParse(value)
  return parsed.success ? ok(parsed.data) : fail(shortenFaults(toFaults(parsed.error)))
}

function toFaults(error: z.ZodError): readonly ParameterFault[] {
  return error.issues.flatMap((issue) => {
    const parameter = issue.path.join('.') || 'body'
    if (issue.code !== 'unrecognized_keys') return [{ parameter, message: issue.message }]
    // An unknown name is repeated only when it looks like a name, because it may be a misplaced secret.
    return issue.keys.map((key) => ({
      parameter: /^[A-Za-z]{1,24}$/.test(key) ? key : 'body',
      message: 'is an unknown member',
    }))
  })
}

function shortenFaults(faults: readonly ParameterFault[]): readonly ParameterFault[] {
  if (faults.length <= MAX_FAULTS) return faults
  const listed = faults.slice(0, MAX_FAULTS - 1)
  const message = `has ${faults.length - listed.length} more faults that are not listed`
  return [...listed, { parameter: 'body', message }]
}

/** Whether a text has 1 to 200 code points and no lone surrogate, which storage cannot keep. */
function isName(text: string): boolean {
  // A code point has one or two UTF-16 units, so more than 400 units need no counting.
  return text !== '' && text.length <= 400 && [...text].length <= 200 && text.isWellFormed()
}

/** Whether a host is a public suffix, under which anybody can register names. Includes the list's private section. */
function isPublicSuffix(host: string): boolean {
  return getPublicSuffix(host, { allowPrivateDomains: true }) === host
}
