// Changes that the admin API must refuse. One rule a row; no row changes anything. test/admin/faults.test.ts has longer
// tables.

import type { WireRequest } from '../support/wire.ts'
import type { World } from '../support/world.ts'
import { type AdminRow, asAdmin } from './admin-rows.ts'

type Call = (world: World) => readonly [method: string, path: string]

const patch: Call = (world) => ['PATCH', `/admin/accounts/${world.accountId}`]
const create: Call = (world) => ['POST', `/admin/accounts/${world.accountId}/credentials`]
const rotate: Call = (world) => ['POST', `/admin/credentials/${world.clientId}/rotate`]
const revoke: Call = () => ['POST', '/admin/revocations']
const rotateKeys: Call = () => ['POST', '/admin/keys/rotate']
const calls = { patch, create, rotate, revoke, rotateKeys }

const withBody = (call: Call, body: string, type?: string) => (world: World) => {
  const [method, path] = call(world)
  return asAdmin(method, path, { body, ...(type !== undefined && { headers: { 'content-type': type } }) })
}

/** A row that sends `body` as JSON and expects 422 with these parameters. */
const wrong = (name: keyof typeof calls, body: object, ...parameters: readonly string[]): AdminRow => ({
  rule: `${name} ${JSON.stringify(body).slice(0, 70)}`,
  request: withBody(calls[name], JSON.stringify(body), 'application/json'),
  expect: [422, 'invalid_request', ...parameters],
})

const unknown = (method: string, path: string, more: Partial<WireRequest> = {}): AdminRow => ({
  rule: `${method} ${path}`,
  request: () => asAdmin(method, path, more),
  expect: [404, 'not_found'],
})
const json = (body: string): Partial<WireRequest> => ({
  headers: { 'content-type': 'application/json' },
  body,
})

/** A time in the future by any clock. */
const FUTURE = new Date(Date.now() + 86_400_000).toISOString()

export const changeRows: readonly AdminRow[] = [
  ...Object.entries(calls).flatMap(([name, call]): readonly AdminRow[] => [
    {
      rule: `${name}: another media type`,
      request: withBody(call, '{}', 'text/plain'),
      expect: [415, 'unsupported_media_type'],
    },
    {
      rule: `${name}: no media type`,
      request: withBody(call, '{}'),
      expect: [415, 'unsupported_media_type'],
    },
    {
      rule: `${name}: a body that is too large`,
      request: withBody(call, ' '.repeat(70_000), 'application/json'),
      expect: [413, 'payload_too_large'],
    },
    {
      rule: `${name}: malformed JSON`,
      request: withBody(call, '{"a":1,}', 'application/json'),
      expect: [400, 'invalid_request'],
    },
    {
      rule: `${name}: a list instead of an object`,
      request: withBody(call, '[]', 'application/json'),
      expect: [400, 'invalid_request'],
    },
    {
      rule: `${name}: unknown members`,
      request: withBody(call, '{"colour":1,"id":"x"}', 'application/json'),
      expect: [422, 'invalid_request', 'colour', 'id'],
    },
  ]),
  wrong('patch', { name: '' }, 'name'),
  wrong('patch', { name: null, scopes: null, status: 'deleted' }, 'name', 'scopes', 'status'),
  wrong('patch', { allowedOrigins: [] }, 'allowedOrigins'),
  wrong('patch', { allowedOrigins: ['https://*.github.io'] }, 'allowedOrigins'),
  wrong('patch', { maxTtl: 86_401 }, 'maxTtl'),
  wrong('create', { name: '', expiresAt: 'x', jwks: [] }, 'name', 'expiresAt', 'jwks'),
  wrong('create', { scopes: ['read', 'admin'] }, 'scopes'),
  wrong('create', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'),
  wrong('create', { expiresAt: '2020-13-01' }, 'expiresAt'),
  wrong('create', { jwks: { keys: [{ kty: 'oct', k: 'a'.repeat(43) }] } }, 'jwks'),
  wrong('rotate', { overlap: -1 }, 'overlap'),
  wrong('rotate', { overlap: 2_592_001 }, 'overlap'),
  wrong('rotate', { overlap: '60' }, 'overlap'),
  wrong('revoke', {}, 'body'),
  wrong('revoke', { jti: 'a', sub: 'acct_a' }, 'body'),
  wrong('revoke', { sub: 'shop' }, 'sub'),
  wrong('revoke', { clientId: 'a', issuedBefore: FUTURE }, 'issuedBefore'),
  wrong('revoke', { clientId: 'a', issuedBefore: Date.now() }, 'issuedBefore'),
  wrong('revoke', { clientId: 'a', issuedBefore: '2020-01-01' }, 'issuedBefore'),
  wrong('rotateKeys', { force: 'true' }, 'force'),
  {
    rule: 'rotateKeys: the pending key is too young',
    request: () => asAdmin('POST', '/admin/keys/rotate'),
    expect: [409, 'conflict'],
  },
  unknown('PATCH', '/admin/accounts/acct_nobody', json('{"name":"Other"}')),
  unknown('DELETE', '/admin/accounts/acct_nobody'),
  unknown('POST', '/admin/accounts/acct_nobody/credentials', json('{}')),
  unknown('POST', '/admin/credentials/nobody/rotate'),
  unknown('DELETE', '/admin/credentials/nobody'),
  unknown('DELETE', '/admin/credentials/nobody', { headers: { 'content-type': 'text/csv' }, body: '{' }),
  unknown('GET', '/admin/credentials'),
  unknown('GET', '/admin/revocations/x'),
  unknown('GET', '/admin/keys/x/y'),
  ...(
    [
      ['PUT', '/admin/accounts/acct_nobody', ['GET', 'PATCH', 'DELETE']],
      ['GET', '/admin/credentials/nobody', ['DELETE']],
      ['GET', '/admin/credentials/nobody/rotate', ['POST']],
      ['GET', '/admin/revocations', ['POST']],
      ['DELETE', '/admin/keys', ['GET']],
      ['GET', '/admin/keys/rotate', ['POST']],
    ] as const
  ).map(
    ([method, path, allows]): AdminRow => ({
      rule: `${method} ${path}`,
      request: () => asAdmin(method, path),
      expect: [405, 'method_not_allowed'],
      allows,
    }),
  ),
]
