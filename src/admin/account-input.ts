// Accounts as the admin API and the command line are told of them: what may be said, and every fault at once.

import * as z from 'zod'
import type { Account } from '../claims/account.ts'
import type { ParameterFault } from '../http/problem.ts'
import type { Result } from '../lib/result.ts'
import { allowedOrigins, flag, lifetime, name, parseInput, scopes } from './members.ts'

/** What makes an account, in canonical form. */
export type AccountInput = Pick<
  Account,
  'name' | 'allowedOrigins' | 'scopes' | 'maxTtl' | 'browserPrototype' | 'requireOrigin'
>

/** What changes an account, in canonical form: only the members that are there. */
export type AccountPatch = Partial<AccountInput & Pick<Account, 'status'>>

/** A requested change. `endTokens`: also ends every token that the account was given until now. */
export type AccountPatchInput = AccountPatch & { readonly endTokens?: boolean }

/** Reads an account from JSON. `maxTtl`: the server's own limit in seconds. */
export function parseAccountInput(
  value: unknown,
  maxTtl: number,
): Result<AccountInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name,
    allowedOrigins,
    scopes: scopes.default([]),
    maxTtl: lifetime(maxTtl).default(null),
    browserPrototype: flag.default(false),
    requireOrigin: flag.default(false),
  })
  return parseInput(schema, value)
}

/** Reads changes of an account from JSON. `maxTtl`: the server's own limit in seconds. */
export function parseAccountPatch(
  value: unknown,
  maxTtl: number,
): Result<AccountPatchInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name: name.exactOptional(),
    allowedOrigins: allowedOrigins.exactOptional(),
    scopes: scopes.exactOptional(),
    maxTtl: lifetime(maxTtl).exactOptional(),
    browserPrototype: flag.exactOptional(),
    requireOrigin: flag.exactOptional(),
    status: z.enum(['active', 'suspended'], { error: 'must be "active" or "suspended"' }).exactOptional(),
    endTokens: flag.exactOptional(),
  })
  return parseInput(schema, value)
}
