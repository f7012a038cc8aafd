// MultiSet's endpoint on the wire: the client id and secret in the header and the body, the answer, the refusals.

import { readBasic } from '../http/authorization.ts'
import { formatSecond } from '../http/context.ts'
import { type FormatProblem, problemStatus } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { IssuedToken } from './issue.ts'
import { parseBody } from './sources.ts'

/** The pair of a Basic header. Not form-decoded: ids and secrets are base62, which encoding does not change. */
export function readBasicPair(headers: Headers): ClientSecret | undefined {
  const basic = readBasic(headers)
  return basic?.ok ? { clientId: basic.value.user, clientSecret: basic.value.password } : undefined
}

/** The client id and secret in a body, each of any JSON type; undefined when absent or null. */
export interface BodyPair {
  readonly clientId?: unknown
  readonly clientSecret?: unknown
}

/**
 * The pair in a JSON object, whose other members are ignored; an empty body has none. Fails when the body is anything else.
 * Does not check the Content-Type.
 */
export function readBodyPair(bytes: Uint8Array): Result<BodyPair, string> {
  const members = parseBody(bytes, 'json')
  if (!members.ok) return fail(members.reason)
  return ok({ clientId: members.value.get('clientId'), clientSecret: members.value.get('clientSecret') })
}

/** The JSON body of a 200. Some clients read `token`, others `access_token`. */
export function formatMultisetAnswer({ token, claims }: IssuedToken): string {
  return JSON.stringify({
    token,
    // Whole seconds: not every parser of ISO 8601 accepts a fraction.
    expiresOn: formatSecond(claims.exp),
    access_token: token,
    token_type: 'Bearer',
    expires_in: claims.exp - claims.iat,
  })
}

/** `{ error, code }`. MultiSet's own samples show `error` to people, and its clients do not expect a 422: it becomes 400. */
export const formatMultisetProblem: FormatProblem = (problem) => {
  const status = problemStatus(problem)
  return {
    status: status === 422 ? 400 : status,
    code: problem.code,
    body: JSON.stringify({ error: problem.detail, code: problem.code }),
    headers: { ...problem.headers, 'content-type': 'application/json' },
  }
}
