// Checks that are the same at each OAuth endpoint: the form, and the authentication of the client. One rule a row.

import {
  ASSERTION_TYPE,
  asMain,
  basicOf,
  type Headers,
  type Members,
  tokenForm,
} from '../support/oauth-wire.ts'
import type { RuntimeRow } from '../support/rows.ts'
import type { WireRequest } from '../support/wire.ts'
import { SITE, type World } from '../support/world.ts'

export interface OAuthRow extends RuntimeRow {
  readonly request: (world: World) => WireRequest
  /** Status and `error` of a refusal; or members of the 200, and claims in its token. */
  readonly expect: readonly [status: number, error: string] | ExpectedToken
}

export interface ExpectedToken {
  readonly body?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A token request of the main account with these members added or replaced; undefined removes one. */
export const ask =
  (members: Members, headers: Headers = {}, extra: Partial<WireRequest> = {}) =>
  (world: World): WireRequest => ({ ...tokenForm(members, { ...asMain(world), ...headers }), ...extra })

/** A token request of the main account with this body. */
export const body = (content: string | Uint8Array, headers: Headers = {}, extra: Partial<WireRequest> = {}) =>
  ask({}, headers, { body: content, ...extra })

/** A token request without the main account's credential: only these members and headers. */
export const bare =
  (members: (world: World) => Members, headers: (world: World) => Headers = () => ({})) =>
  (world: World): WireRequest =>
    tokenForm(members(world), headers(world))

const basic = (user: (world: World) => string, password: (world: World) => string, members: Members = {}) =>
  bare(
    () => members,
    (world) => ({ authorization: basicOf(user(world), password(world)) }),
  )
const header = (authorization: (world: World) => string | readonly string[]) =>
  bare(
    () => ({}),
    (world) => ({ authorization: authorization(world) }),
  )

const id = (world: World): string => world.clientId
const secret = (world: World): string => world.clientSecret
const wrongSecret = (world: World): string => world.wrong.split('_')[2] ?? ''
export const pair = (world: World) => ({ client_id: world.clientId, client_secret: world.clientSecret })

export const invalid = [400, 'invalid_request'] as const
const unauthorized = [401, 'invalid_client'] as const

/** Checks before client authentication: the same at each of the three endpoints. */
export const formRows: readonly OAuthRow[] = [
  {
    rule: 'GET',
    everywhere: true,
    request: () => ({ method: 'GET', path: '/oauth/token' }),
    expect: [405, 'invalid_request'],
  },
  {
    rule: 'PUT from a browser: the method is checked first',
    request: ask({}, { origin: SITE }, { method: 'PUT' }),
    expect: [405, 'invalid_request'],
  },
  {
    rule: 'Origin',
    everywhere: true,
    request: ask({}, { origin: SITE }),
    expect: [400, 'unauthorized_client'],
  },
  { rule: 'Origin: null', request: ask({}, { origin: 'null' }), expect: [400, 'unauthorized_client'] },
  {
    rule: 'Sec-Fetch-Site',
    everywhere: true,
    request: ask({}, { 'sec-fetch-site': 'none' }),
    expect: [400, 'unauthorized_client'],
  },
  {
    rule: 'the browser is checked before media type and client',
    request: ask({}, { origin: SITE, authorization: 'Basic', 'content-type': 'text/plain' }),
    expect: [400, 'unauthorized_client'],
  },
  {
    rule: 'a JSON body',
    everywhere: true,
    request: body('{"grant_type":"client_credentials"}', { 'content-type': 'application/json' }),
    expect: invalid,
  },
  { rule: 'a text body', request: ask({}, { 'content-type': 'text/plain' }), expect: invalid },
  {
    rule: 'a multipart body',
    request: ask({}, { 'content-type': 'multipart/form-data; boundary=x' }),
    expect: invalid,
  },
  {
    rule: 'a form in another charset',
    request: ask({}, { 'content-type': 'application/x-www-form-urlencoded; charset=windows-1252' }),
    expect: invalid,
  },
  {
    rule: 'Content-Encoding',
    everywhere: true,
    request: ask({}, { 'content-encoding': 'identity' }),
    expect: invalid,
  },
  {
    rule: 'the media type is checked before the size',
    request: body('x'.repeat(20_000), { 'content-type': 'text/csv' }),
    expect: invalid,
  },
  {
    rule: 'a body over 16384 bytes, with Content-Length',
    everywhere: true,
    request: body('x'.repeat(16_385)),
    expect: [413, 'invalid_request'],
  },
  {
    rule: 'a body over 16384 bytes, chunked',
    everywhere: true,
    request: body('x'.repeat(16_385), {}, { chunked: true }),
    expect: [413, 'invalid_request'],
  },
  {
    rule: 'the size is checked before the client',
    request: body('x'.repeat(16_385), { authorization: 'Basic' }),
    expect: [413, 'invalid_request'],
  },
  {
    rule: 'malformed percent-encoding',
    request: body('grant_type=client_credentials&x=%zz'),
    expect: invalid,
  },
  {
    rule: 'percent-encoding that is not UTF-8',
    request: body('grant_type=client_credentials&x=%ff'),
    expect: invalid,
  },
  {
    rule: 'bytes that are not UTF-8',
    everywhere: true,
    request: body(Buffer.from([0x78, 0x3d, 0xff])),
    expect: invalid,
  },
  {
    rule: 'a parameter twice, different values',
    request: ask({ scope: ['read', 'write'] }),
    expect: invalid,
  },
  {
    rule: 'a parameter twice, equal values',
    request: ask({ grant_type: ['client_credentials', 'client_credentials'] }),
    expect: invalid,
  },
  { rule: 'an unknown parameter twice, empty', request: ask({ colour: ['', ''] }), expect: invalid },
  {
    rule: 'the form is checked before the client',
    request: bare(() => ({ scope: ['read', 'read'] })),
    expect: invalid,
  },
  ...['client_id', 'client_secret', 'client_assertion'].map((name) => ({
    rule: `${name} in the query string`,
    request: (w: World) => ({ ...ask({})(w), path: `/oauth/token?x=%zz&${name}=x` }),
    expect: invalid,
  })),
  {
    rule: 'credentials only in the query string',
    everywhere: true,
    request: (w) => ({
      ...bare(() => ({}))(w),
      path: `/oauth/token?client_id=${w.clientId}&client_secret=${w.clientSecret}`,
    }),
    expect: invalid,
  },
]

/** Client authentication: the same at each of the three endpoints. */
export const clientRows: readonly OAuthRow[] = [
  { rule: 'no client credentials', everywhere: true, request: bare(() => ({})), expect: unauthorized },
  {
    rule: 'Basic with a wrong secret',
    everywhere: true,
    request: basic(id, wrongSecret),
    expect: unauthorized,
  },
  { rule: 'Basic with an unknown id', request: basic(() => 'nobody', secret), expect: unauthorized },
  {
    rule: 'Basic with a NUL in the id',
    everywhere: true,
    request: basic(() => 'a%00b', secret),
    expect: unauthorized,
  },
  {
    rule: 'Basic with the account id in place of the client id',
    request: basic((w) => w.accountId, secret),
    expect: unauthorized,
  },
  { rule: 'Basic with an empty secret', request: basic(id, () => ''), expect: unauthorized },
  { rule: 'Basic with an empty id', request: basic(() => '', secret), expect: unauthorized },
  {
    rule: 'Basic with the account token as secret',
    request: basic(id, (w) => w.token),
    expect: unauthorized,
  },
  {
    rule: 'Basic with a space after the secret',
    request: basic(id, (w) => `${w.clientSecret}+`),
    expect: unauthorized,
  },
  {
    rule: 'Basic with a malformed percent-encoding',
    request: basic(id, (w) => `${w.clientSecret}%`),
    expect: unauthorized,
  },
  {
    rule: 'Basic without a colon',
    request: header((w) => `Basic ${btoa(w.clientId)}`),
    expect: unauthorized,
  },
  { rule: 'Basic that is not base64', request: header(() => 'Basic %%%'), expect: unauthorized },
  { rule: 'Basic without a value', request: header(() => 'Basic'), expect: unauthorized },
  {
    rule: 'two Authorization headers',
    everywhere: true,
    request: header((w) => [basicOf(w.clientId, w.clientSecret), basicOf('x', 'y')]),
    expect: unauthorized,
  },
  { rule: 'the account token as Bearer', request: header((w) => `Bearer ${w.token}`), expect: unauthorized },
  {
    rule: 'Basic and another client_id',
    request: ask({ client_id: 'nobody' }),
    expect: unauthorized,
  },
  {
    rule: 'a wrong secret in the body',
    everywhere: true,
    request: bare((w) => ({ client_id: w.clientId, client_secret: wrongSecret(w) })),
    expect: unauthorized,
  },
  {
    rule: 'an unknown id in the body',
    request: bare((w) => ({ client_id: 'nobody', client_secret: w.clientSecret })),
    expect: unauthorized,
  },
  { rule: 'client_id alone', request: bare((w) => ({ client_id: w.clientId })), expect: unauthorized },
  {
    rule: 'client_id and an empty secret',
    request: bare((w) => ({ client_id: w.clientId, client_secret: '' })),
    expect: unauthorized,
  },
  {
    rule: 'client_secret alone',
    request: bare((w) => ({ client_secret: w.clientSecret })),
    expect: unauthorized,
  },
  { rule: 'Basic and client_secret', request: ask({ client_secret: 'x' }), expect: invalid },
  { rule: 'Basic and client_secret, both right', request: (w) => ask(pair(w))(w), expect: invalid },
  {
    rule: 'malformed Basic and client_secret',
    request: (w) => ask(pair(w), { authorization: 'Basic' })(w),
    expect: invalid,
  },
  {
    rule: 'Basic and an assertion',
    request: ask({ client_assertion_type: ASSERTION_TYPE, client_assertion: 'x' }),
    expect: invalid,
  },
  {
    rule: 'client_secret and an assertion',
    request: bare((w) => ({ ...pair(w), client_assertion_type: ASSERTION_TYPE, client_assertion: 'x' })),
    expect: invalid,
  },
  {
    rule: 'an assertion without its type',
    request: bare(() => ({ client_assertion: 'x' })),
    expect: invalid,
  },
  {
    rule: 'a type without its assertion',
    request: bare((w) => ({ client_id: w.clientId, client_assertion_type: ASSERTION_TYPE })),
    expect: invalid,
  },
  {
    rule: 'an assertion of another type',
    request: bare(() => ({
      client_assertion: 'x',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    })),
    expect: unauthorized,
  },
  {
    rule: 'an assertion that is not a JWT',
    request: bare(() => ({ client_assertion: 'x', client_assertion_type: ASSERTION_TYPE })),
    expect: unauthorized,
  },
  {
    rule: 'an unsigned assertion',
    request: bare((w) => ({
      client_assertion: `${btoa('{"alg":"none"}')}.${btoa(`{"sub":"${w.clientId}"}`)}.`,
      client_assertion_type: ASSERTION_TYPE,
    })),
    expect: unauthorized,
  },
  {
    rule: 'the client is checked before grant_type and parameters',
    request: basic(id, wrongSecret, { grant_type: 'password', origin: '*', ip: '', token: '' }),
    expect: unauthorized,
  },
]
