// Credentials as the admin API and the command line are told of them: what may be said, and every fault at once.

import * as z from 'zod'
import type { Credential } from '../claims/account.ts'
import type { ParameterFault } from '../http/problem.ts'
import type { Result } from '../lib/result.ts'
import { clientKeys } from './client-keys.ts'
import { flag, instant, name, parseInput, scopes } from './members.ts'

/** What makes a credential, in canonical form. With `jwks` it has no secret. */
export type CredentialInput = Pick<
  Credential,
  'name' | 'scopes' | 'expiresAt' | 'browserPrototype' | 'allowLocalhost' | 'jwks'
>

/** How a secret is rotated. */
export interface RotationInput {
  /** How long the old secret stays in force, seconds. */
  readonly overlap: number
}

const DEFAULT_OVERLAP_SECONDS = 86_400
const MAX_OVERLAP_SECONDS = 2_592_000
const OVERLAP = `must be a whole number of seconds from 0 to ${MAX_OVERLAP_SECONDS}`

/** Reads a credential from JSON; `now` is epoch milliseconds. Its scopes are not compared with the account's here. */
export function parseCredentialInput(
  value: unknown,
  now: number,
): Result<CredentialInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name: name.default('credential'),
    scopes: scopes.optional().transform((given) => given ?? null),
    expiresAt: instant
      .refine((at) => at > now, 'must be in the future')
      .nullable()
      .default(null),
    browserPrototype: flag.default(false),
    allowLocalhost: flag.default(true),
    jwks: clientKeys.optional().transform((given) => given ?? null),
  })
  return parseInput(schema, value)
}

/** Reads what a rotation is asked with from JSON. */
export function parseRotationInput(value: unknown): Result<RotationInput, readonly ParameterFault[]> {
  const overlap = z.int({ error: OVERLAP }).min(0, OVERLAP).max(MAX_OVERLAP_SECONDS, OVERLAP)
  return parseInput(z.strictObject({ overlap: overlap.default(DEFAULT_OVERLAP_SECONDS) }), value)
}
