// The rules of the MultiSet endpoint as rows: a request and the expected answer for each rule.

import type { RuntimeRow } from './rows.ts'
import type { WireRequest } from './wire.ts'
import { APP } from './world.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
export const PAGE = 'https://page.example'
/** An origin that only the account of `People.backend` allows. Its credential is not for pages. */
export const BACKEND_SITE = 'https://backend.example'
/** Origins that are allowed for `People.prototype`: by its account, or because its credential allows localhost. */
export const OPEN: readonly string[] = [
  PAGE,
  'https://a.b.wild-page.example',
  APP,
  'http://localhost',
  'http://localhost:5173',
  'http://127.0.0.1:8080',
  'http://[::1]:3000',
]

interface Pair {
  readonly clientId: string
  readonly clientSecret: string
}

/** The credentials that the rows send. */
export interface People {
  /** A credential with `browserPrototype`, which pages may use. */
  readonly prototype: Pair
  /** A credential that only backends may use. Its account allows `PAGE` and `BACKEND_SITE`. */
  readonly backend: Pair
  /** The id of `prototype` with a wrong secret. */
  readonly wrong: Pair
  /** The account token of the credential `backend`. */
  readonly token: string
}

export interface MultisetRow extends RuntimeRow {
  readonly request: (people: People) => WireRequest
  /** Of a refusal: status and code. Of a success: the origin of the token, null when it has none. */
  readonly expect: readonly [status: number, code: string] | string | null
}

export function basic({ clientId, clientSecret }: Pair): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

/** A token request that sends the pair by Basic authentication. */
function ask(
  pair: Pair,
  headers: WireRequest['headers'] = {},
  extra: Partial<WireRequest> = {},
): WireRequest {
  return {
    method: 'POST',
    path: '/v1/m2m/token',
    headers: { authorization: basic(pair), ...headers },
    ...extra,
  }
}

const backend =
  (headers: WireRequest['headers'] = {}, extra: Partial<WireRequest> = {}) =>
  (people: People) =>
    ask(people.backend, headers, extra)
const withBody = (body: string | Uint8Array, headers: WireRequest['headers'] = JSON_TYPE) =>
  backend(headers, { body })
const withJson = (members: (people: People) => object) => (people: People) =>
  ask(people.backend, JSON_TYPE, { body: JSON.stringify(members(people)) })
export const page = (origin: string, more: WireRequest['headers'] = {}, extra: Partial<WireRequest> = {}) => {
  return (people: People) => ask(people.prototype, { origin, ...more }, extra)
}
const header = (authorization: string | readonly string[]) => () => ({
  method: 'POST',
  path: '/v1/m2m/token',
  headers: { authorization },
})

const UNAUTHORIZED = [401, 'unauthorized'] as const
const MALFORMED = [400, 'invalid_request'] as const
const IN_BROWSER = [403, 'secret_in_browser'] as const
const NOT_ALLOWED = [403, 'origin_not_allowed'] as const

export const bodyRows: readonly MultisetRow[] = [
  // What MultiSet's clients send.
  { rule: 'axios: an empty object', everywhere: true, request: withBody('{}'), expect: null },
  { rule: 'fetch: the pair in the body too', request: withJson(({ backend }) => backend), expect: null },
  {
    rule: 'Unity: text/plain and an empty body',
    everywhere: true,
    request: withBody('', { 'content-type': 'text/plain' }),
    expect: null,
  },
  { rule: 'Python: no body and no media type', everywhere: true, request: backend(), expect: null },
  {
    rule: 'the alias /m2m/token',
    everywhere: true,
    request: backend({}, { path: '/m2m/token' }),
    expect: null,
  },
  {
    rule: 'JSON with another media type',
    request: withBody('{}', { 'content-type': 'text/plain' }),
    expect: null,
  },
  { rule: 'JSON without a media type', request: withBody('{}', {}), expect: null },
  {
    rule: 'a JSON media type and Content-Length: 0',
    everywhere: true,
    request: backend({ ...JSON_TYPE, 'content-length': '0' }),
    expect: null,
  },
  {
    rule: 'the id in the body too',
    request: withJson(({ backend: { clientId } }) => ({ clientId })),
    expect: null,
  },
  {
    rule: 'the secret in the body too',
    request: withJson(({ backend: { clientSecret } }) => ({ clientSecret })),
    expect: null,
  },
  {
    rule: 'null counts as absent',
    request: withJson(() => ({ clientId: null, clientSecret: null })),
    expect: null,
  },
  {
    rule: 'other members are ignored',
    request: withJson(() => ({ ip: 'x', scope: 1, a: { a: [] } })),
    expect: null,
  },
  {
    rule: 'a credential for pages, used by a backend',
    request: ({ prototype }) => ask(prototype),
    expect: null,
  },
  {
    rule: 'another id in the body',
    request: withJson(({ prototype: { clientId } }) => ({ clientId })),
    expect: MALFORMED,
  },
  {
    rule: 'another secret in the body',
    request: withJson(({ wrong: { clientSecret } }) => ({ clientSecret })),
    expect: MALFORMED,
  },
  { rule: 'an empty secret in the body', request: withJson(() => ({ clientSecret: '' })), expect: MALFORMED },
  {
    rule: 'an id in the body that is not a string',
    request: withJson(() => ({ clientId: [] })),
    expect: MALFORMED,
  },
  { rule: 'malformed JSON', request: withBody('{"clientId":'), expect: MALFORMED },
  { rule: 'a body of one space', request: withBody(' '), expect: MALFORMED },
  { rule: 'a JSON array', request: withBody('[]'), expect: MALFORMED },
  { rule: 'JSON null', request: withBody('null'), expect: MALFORMED },
  { rule: 'a text body', request: withBody('hello', { 'content-type': 'text/plain' }), expect: MALFORMED },
  {
    rule: 'a form body',
    request: withBody('a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
    expect: MALFORMED,
  },
  { rule: 'a name twice in the JSON', request: withBody('{"a":1,"a":1}'), expect: MALFORMED },
  {
    rule: 'invalid UTF-8',
    everywhere: true,
    request: withBody(Buffer.from('7b22ff223a317d', 'hex')),
    expect: MALFORMED,
  },
  {
    rule: 'a body of exactly 16384 bytes, chunked',
    everywhere: true,
    request: backend(JSON_TYPE, { body: `{"a":"${'x'.repeat(16_376)}"}`, chunked: true }),
    expect: null,
  },
  ...[true, false].map((chunked) => ({
    rule: `a body of 16385 bytes, ${chunked ? 'chunked' : 'with Content-Length'}`,
    everywhere: true,
    request: backend({}, { body: `{"a":"${'x'.repeat(16_377)}"}`, chunked }),
    expect: [413, 'payload_too_large'] as const,
  })),
]

export const basicRows: readonly MultisetRow[] = [
  {
    rule: 'the scheme in mixed case, base64 without padding',
    request: ({ backend }) => header(basic(backend).replace('Basic', 'bASIC').replace(/=+$/, ''))(),
    expect: null,
  },
  {
    rule: 'no Authorization header',
    everywhere: true,
    request: () => ({ method: 'POST', path: '/v1/m2m/token' }),
    expect: UNAUTHORIZED,
  },
  { rule: 'a wrong secret', everywhere: true, request: ({ wrong }) => ask(wrong), expect: UNAUTHORIZED },
  {
    rule: 'an unknown id',
    request: ({ backend }) => ask({ ...backend, clientId: 'nobody' }),
    expect: UNAUTHORIZED,
  },
  { rule: 'an empty pair', request: () => ask({ clientId: '', clientSecret: '' }), expect: UNAUTHORIZED },
  { rule: 'not base64', request: header('Basic %%%'), expect: UNAUTHORIZED },
  { rule: 'no colon', request: header(`Basic ${btoa('cgk')}`), expect: UNAUTHORIZED },
  { rule: 'no value after the scheme', request: header('Basic'), expect: UNAUTHORIZED },
  {
    rule: 'the account token as Bearer',
    request: ({ token }) => header(`Bearer ${token}`)(),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'a space after the secret',
    request: ({ backend }) => ask({ ...backend, clientSecret: `${backend.clientSecret} ` }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'two Authorization headers',
    everywhere: true,
    request: ({ backend }) => header([basic(backend), basic(backend)])(),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'the pair only in the body',
    request: ({ backend }) => ({ ...header('')(), headers: JSON_TYPE, body: JSON.stringify(backend) }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'the credential is checked before the body',
    request: ({ wrong }) => ask(wrong, JSON_TYPE, { body: '{' }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'the credential is checked before the size',
    request: ({ wrong }) => ask(wrong, JSON_TYPE, { body: 'x'.repeat(20_000) }),
    expect: UNAUTHORIZED,
  },
  {
    rule: 'GET',
    everywhere: true,
    request: backend({}, { method: 'GET' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'PUT from a browser: the method is checked first',
    request: page(BACKEND_SITE, {}, { method: 'PUT', body: '{' }),
    expect: [405, 'method_not_allowed'],
  },
]

export const pageRows: readonly MultisetRow[] = [
  ...OPEN.map((origin) => ({ rule: `a page at ${origin}`, request: page(origin), expect: origin })),
  {
    rule: 'a page with the headers of Chromium',
    everywhere: true,
    request: page(
      PAGE,
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', ...JSON_TYPE },
      { body: '{}' },
    ),
    expect: PAGE,
  },
  {
    rule: 'another id in the body',
    request: page(PAGE, JSON_TYPE, { body: '{"clientId":"x"}' }),
    expect: MALFORMED,
  },
  ...[
    'https://other.example',
    BACKEND_SITE,
    'null',
    'https://PAGE.example',
    `${PAGE}/`,
    `${PAGE}:443`,
    `${PAGE}, ${PAGE}`,
    'http://page.example',
    'https://wild-page.example',
    'https://localhost:5173',
    'http://app.localhost:5173',
    'http://localhost:*',
    'http://127.0.0.2:8080',
    'capacitor://stranger',
    '*',
    'garbage',
  ].map((origin) => ({ rule: `a page at ${origin}`, request: page(origin), expect: NOT_ALLOWED })),
  {
    rule: 'several Origin headers',
    everywhere: true,
    request: ({ prototype }) => ask(prototype, { origin: [PAGE, PAGE] }),
    expect: NOT_ALLOWED,
  },
  { rule: 'an empty Origin', everywhere: true, hasEmptyHeader: true, request: page(''), expect: NOT_ALLOWED },
  {
    rule: 'the body is checked before the origin',
    request: page('null', {}, { body: '{' }),
    expect: MALFORMED,
  },
  ...[PAGE, BACKEND_SITE, 'http://localhost:5173', 'null'].map((origin) => ({
    rule: `a secret for backends at ${origin}`,
    request: backend({ origin }),
    expect: IN_BROWSER,
  })),
  {
    rule: 'a secret for backends, in a browser that sends no Origin',
    everywhere: true,
    request: backend({ 'sec-fetch-site': 'same-origin' }),
    expect: IN_BROWSER,
  },
  {
    rule: 'a credential for pages, in a browser that sends no Origin',
    request: ({ prototype }) => ask(prototype, { 'sec-fetch-site': 'same-origin' }),
    expect: IN_BROWSER,
  },
  {
    rule: 'the browser is checked before the body',
    request: backend({ origin: PAGE }, { body: '{' }),
    expect: IN_BROWSER,
  },
  {
    rule: 'Sec-Fetch-Mode alone does not count as a browser',
    request: backend({ 'sec-fetch-mode': 'cors' }),
    expect: null,
  },
  ...[PAGE, BACKEND_SITE].map((origin) => ({
    rule: `a wrong secret at ${origin}`,
    request: ({ wrong }: People) => ask(wrong, { origin }),
    expect: UNAUTHORIZED,
  })),
  {
    rule: 'a wrong secret, in a browser that sends no Origin',
    request: ({ wrong }) => ask(wrong, { 'sec-fetch-site': 'same-origin' }),
    expect: UNAUTHORIZED,
  },
]
