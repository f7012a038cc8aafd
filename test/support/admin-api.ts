// The admin API of a running server, for tests that are about something else.

import { expect } from 'vitest'
import { ADMIN_TOKEN } from './server.ts'
import type { Json } from './wire.ts'

/** Calls the admin API at `url`; expects `status` and gives the body, undefined when there is none. */
export async function admin(
  url: string,
  method: string,
  path: string,
  { body, status = 200 }: { readonly body?: object; readonly status?: number } = {},
): Promise<Json> {
  const response = await fetch(`${url}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(`${method} ${path} ${response.status}`, text).toBe(`${method} ${path} ${status}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** A token of an account token for `origin`, or the refusal's status and code. */
export async function claim(url: string, token: string, origin: string, more: object = {}): Promise<Json> {
  const response = await fetch(`${url}/auth/claim`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, origin, ...more }),
  })
  const body = (await response.json()) as Json
  return response.status === 200 ? body : { refusal: `${response.status} ${body.error}` }
}

/** What the service's own verifier says of a token: `200`, or status and code. */
export async function whoami(url: string, token: string, origin: string): Promise<string> {
  const response = await fetch(`${url}/auth/whoami`, {
    headers: { authorization: `Bearer ${token}`, origin },
  })
  const body = (await response.json()) as Json
  return response.status === 200 ? '200' : `${response.status} ${body.error}`
}
