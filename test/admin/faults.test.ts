// Refused changes of accounts, credentials, revocations and keys, one row for each fault: the answer, and that nothing was
// changed or recorded. Refused creations of accounts are in test/runtime/admin-account-rows.ts.

import { beforeAll, describe, expect, test } from 'vitest'
import { createClientSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { listRules } from '../support/records.ts'
import type { WireRequest } from '../support/wire.ts'
import { type AdminService, NOW, startAdmin } from './service.ts'

interface Fault {
  readonly rule: string
  /** In the path, `:account`, `:id`, `:revoked`, `:expired` and `:keys` are replaced by ids. */
  readonly call: readonly [method: string, path: string]
  readonly body?: unknown
  readonly more?: Partial<WireRequest>
  readonly expect: readonly [status: number, code: string, ...parameters: string[]]
}

const PATCH = ['PATCH', '/admin/accounts/:account'] as const
const CREATE = ['POST', '/admin/accounts/:account/credentials'] as const
const ROTATE = ['POST', '/admin/credentials/:id/rotate'] as const
const REVOKE = ['POST', '/admin/revocations'] as const
const ROTATE_KEYS = ['POST', '/admin/keys/rotate'] as const
const CALLS = [PATCH, CREATE, ROTATE, REVOKE, ROTATE_KEYS]

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? 'nothing'

/** Rows for one wrong member: 422, and the refusal names it. */
const wrong = (call: Fault['call'], parameter: string, ...values: readonly unknown[]): readonly Fault[] =>
  values.map((value) => ({
    rule: `${parameter} = ${shown(value)}`,
    call,
    body: { [parameter]: value },
    expect: [422, 'invalid_request', parameter],
  }))

const notFound = [404, 'not_found'] as const
const conflict = [409, 'conflict'] as const
const malformed = [400, 'invalid_request'] as const
const unsupported = [415, 'unsupported_media_type'] as const
const tooLarge = [413, 'payload_too_large'] as const

const bodies: readonly Fault[] = CALLS.flatMap((call) => [
  ...['{', '[]', '"text"', 'null', '7', '{"a":1,}', '{"a":1,"a":1}', '{}{}', ' '].map(
    (body): Fault => ({ rule: `body ${body}`, call, body, expect: malformed }),
  ),
  ...['text/plain', 'application/x-www-form-urlencoded', 'application/merge-patch+json', ''].map(
    (type): Fault => ({
      rule: `media type "${type}"`,
      call,
      body: '{}',
      more: { headers: { 'content-type': type } },
      expect: unsupported,
    }),
  ),
  { rule: 'a body that is too large', call, body: ' '.repeat(65_537), expect: tooLarge },
  {
    rule: 'a chunked body that is too large',
    call,
    body: ' '.repeat(65_537),
    more: { chunked: true },
    expect: tooLarge,
  },
  {
    rule: 'the media type is checked before the size',
    call,
    body: ' '.repeat(65_537),
    more: { headers: { 'content-type': 'text/csv' } },
    expect: unsupported,
  },
  {
    rule: 'unknown members',
    call,
    body: { colour: 1, id: 'x', constructor: 1 },
    expect: [422, 'invalid_request', 'colour', 'constructor', 'id'],
  },
  {
    rule: 'a secret sent as a member name is not repeated',
    call,
    body: { cgk_a_b_c: 1 },
    expect: [422, 'invalid_request', 'body'],
  },
])

/** Calls that need input refuse an empty body. */
const empty: readonly Fault[] = [PATCH, REVOKE].flatMap((call) => [
  { rule: 'no body', call, expect: unsupported },
  { rule: 'an empty body', call, body: '', expect: malformed },
])

const unknown: readonly Fault[] = [
  ['PATCH', '/admin/accounts/acct_nobody', { name: 'Other' }],
  ['PATCH', '/admin/accounts/acct_nobody', {}],
  ['PATCH', '/admin/accounts/%00', { name: 'Other' }],
  ['DELETE', '/admin/accounts/acct_nobody', undefined],
  ['DELETE', '/admin/accounts/:id', undefined],
  ['POST', '/admin/accounts/acct_nobody/credentials', {}],
  ['POST', '/admin/credentials/nobody/rotate', {}],
  ['POST', '/admin/credentials/__proto__/rotate', {}],
  ['POST', '/admin/credentials/:account/rotate', {}],
  ['DELETE', '/admin/credentials/nobody', undefined],
  ['DELETE', '/admin/credentials/:revoked', undefined],
].map(([method, path, body]) => ({
  rule: `an unknown id, ${shown(body)}`,
  call: [method as string, path as string],
  body,
  expect: notFound,
}))

const methods: readonly Fault[] = [
  ['PUT', '/admin/accounts/:account'],
  ['GET', '/admin/accounts/:account/credentials'],
  ['GET', '/admin/credentials/:id'],
  ['PATCH', '/admin/credentials/:id'],
  ['GET', '/admin/credentials/:id/rotate'],
  ['GET', '/admin/revocations'],
  ['DELETE', '/admin/keys'],
  ['GET', '/admin/keys/rotate'],
].map(([method = '', path = '']) => ({
  rule: 'a method that the path does not have',
  call: [method, path],
  expect: [405, 'method_not_allowed'],
}))

const accounts: readonly Fault[] = [
  ...wrong(PATCH, 'name', null, 7, '', 'a'.repeat(201), '\ud800'),
  ...wrong(
    PATCH,
    'allowedOrigins',
    null,
    [],
    ['*', 'https://a.example'],
    ['https://*.com'],
    'https://a.example',
  ),
  ...wrong(PATCH, 'scopes', null, 'read', ['a b'], [7]),
  ...wrong(PATCH, 'maxTtl', 9, 86_401, 60.5, '60', true),
  ...wrong(PATCH, 'browserPrototype', null, 'true', 1),
  ...wrong(PATCH, 'requireOrigin', null, 'true', 1),
  ...wrong(PATCH, 'status', null, 'deleted', 'Active', '', true, ['active']),
  {
    rule: 'one wrong member among correct ones',
    call: PATCH,
    body: { name: 'Other', status: 'suspended', maxTtl: 1 },
    expect: [422, 'invalid_request', 'maxTtl'],
  },
]

const credentials: readonly Fault[] = [
  ...wrong(CREATE, 'name', null, 7, '', 'a'.repeat(201), '\ud800'),
  ...wrong(CREATE, 'scopes', null, 'read', ['a b'], ['admin'], ['read', 'admin'], ['Read']),
  ...wrong(
    CREATE,
    'expiresAt',
    new Date(NOW).toISOString(),
    '2025-12-31T23:59:59Z',
    '2026-01-01T14:00:00+02:00',
    '2026-02-30T00:00:00Z',
    '2030-01-01T00:00:00',
    '2030-01-01',
    'tomorrow',
    '',
    1_900_000_000,
    {},
  ),
  ...wrong(CREATE, 'browserPrototype', null, 'false', 0),
  ...wrong(CREATE, 'allowLocalhost', null, 'false', 0),
  ...wrong(ROTATE, 'overlap', null, -1, 2_592_001, 1.5, '60', true, 1e300),
  { rule: 'a revoked credential', call: ['POST', '/admin/credentials/:revoked/rotate'], expect: conflict },
  { rule: 'an expired credential', call: ['POST', '/admin/credentials/:expired/rotate'], expect: conflict },
  {
    rule: 'a credential with registered keys',
    call: ['POST', '/admin/credentials/:keys/rotate'],
    expect: conflict,
  },
  ...[{ force: 'true' }, { force: 1 }, { force: null }].map(
    (body): Fault => ({
      rule: shown(body),
      call: ROTATE_KEYS,
      body,
      expect: [422, 'invalid_request', 'force'],
    }),
  ),
  { rule: 'the pending key is too young', call: ROTATE_KEYS, expect: conflict },
  {
    rule: 'the pending key is too young, and force is false',
    call: ROTATE_KEYS,
    body: { force: false },
    expect: conflict,
  },
]

const named = [
  { jti: 'a', sub: 'acct_a' },
  { jti: 'a', kid: 'a' },
  { clientId: 'a', sub: 'acct_a', kid: 'a', jti: 'a' },
  {},
  { issuedBefore: 0 },
]
const revocations: readonly Fault[] = [
  ...named.map(
    (body): Fault => ({ rule: shown(body), call: REVOKE, body, expect: [422, 'invalid_request', 'body'] }),
  ),
  ...wrong(REVOKE, 'jti', null, 7, '', 'a b', 'ü', 'a\n', 'a'.repeat(257)),
  // A secret pasted by mistake would end up in the audit log.
  ...wrong(REVOKE, 'jti', formatAccountToken(createClientSecret())),
  ...wrong(REVOKE, 'clientId', null, 7, '', 'a_b', 'a-b', 'a'.repeat(65), 'a\n'),
  ...wrong(REVOKE, 'sub', null, 7, '', 'a', 'acct_', 'acct_a_b', 'acct_a\n', `acct_${'a'.repeat(65)}`),
  ...wrong(REVOKE, 'kid', null, 7, '', 'a=', 'a+b', 'a'.repeat(129), 'a\n'),
  ...[
    null,
    '',
    'now',
    '2025-01-01',
    '2025-01-01T00:00:00',
    '2025-02-30T00:00:00Z',
    String(NOW / 1000 - 60),
    true,
    {},
    // Epoch milliseconds, and times that no clock shows.
    NOW,
    NOW / 1000 + 0.001,
    1e300,
    -1e300,
    -1,
    '0001-01-01T00:00:00Z',
    new Date(NOW + 1).toISOString(),
    '2026-01-01T13:00:00.250+00:59',
    '9999-12-31T23:59:59Z',
  ].map(
    (issuedBefore): Fault => ({
      rule: `issuedBefore = ${shown(issuedBefore)}`,
      call: REVOKE,
      body: { jti: 'a', issuedBefore },
      expect: [422, 'invalid_request', 'issuedBefore'],
    }),
  ),
]

describe.each([
  ['bodies', bodies],
  ['no body', empty],
  ['unknown ids', unknown],
  ['methods', methods],
  ['accounts', accounts],
  ['credentials and keys', credentials],
  ['revocations', revocations],
])('%s', (_, rows) => {
  let service: AdminService
  let ids: Readonly<Record<string, string>>
  let before: unknown
  beforeAll(async () => {
    service = await startAdmin()
    const { account, credential } = await service.createAccount()
    const path = `/admin/accounts/${account.id}/credentials`
    const jwks = { keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }
    const add = async (body: object) => (await service.demand(201, 'POST', path, body)).credential.id
    service.setNow(NOW - 60_000)
    const expired = await add({ expiresAt: new Date(NOW).toISOString() })
    service.setNow(NOW)
    ids = {
      account: account.id,
      id: credential.id,
      revoked: await add({}),
      expired,
      keys: await add({ jwks }),
    }
    await service.demand(204, 'DELETE', `/admin/credentials/${ids.revoked}`)
    service.told.length = 0
    before = await takeStock()
  })

  /** Everything that a refused change must leave unchanged. */
  async function takeStock(): Promise<unknown> {
    const { storage, keyLife } = service
    const found = await storage.getAccount(ids.account ?? '')
    const held = await storage.listCredentials(ids.account ?? '')
    const rules = await listRules(storage, NOW)
    return [found, held, rules, await storage.listAudit(undefined, 200), await keyLife.list(), service.told]
  }

  test.each(rows.map((row) => ({ ...row, name: `${row.call.join(' ')}: ${row.rule}` })))(
    '$name',
    async (row) => {
      const [method, path] = row.call
      const asked = path.replaceAll(/:(\w+)/g, (_whole, name: string) => ids[name] ?? '')
      const answer = await service.ask(method, asked, row.body, row.more)
      const [status, code, ...parameters] = row.expect
      expect([answer.status, answer.headers.get('content-type')], answer.text).toEqual([
        status,
        'application/problem+json',
      ])
      const problem = answer.json()
      expect(problem).toMatchObject({ status, error: code, detail: expect.stringMatching(/\w+ \w+/) })
      const names = problem.errors?.map((fault: { parameter: string }) => fault.parameter.split('.')[0])
      expect([...new Set(names)].sort()).toEqual([...parameters].sort())
      expect(await takeStock()).toEqual(before)
    },
  )
})
