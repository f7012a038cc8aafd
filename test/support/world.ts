// The accounts that the tests of all runtimes use, created through the admin API of the runtime under test.

import { expect } from 'vitest'
import { createSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { ADMIN_TOKEN } from './server.ts'
import type { Json, Target, WireAnswer, WireRequest } from './wire.ts'

export const SITE = 'https://www.example.com'
export const APP = 'capacitor://localhost'

export interface World extends Target {
  /** Account token of the main account. Scopes: `read write`. Origins: `SITE`, localhost, a wildcard and `APP`. */
  readonly token: string
  readonly clientId: string
  readonly clientSecret: string
  readonly accountId: string
  /** An account token of the same credential with a wrong secret and a valid checksum. */
  readonly wrong: string
  /** Account token of a second account, with `maxTtl` 600 and the origin `*`. */
  readonly open: string
}

export async function createWorld(target: Target): Promise<World> {
  const main = await createAccount(target, {
    name: 'Main',
    allowedOrigins: [SITE, 'http://localhost:*', 'https://*.wild.example.com', APP],
    scopes: ['read', 'write'],
  })
  const open = await createAccount(target, { name: 'Open', allowedOrigins: ['*'], maxTtl: 600 })
  return {
    ...target,
    token: main.credential.token,
    clientId: main.credential.clientId,
    clientSecret: main.credential.clientSecret,
    accountId: main.account.id,
    wrong: formatAccountToken({ clientId: main.credential.clientId, clientSecret: createSecret() }),
    open: open.credential.token,
  }
}

export async function createAccount(target: Target, body: object): Promise<Json> {
  const answer = await target.send({
    method: 'POST',
    path: '/admin/accounts',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status, answer.text).toBe(201)
  return answer.json()
}

/** A claim with a JSON body. Undefined members are omitted. */
export function claimRequest(body: object, extra: Partial<WireRequest> = {}): WireRequest {
  return {
    method: 'POST',
    path: '/auth/claim',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...extra,
  }
}

/** Claims a token for the main account. */
export async function claimToken(world: World, more: object = {}): Promise<string> {
  const answer = await world.send(claimRequest({ token: world.token, origin: SITE, ...more }))
  expect(answer.status, answer.text).toBe(200)
  return answer.json().token
}

/** The payload of a token, without verification. */
export function payloadOf(token: string): Json {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** Expects a problem document with this status and code, and no secret in it. Returns the document. */
export function expectProblem(answer: WireAnswer, status: number, code: string, world: World): Json {
  expect(`${answer.status} ${answer.headers.get('content-type')}`, answer.text).toBe(
    `${status} application/problem+json`,
  )
  const problem = answer.json()
  expect(problem).toMatchObject({ status, error: code, requestId: answer.headers.get('x-request-id') })
  expect(new URL(problem.type).hash).toBe(`#${code}`)
  expect(problem.title).toEqual(expect.any(String))
  expect(problem.detail).toEqual(expect.any(String))
  for (const secret of [world.clientSecret, world.token, world.wrong])
    expect(answer.text).not.toContain(secret)
  if (status === 401) expect(answer.headers.get('www-authenticate')).toBeTruthy()
  if (status === 422) expect(problem.errors.length).toBeGreaterThan(0)
  return problem
}
