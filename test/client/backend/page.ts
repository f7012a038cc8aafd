// A page that asks a client-token endpoint, and the checks of every answer.

import { expect } from 'vitest'
import {
  type ClientTokenEndpointOptions,
  createClaimClient,
  createClientTokenEndpoint,
} from '../../../src/client/backend/index.ts'
import type { Json } from '../../support/wire.ts'
import { SITE, type World } from '../../support/world.ts'
import { API, expectNoSecret } from './issuer.ts'

export const URI = 'https://backend.example.com/api/client-token'
export const LOCAL = 'http://localhost:5173'
export const WILD = 'https://a.b.wild.example.com'
export const APP = 'capacitor://localhost'
export const STRANGER = 'https://evil.example'
const LIST = [SITE, 'https://*.wild.example.com', 'http://localhost:*', APP]

export type Options = Partial<ClientTokenEndpointOptions>

export interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  /** Address of the socket's peer. */
  readonly ip?: string
}

/** Sends a request to an endpoint that uses the world's account. Default: POST from SITE, without a body. */
export async function ask(world: World, options: Options = {}, asked: Asked = {}): Promise<Response> {
  const { issuer, token } = world
  const endpoint = createClientTokenEndpoint(createClaimClient({ issuer, token }), {
    authenticate: 'public',
    baseUrl: API,
    allowedOrigins: LIST,
    onError: () => undefined,
    ...options,
  })
  const { method = 'POST', headers = { origin: SITE }, body, ip } = asked
  const init = { method, headers, ...(body !== undefined && { body, duplex: 'half' }) }
  const request = new Request(URI, init as RequestInit)
  return ip === undefined ? endpoint(request) : endpoint(request, { ip })
}

/** The JSON of a 200, after checks of its headers. */
export async function good(world: World, answer: Response): Promise<Json> {
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/json')
  expectCommon(answer)
  expectNoSecret(text, world)
  return JSON.parse(text)
}

/** The problem of a refusal, after checks of its headers and members. */
export async function problem(world: World, answer: Response, status: number, code: string): Promise<Json> {
  const text = await answer.text()
  expect(`${answer.status} ${answer.headers.get('content-type')}`, text).toBe(
    `${status} application/problem+json`,
  )
  expectCommon(answer)
  expectNoSecret(text, world)
  const body = JSON.parse(text)
  const requestId = answer.headers.get('x-request-id')
  expect(body).toMatchObject({
    status,
    error: code,
    requestId,
    title: expect.any(String),
    detail: expect.any(String),
  })
  expect(new URL(body.type).hash).toBe(`#${code}`)
  return body
}

function expectCommon({ headers }: Response): void {
  expect([headers.get('cache-control'), headers.get('vary')]).toEqual(['no-store', 'Origin'])
  expect(headers.get('x-request-id')).toMatch(/^[\w-]{16,}$/)
}

export function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))
}
