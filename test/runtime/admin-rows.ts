// The order of checks in the admin API: authentication first, then path, method, media type, size, JSON, parameters. One
// rule a row.

import type { RuntimeRow } from '../support/rows.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { WireRequest } from '../support/wire.ts'
import { SITE, type World } from '../support/world.ts'

export interface AdminRow extends RuntimeRow {
  readonly request: (world: World) => WireRequest
  /** Status and code, on 422 also the parameters; or what the account of a 201 must hold. */
  readonly expect:
    | readonly [status: number, code: string, ...parameters: string[]]
    | Readonly<Record<string, unknown>>
  /** Methods that the `Allow` header of a 405 must name. */
  readonly allows?: readonly string[]
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** A request with the admin token. */
export function asAdmin(method: string, path: string, more: Partial<WireRequest> = {}): WireRequest {
  return { method, path, ...more, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...more.headers } }
}

/** A request that creates an account, with this text as the body. */
export function postText(body: string | Uint8Array, more: Partial<WireRequest> = {}): WireRequest {
  return asAdmin('POST', '/admin/accounts', { body, ...more, headers: { ...JSON_TYPE, ...more.headers } })
}

/** A request that creates an account: valid, except where `members` are wrong. */
export function postAccount(members: object): WireRequest {
  return postText(JSON.stringify({ name: 'Row', allowedOrigins: [SITE], ...members }))
}

/** Requests to all parts of the admin API. None may show anything without the right token. */
const requests: readonly (readonly [name: string, request: WireRequest])[] = [
  ['a listing', asAdmin('GET', '/admin/accounts')],
  ['a good account', postAccount({})],
  ['the bare path', asAdmin('GET', '/admin')],
  ['an unknown path', asAdmin('GET', '/admin/nowhere')],
  ['an unknown path, POST', asAdmin('POST', '/admin/nowhere', { headers: JSON_TYPE, body: '{' })],
  ['an unknown account', asAdmin('GET', '/admin/accounts/acct_nobody')],
  ['the audit log', asAdmin('GET', '/admin/audit')],
  ['a change', asAdmin('PATCH', '/admin/accounts/acct_nobody', { headers: JSON_TYPE, body: '{}' })],
  ['a deletion', asAdmin('DELETE', '/admin/accounts/acct_nobody')],
  [
    'a new credential',
    asAdmin('POST', '/admin/accounts/acct_nobody/credentials', { headers: JSON_TYPE, body: '{}' }),
  ],
  ['a rotation', asAdmin('POST', '/admin/credentials/nobody/rotate')],
  ['the end of a credential', asAdmin('DELETE', '/admin/credentials/nobody')],
  ['a revocation', asAdmin('POST', '/admin/revocations', { headers: JSON_TYPE, body: '{"jti":"a"}' })],
  ['the keys', asAdmin('GET', '/admin/keys')],
  ['a rotation of keys', asAdmin('POST', '/admin/keys/rotate')],
  ['HEAD', asAdmin('HEAD', '/admin/accounts')],
  ['a wrong method', asAdmin('PUT', '/admin/accounts', { headers: JSON_TYPE, body: '{}' })],
  ['a wrong method on the audit log', asAdmin('DELETE', '/admin/audit')],
  ['OPTIONS', asAdmin('OPTIONS', '/admin/accounts')],
  [
    'a preflight',
    asAdmin('OPTIONS', '/admin/accounts', {
      headers: {
        origin: SITE,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    }),
  ],
  ['OPTIONS of an unknown path', asAdmin('OPTIONS', '/admin/nowhere')],
  ['another media type', postText('{}', { headers: { 'content-type': 'text/plain' } })],
  ['a body that is too large', postText('x'.repeat(70_000))],
  ['malformed JSON', postText('{')],
  ['a faulty account', postText('{}')],
  ['a bad limit', asAdmin('GET', '/admin/accounts?limit=0')],
  ['a malformed query', asAdmin('GET', '/admin/audit?%zz')],
  ['a request from an allowed page', asAdmin('GET', '/admin/accounts', { headers: { origin: SITE } })],
]

const credentials: readonly (readonly [name: string, authorization: (world: World) => string])[] = [
  ['a wrong token of the right length', () => `Bearer ${'x'.repeat(ADMIN_TOKEN.length)}`],
  ['one character more', () => `Bearer ${ADMIN_TOKEN}x`],
  ['one character less', () => `Bearer ${ADMIN_TOKEN.slice(0, -1)}`],
  ['another last character', () => `Bearer ${ADMIN_TOKEN.slice(0, -1)}x`],
  ['another case', () => `Bearer ${ADMIN_TOKEN.toUpperCase()}`],
  ['the token twice', () => `Bearer ${ADMIN_TOKEN} ${ADMIN_TOKEN}`],
  ['Bearer and nothing', () => 'Bearer'],
  ['no scheme', () => ADMIN_TOKEN],
  ['another scheme', () => `Basic ${ADMIN_TOKEN}`],
  ['Basic with the token as password', () => `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}`],
  ["a customer's account token", (world) => `Bearer ${world.token}`],
]

const refused = [401, 'unauthorized'] as const

const wrongTokenRows: readonly AdminRow[] = [
  ...requests.map(([name, { headers: { authorization: _, ...headers } = {}, ...request }]): AdminRow => {
    return { rule: `no token, ${name}`, request: () => ({ ...request, headers }), expect: refused }
  }),
  ...requests.map(([name, request]): AdminRow => {
    const headers = { ...request.headers, authorization: `Bearer ${ADMIN_TOKEN}x` }
    return { rule: `wrong token, ${name}`, request: () => ({ ...request, headers }), expect: refused }
  }),
  ...credentials.map(
    ([name, authorization]): AdminRow => ({
      rule: name,
      request: (world) =>
        asAdmin('GET', '/admin/accounts', { headers: { authorization: authorization(world) } }),
      expect: refused,
    }),
  ),
  ...['token', 'access_token'].map(
    (name): AdminRow => ({
      rule: `the token in the query as ${name}`,
      request: () => ({ method: 'GET', path: `/admin/accounts?${name}=${ADMIN_TOKEN}` }),
      expect: refused,
    }),
  ),
]

/** Each request has its own client address, because wrong tokens are limited by address. */
export const authRows: readonly AdminRow[] = wrongTokenRows.map((row, index) => ({
  ...row,
  request: (world) => ({ ...row.request(world), from: `127.1.0.${index + 1}` }),
}))

const notFound = [404, 'not_found'] as const

export const pathRows: readonly AdminRow[] = [
  ...[
    '/admin',
    '/admin/',
    '/admin/nowhere',
    '/admin/accounts/',
    '/admin/account',
    '/admin/Accounts',
    '/admin/accounts/acct_nobody',
    '/admin/accounts/acct_nobody/nowhere',
    '/admin/accounts/__proto__',
    '/admin/accounts/%00',
    '/admin/accounts/%zz',
    '/admin/accounts/..%2Faudit',
    '/admin/accounts/%25',
    `/admin/accounts/${'a'.repeat(4000)}`,
  ].map(
    (path): AdminRow => ({
      rule: `GET ${path.slice(0, 60)}`,
      request: () => asAdmin('GET', path),
      expect: notFound,
    }),
  ),
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(
    (method): AdminRow => ({
      rule: `${method} of an unknown path is 404 whatever is sent`,
      request: () =>
        asAdmin(method, '/admin/nowhere', {
          ...(method !== 'OPTIONS' && { headers: { 'content-type': 'text/csv' }, body: '{' }),
        }),
      expect: notFound,
    }),
  ),
  ...(
    [
      ['PUT', '/admin/accounts', ['GET', 'POST']],
      ['DELETE', '/admin/accounts', ['GET', 'POST']],
      ['PUT', '/admin/accounts/acct_nobody', ['GET']],
      ['POST', '/admin/accounts/acct_nobody', ['GET']],
      ['POST', '/admin/audit', ['GET']],
      ['DELETE', '/admin/audit', ['GET']],
    ] as const
  ).map(
    ([method, path, allows]): AdminRow => ({
      rule: `${method} ${path} is refused before its media type is checked`,
      request: () => asAdmin(method, path, { headers: { 'content-type': 'text/csv' }, body: 'x' }),
      expect: [405, 'method_not_allowed'],
      allows,
    }),
  ),
]

const type = (contentType: string | undefined, body = '{}'): WireRequest =>
  asAdmin('POST', '/admin/accounts', {
    body,
    ...(contentType !== undefined && { headers: { 'content-type': contentType } }),
  })
const unsupported = [415, 'unsupported_media_type'] as const
const malformed = [400, 'invalid_request'] as const
const both = ['name', 'allowedOrigins']

export const bodyRows: readonly AdminRow[] = [
  ...[
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/merge-patch+json',
    'application/jsonp',
    'application/json; charset=iso-8859-1',
    'text/json',
  ].map((text): AdminRow => ({ rule: `media type ${text}`, request: () => type(text), expect: unsupported })),
  { rule: 'no media type', request: () => type(undefined), expect: unsupported },
  {
    rule: 'the media type is checked before the size',
    request: () => type('text/csv', 'x'.repeat(70_000)),
    expect: unsupported,
  },
  {
    rule: 'the media type is checked before the JSON',
    request: () => type('text/csv', '{'),
    expect: unsupported,
  },
  {
    rule: 'a media type in any case with a quoted charset',
    request: () => type('Application/JSON; Charset="UTF-8"'),
    expect: [422, 'invalid_request', ...both],
  },
  {
    rule: 'size with a length',
    request: () => postText(`{"name":"${'x'.repeat(70_000)}"}`),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'size, chunked',
    request: () => postText(`{"name":"${'x'.repeat(70_000)}"}`, { chunked: true }),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'the size is checked before the JSON',
    request: () => postText('x'.repeat(70_000)),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'a body of 40 000 bytes is accepted',
    request: () => postText(`{${' '.repeat(40_000)}}`),
    expect: [422, 'invalid_request', ...both],
  },
  ...['', ' ', '{', '{"name":"Row",}', "{'name':1}", '{"name":NaN}', '{}{}', '[]', '"text"', '7', 'null'].map(
    (text): AdminRow => ({ rule: `body ${text}`, request: () => postText(text), expect: malformed }),
  ),
  {
    rule: 'an account in a list',
    request: () => postText(JSON.stringify([{ name: 'Row', allowedOrigins: [SITE] }])),
    expect: malformed,
  },
  {
    rule: 'a name twice, equal values',
    request: () => postText(`{"name":"Row","name":"Row","allowedOrigins":["${SITE}"]}`),
    expect: malformed,
  },
  {
    rule: 'a name twice, one escaped',
    request: () => postText(`{"name":"Row","\\u006eame":"Other","allowedOrigins":["${SITE}"]}`),
    expect: malformed,
  },
  {
    rule: 'a name twice inside',
    request: () => postText(`{"name":"Row","allowedOrigins":[{"a":1,"a":1}]}`),
    expect: malformed,
  },
  {
    rule: 'invalid UTF-8',
    request: () =>
      postText(Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff]), Buffer.from('"}')])),
    expect: malformed,
  },
  {
    rule: 'the JSON is checked before the parameters',
    request: () => postText('{"colour":1,}'),
    expect: malformed,
  },
]
