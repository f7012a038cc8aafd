// Checks that every answer must pass, whatever the request was: no 5xx except 503 with Retry-After, errors in the documented
// shape of their path, and no secret of the request in the answer.

import { expect } from 'vitest'
import { type ProblemCode, problems } from '../../src/http/problem.ts'
import type { Json } from '../support/wire.ts'

export interface SeenAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Values of `error` at the OAuth endpoints: RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707, RFC 9449, and the service's own
 * `rate_limited`.
 */
const OAUTH_ERRORS: ReadonlySet<string> = new Set([
  ...['invalid_request', 'invalid_client', 'invalid_scope', 'invalid_target', 'unauthorized_client'],
  ...['unsupported_grant_type', 'invalid_dpop_proof', 'rate_limited', 'temporarily_unavailable'],
])

/** Expects an answer below 500, or 503 with Retry-After; a request id; and on an error the documented body and headers. */
export function expectSound(
  answer: SeenAnswer,
  asked: { readonly method: string; readonly path: string },
): void {
  const { status, headers, text } = answer
  const shown = `${asked.method} ${asked.path.slice(0, 300)}: ${status} ${text}`
  if (status !== 503) expect(status, shown).toBeLessThan(500)
  if (status === 503) expect(headers.get('retry-after') ?? '', shown).toMatch(/^\d+$/)
  expect(headers.get('x-request-id') ?? '', shown).toMatch(/^[0-9A-Za-z]{16}$/)
  if (status < 400) return
  // MultiSet's endpoint sends no challenge, because a browser would then ask the visitor for a password.
  if (status === 401 && !/m2m/.test(asked.path)) expect(headers.get('www-authenticate'), shown).toBeTruthy()
  if (asked.method === 'HEAD') return
  const body = JSON.parse(text)
  const type = headers.get('content-type')
  if (type === 'application/problem+json') expectProblem(body, answer, shown)
  else if (type === 'application/json') expectDialect(body, decode(asked.path), shown)
  else expect.fail(`neither a problem nor JSON: ${shown}`)
}

function expectProblem(body: Json, { status, headers }: SeenAnswer, shown: string): void {
  const { error, errors, ...rest } = body
  expect(Object.hasOwn(problems, error), shown).toBe(true)
  expect(rest, shown).toEqual({
    type: expect.stringMatching(new RegExp(`^http://[^#]*/docs#${error}$`)),
    title: problems[error as ProblemCode][1],
    status,
    detail: expect.stringMatching(/./),
    requestId: headers.get('x-request-id'),
  })
  const fault = { parameter: expect.any(String), message: expect.stringMatching(/./) }
  if (status === 422) expect(errors, shown).toEqual(errors.map(() => fault))
  else expect(errors, shown).toBeUndefined()
}

/** Expects OAuth's shape on the OAuth paths, and MultiSet's shape on its paths. */
function expectDialect(body: Json, path: string, shown: string): void {
  if (body.error_description !== undefined) {
    expect(path, shown).toMatch(/oauth/)
    expect(OAUTH_ERRORS, shown).toContain(body.error)
    expect(body.error_description, shown).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    const code = String(body.error_uri).split('#')[1] ?? ''
    expect(Object.hasOwn(problems, code), shown).toBe(true)
  } else {
    expect(path, shown).toMatch(/m2m/)
    expect(body, shown).toEqual({ error: expect.stringMatching(/./), code: expect.any(String) })
    expect(Object.hasOwn(problems, body.code), shown).toBe(true)
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** Expects that none of the texts contains one of the secrets. */
export function expectNoEcho(texts: readonly string[], secrets: readonly string[]): void {
  for (const text of texts) {
    for (const secret of secrets) expect(text.includes(secret), `a secret comes back in ${text}`).toBe(false)
  }
}
