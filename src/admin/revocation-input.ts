// Revocations as the admin API and the command line are told of them: what may be named, and every fault at once.
// Whether what is named exists is not asked: a token's id is nowhere on record.

import * as z from 'zod'
import type { RevocationKind } from '../claims/account.ts'
import type { ParameterFault } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { parseAccountToken } from '../signing/secret.ts'
import { instant, parseInput } from './members.ts'

/** What is to be revoked. */
export interface RevocationInput {
  readonly kind: RevocationKind
  readonly value: string
  /**
   * Tokens minted before this are meant, epoch milliseconds; undefined: those minted before the call. A `jti` and a `kid`
   * are ended as a whole, whatever it says.
   */
  readonly issuedBefore: number | undefined
}

/** How each kind is called in JSON. */
const KINDS = [
  ['jti', 'jti'],
  ['clientId', 'client_id'],
  ['sub', 'sub'],
  ['kid', 'kid'],
] as const satisfies readonly (readonly [name: string, kind: RevocationKind])[]

const ONE = 'must name exactly one of jti, clientId, sub and kid'
const TIME = 'must be a time in ISO 8601 with a zone, like "2030-01-31T12:00:00Z", or in epoch seconds'

/** Reads a revocation from JSON; `now` is epoch milliseconds. */
export function parseRevocationInput(
  value: unknown,
  now: number,
): Result<RevocationInput, readonly ParameterFault[]> {
  const epochSeconds = z.number().transform((seconds) => seconds * 1000)
  const schema = z.strictObject({
    jti: text(/^[\x21-\x7e]{1,256}$/, "must be a token's jti: 1 to 256 visible ASCII characters")
      // A pasted secret would stand in the audit log for ever.
      .refine((jti) => parseAccountToken(jti) === undefined, 'is an account token; name its clientId')
      .optional(),
    clientId: text(
      /^[0-9A-Za-z]{1,64}$/,
      "must be a credential's id: up to 64 letters and digits",
    ).optional(),
    sub: text(/^acct_[0-9A-Za-z]{1,64}$/, "must be an account's id, acct_…").optional(),
    kid: text(
      /^[0-9A-Za-z_-]{1,128}$/,
      "must be a signing key's kid: up to 128 base64url characters",
    ).optional(),
    issuedBefore: z
      .union([instant, epochSeconds], { error: TIME })
      .refine((at) => at >= 0, TIME)
      // A fraction of epoch seconds is not exact: less than a millisecond is not held against it.
      .refine((at) => Math.floor(at) <= now, 'must not be in the future')
      .optional(),
  })
  const parsed = parseInput(schema, value)
  if (!parsed.ok) return parsed
  const { issuedBefore, ...named } = parsed.value
  const [one, another] = KINDS.flatMap(([name, kind]) => {
    const given = named[name]
    return given === undefined ? [] : [{ kind, value: given, issuedBefore }]
  })
  if (one === undefined || another !== undefined) return fail([{ parameter: 'body', message: ONE }])
  return ok(one)
}

function text(form: RegExp, message: string): z.ZodString {
  return z.string({ error: message }).regex(form, message)
}
