// MultiSet's spellings: the pair it sends, as Basic and in the body, its answer, its refusals.

import { readBasic } from '../http/authorization.ts'
import { formatSecond } from '../http/context.ts'
import { type FormatProblem, problemStatus } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { IssuedToken } from './issue.ts'
import { parseBody } from './sources.ts'

/** The pair of an Authorization header. Ids and secrets are base62: form-encoded and raw are one. */
export function readBasicPair(headers: Headers): ClientSecret | undefined {
  const basic = readBasic(headers)
  return basic?.ok ? { clientId: basic.value.user, clientSecret: basic.value.password } : undefined
}

/** What a body says of the pair, of any type; null counts as absent, other members are ignored. */
export interface BodyPair {
  readonly clientId?: unknown
  readonly clientSecret?: unknown
}

/** The pair of a JSON object, nothing of an empty body; or why it is neither. Its Content-Type is not looked at. */
export function readBodyPair(bytes: Uint8Array): Result<BodyPair, string> {
  const members = parseBody(bytes, 'json')
  if (!members.ok) return fail(members.reason)
  return ok({ clientId: members.value.get('clientId'), clientSecret: members.value.get('clientSecret') })
}

/** The JSON body of a 200. Some readers take `token`, some `access_token`. */
export function formatMultisetAnswer({ token, claims }: IssuedToken): string {
  return JSON.stringify({
    token,
    // Without the fraction, which not every parser of ISO 8601 takes.
    expiresOn: formatSecond(claims.exp),
    access_token: token,
    token_type: 'Bearer',
    expires_in: claims.exp - claims.iat,
  })
}

/** `{ error, code }`: MultiSet's own samples show `error` to people. It knows no 422. */
export const formatMultisetProblem: FormatProblem = (problem) => {
  const status = problemStatus(problem)
  return {
    status: status === 422 ? 400 : status,
    code: problem.code,
    body: JSON.stringify({ error: problem.detail, code: problem.code }),
    headers: { ...problem.headers, 'content-type': 'application/json' },
  }
}
