// Builds OAuth requests, and checks what all answers to them have in common.

import { expect } from 'vitest'
import type { Json, WireAnswer, WireRequest } from './wire.ts'
import type { World } from './world.ts'

export const FORM_TYPE = 'application/x-www-form-urlencoded'
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Parameters of a form. A list sends its name once for each value; undefined leaves the parameter out. */
export type Members = Readonly<Record<string, string | readonly string[] | undefined>>
export type Headers = NonNullable<WireRequest['headers']>

export function formOf(members: Members): string {
  const form = new URLSearchParams()
  for (const [name, values] of Object.entries(members)) {
    for (const value of [values ?? []].flat()) form.append(name, value)
  }
  return form.toString()
}

export function basicOf(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

export function postForm(path: string, members: Members, headers: Headers = {}): WireRequest {
  return { method: 'POST', path, headers: { 'content-type': FORM_TYPE, ...headers }, body: formOf(members) }
}

/** A token request with the grant `client_credentials`. The caller adds client authentication, in `members` or `headers`. */
export function tokenForm(members: Members, headers: Headers = {}): WireRequest {
  return postForm('/oauth/token', { grant_type: 'client_credentials', ...members }, headers)
}

/** Parameters that authenticate a client by a JWT assertion (RFC 7523 section 2.2), and `more`. */
export function asserting(assertion: string, more: Members = {}): Members {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion, ...more }
}

/** A Basic `Authorization` header with the client id and secret of the world's account. */
export function asMain(world: World): Headers {
  return { authorization: basicOf(world.clientId, world.clientSecret) }
}

/** Checks a refusal: status, `error`, the format of RFC 6749 section 5.2, and that it contains no secret. */
export function expectRefusal(answer: WireAnswer, status: number, error: string, world: World): void {
  expect(`${answer.status} ${answer.headers.get('content-type')}`, answer.text).toBe(
    `${status} application/json`,
  )
  const body: Json = answer.json()
  expect(Object.keys(body).sort()).toEqual(['error', 'error_description', 'error_uri'])
  expect(body.error).toBe(error)
  expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
  expect(body.error_uri).toMatch(/^https?:\/\/[^#]*\/docs#[a-z_]+$/)
  expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Basic realm="claimgate"' : null)
  expectSealed(answer)
  for (const secret of [world.clientSecret, world.token]) expect(answer.text).not.toContain(secret)
}

/** Checks the headers that every answer must have: no-store, a request id, no CORS headers. */
export function expectSealed({ headers }: WireAnswer): void {
  expect([headers.get('cache-control'), headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
  expect(headers.get('x-request-id')).toMatch(/^[0-9A-Za-z]{16}$/)
  expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
}
