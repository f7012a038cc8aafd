// Input of the admin API and the command line: what may be said, and every fault at once.

import { getPublicSuffix } from 'tldts'
import * as z from 'zod'
import { MIN_LIFETIME_SECONDS } from '../claims/lifetime.ts'
import { parseOriginPatterns } from '../claims/origin-pattern.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { isScopeToken } from '../claims/scope.ts'
import type { ParameterFault } from '../http/problem.ts'

/** What makes an account, in canonical form. */
export interface AccountInput {
  readonly name: string
  readonly allowedOrigins: readonly string[]
  readonly scopes: readonly string[]
  readonly maxTtl: number | null
  readonly browserPrototype: boolean
}

const ORIGINS = 'must be a list of origins, like ["https://www.example.com"]'

/** Canonical patterns, or the reason why one is refused. */
const allowedOrigins = z
  .array(z.string({ error: ORIGINS }), { error: ORIGINS })
  .transform((texts, context) => {
    const patterns = parseOriginPatterns(texts, isPublicSuffix)
    if (patterns.ok) return patterns.value
    context.addIssue({ code: 'custom', message: patterns.reason })
    return z.NEVER
  })

const scope = z
  .string({ error: 'must be text' })
  .refine(isScopeToken, 'is not a scope: printable ASCII without blanks, quotes and backslashes')

function accountSchema(maxTtl: number) {
  const lifetime = `must be a whole number of seconds from ${MIN_LIFETIME_SECONDS} to ${maxTtl}`
  return z.strictObject({
    name: z
      .string({ error: 'must be text of 1 to 200 characters' })
      .refine(isName, 'must have 1 to 200 characters'),
    allowedOrigins,
    scopes: z
      .array(scope, { error: 'must be a list of scopes' })
      .transform((scopes) => [...new Set(scopes)])
      .refine(fitsToken, `must have at most ${MAX_SCOPE_LENGTH} characters in all: they stand in every token`)
      .default([]),
    maxTtl: z
      .int({ error: lifetime })
      .min(MIN_LIFETIME_SECONDS, lifetime)
      .max(maxTtl, lifetime)
      .nullable()
      .default(null),
    browserPrototype: z.boolean({ error: 'must be true or false' }).default(false),
  })
}

/** Scopes stand in every token, and a token has at most 4096 characters. */
const MAX_SCOPE_LENGTH = 1024

function fitsToken(scopes: readonly string[]): boolean {
  return scopes.join(' ').length <= MAX_SCOPE_LENGTH
}

/** Characters are code points; half of one (a lone surrogate) cannot be stored. */
function isName(text: string): boolean {
  return text !== '' && [...text].length <= 200 && text.isWellFormed()
}

/** Reads an account from JSON. `maxTtl`: the server's own limit in seconds. */
export function parseAccountInput(
  value: unknown,
  maxTtl: number,
): Result<AccountInput, readonly ParameterFault[]> {
  const parsed = accountSchema(maxTtl).safeParse(value)
  return parsed.success ? ok(parsed.data) : fail(toFaults(parsed.error))
}

/** zod's issues as faults of parameters. Its messages speak of shapes, never of values. */
function toFaults(error: z.ZodError): readonly ParameterFault[] {
  return error.issues.flatMap((issue) => {
    const parameter = issue.path.join('.') || 'body'
    if (issue.code !== 'unrecognized_keys') return [{ parameter, message: issue.message }]
    // A name is shown only where it can be one: a secret may stand in a wrong place.
    return issue.keys.map((key) => ({
      parameter: /^[A-Za-z]{1,24}$/.test(key) ? key : 'body',
      message: 'is not known here',
    }))
  })
}

/** Whether a host is one under which strangers register names, the private section of the list included. */
function isPublicSuffix(host: string): boolean {
  return getPublicSuffix(host, { allowPrivateDomains: true }) === host
}
