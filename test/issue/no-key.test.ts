// Every issuing endpoint while no signing key may be used: 503 with Retry-After in the endpoint's format, and no log line for
// each request.

import { beforeAll, describe, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json } from '../support/wire.ts'

const ORIGIN = 'https://nokey.example'

let service: MemoryService
let credential: Json

const ask = (method: string, path: string, headers: Readonly<Record<string, string>>, body?: string) =>
  service.send({ method, path, headers, ...(body !== undefined && { body }) })

async function askAdmin(path: string, body: object): Promise<Json> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
  const answer = await ask('POST', path, headers, JSON.stringify(body))
  expect(answer.status, answer.text).toBe(201)
  return answer.json()
}

beforeAll(async () => {
  service = await startMemory()
  // A store that takes no change from now on.
  const { keyLife } = service.deps
  Object.assign(keyLife, { end: () => Promise.reject(new Error('the folder is read-only')) })
  const account = { name: 'A', allowedOrigins: [ORIGIN], browserPrototype: true }
  credential = (await askAdmin('/admin/accounts', account)).credential
  for (const { kid } of await keyLife.list()) await askAdmin('/admin/revocations', { kid })
})

const basic = () => ({
  authorization: `Basic ${btoa(`${credential.clientId}:${credential.clientSecret}`)}`,
})
const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe('503 with Retry-After', () => {
  test.each<[string, () => readonly [headers: Record<string, string>, body: string | undefined]]>([
    ['/auth/claim', () => [{ ...form, authorization: `Bearer ${credential.token}` }, `origin=${ORIGIN}`]],
    ['/oauth/token', () => [{ ...form, ...basic() }, `grant_type=client_credentials&origin=${ORIGIN}`]],
    ['/v1/m2m/token', () => [basic(), undefined]],
    [
      '/api/v1/auth/token',
      () => [{ 'x-client-id': credential.clientId, 'x-client-secret': credential.clientSecret }, undefined],
    ],
  ])('%s', async (path, build) => {
    const [headers, body] = build()
    const lines = service.lines.filter((line) => /"level":"(warn|error)"/.test(line)).length
    const answer = await ask('POST', path, headers, body)
    expect([answer.status, answer.headers.get('retry-after')], answer.text).toEqual([503, '5'])
    expect(answer.text).not.toMatch(/eyJ|revoked/)
    expect(service.lines.filter((line) => /"level":"(warn|error)"/.test(line))).toHaveLength(lines)
  })
})

test('the service is unready, publishes no key, and lists every key as expired', async () => {
  const ready = await ask('GET', '/readyz', {})
  expect([ready.status, ready.json()]).toEqual([
    503,
    { status: 'unready', checks: { database: 'ok', keys: 'failed' } },
  ])
  expect((await ask('GET', '/.well-known/jwks.json', {})).json()).toEqual({ keys: [] })
  const { keys } = (await ask('GET', '/admin/keys', { authorization: `Bearer ${ADMIN_TOKEN}` })).json()
  expect(keys.map(({ state }: Json) => state)).toEqual(['expired', 'expired'])
})
