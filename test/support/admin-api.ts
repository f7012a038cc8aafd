// Calls to a running server that many tests need: its admin API, a claim, and whoami.

import { expect } from 'vitest'
import { ADMIN_TOKEN } from './server.ts'
import type { Json } from './wire.ts'

/** Calls the admin API of the server at `url`. Expects `status`; resolves to the body, undefined when it is empty. */
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

/** Claims a token for `origin` with an account token. Resolves to the answer, or to the refusal's status and code. */
export async function claim(url: string, token: string, origin: string, more: object = {}): Promise<Json> {
  const response = await fetch(`${url}/auth/claim`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, origin, ...more }),
  })
  const body = (await response.json()) as Json
  return response.status === 200 ? body : { refusal: `${response.status} ${body.error}` }
}

/** The verdict of the service's own verifier on a token: `200`, or status and code. */
export async function whoami(url: string, token: string, origin: string): Promise<string> {
  const response = await fetch(`${url}/auth/whoami`, {
    headers: { authorization: `Bearer ${token}`, origin },
  })
  const body = (await response.json()) as Json
  return response.status === 200 ? '200' : `${response.status} ${body.error}`
}
