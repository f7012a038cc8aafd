// The OAuth endpoints as rows: one rule each. The same rows run on every runtime.

import {
  ASSERTION_TYPE,
  asMain,
  basicOf,
  type Headers,
  type Members,
  tokenForm,
} from '../support/oauth-wire.ts'
import type { WireRequest } from '../support/wire.ts'
import { SITE, type World } from '../support/world.ts'

export interface OAuthRow {
  readonly rule: string
  readonly request: (world: World) => WireRequest
  /** Status and `error`; or what the 200 and the claims of its token must hold. */
  readonly expect: readonly [status: number, error: string] | ExpectedToken
}

export interface ExpectedToken {
  readonly body?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A token request of the main account, these members added or replaced; undefined takes one away. */
export const ask =
  (members: Members, headers: Headers = {}, extra: Partial<WireRequest> = {}) =>
  (world: World): WireRequest => ({ ...tokenForm(members, { ...asMain(world), ...headers }), ...extra })

/** The same with a body of any kind. */
export const body = (content: string | Uint8Array, headers: Headers = {}, extra: Partial<WireRequest> = {}) =>
  ask({}, headers, { body: content, ...extra })

/** A token request with nothing that proves the client but what is said here. */
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

/** What comes before the client is known: the same at each of the three endpoints. */
export const formRows: readonly OAuthRow[] = [
  { rule: 'GET', request: () => ({ method: 'GET', path: '/oauth/token' }), expect: [405, 'invalid_request'] },
  {
    rule: 'PUT from a browser: method first',
    request: ask({}, { origin: SITE }, { method: 'PUT' }),
    expect: [405, 'invalid_request'],
  },
  { rule: 'Origin', request: ask({}, { origin: SITE }), expect: [400, 'unauthorized_client'] },
  { rule: 'Origin: null', request: ask({}, { origin: 'null' }), expect: [400, 'unauthorized_client'] },
  {
    rule: 'Sec-Fetch-Site',
    request: ask({}, { 'sec-fetch-site': 'none' }),
    expect: [400, 'unauthorized_client'],
  },
  {
    rule: 'browser before media type and client',
    request: ask({}, { origin: SITE, authorization: 'Basic', 'content-type': 'text/plain' }),
    expect: [400, 'unauthorized_client'],
  },
  {
    rule: 'JSON',
    request: body('{"grant_type":"client_credentials"}', { 'content-type': 'application/json' }),
    expect: invalid,
  },
  { rule: 'text', request: ask({}, { 'content-type': 'text/plain' }), expect: invalid },
  {
    rule: 'multipart',
    request: ask({}, { 'content-type': 'multipart/form-data; boundary=x' }),
    expect: invalid,
  },
  {
    rule: 'Latin-1',
    request: ask({}, { 'content-type': 'application/x-www-form-urlencoded; charset=iso-8859-1' }),
    expect: invalid,
  },
  { rule: 'Content-Encoding', request: ask({}, { 'content-encoding': 'identity' }), expect: invalid },
  {
    rule: 'type before size',
    request: body('x'.repeat(20_000), { 'content-type': 'text/csv' }),
    expect: invalid,
  },
  { rule: 'size with a length', request: body('x'.repeat(16_385)), expect: [413, 'invalid_request'] },
  {
    rule: 'size, chunked',
    request: body('x'.repeat(16_385), {}, { chunked: true }),
    expect: [413, 'invalid_request'],
  },
  {
    rule: 'size before client',
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
  { rule: 'bytes that are not UTF-8', request: body(Buffer.from([0x78, 0x3d, 0xff])), expect: invalid },
  { rule: 'a parameter twice', request: ask({ scope: ['read', 'write'] }), expect: invalid },
  {
    rule: 'a parameter twice, equal',
    request: ask({ grant_type: ['client_credentials', 'client_credentials'] }),
    expect: invalid,
  },
  { rule: 'an unknown parameter twice, empty', request: ask({ colour: ['', ''] }), expect: invalid },
  { rule: 'form before client', request: bare(() => ({ scope: ['read', 'read'] })), expect: invalid },
  ...['client_id', 'client_secret', 'client_assertion'].map((name) => ({
    rule: `${name} in the query string`,
    request: (w: World) => ({ ...ask({})(w), path: `/oauth/token?x=%zz&${name}=x` }),
    expect: invalid,
  })),
  {
    rule: 'credentials in the query string beside none',
    request: (w) => ({
      ...bare(() => ({}))(w),
      path: `/oauth/token?client_id=${w.clientId}&client_secret=${w.clientSecret}`,
    }),
    expect: invalid,
  },
]

/** Who the client is: the same at each of the three endpoints. */
export const clientRows: readonly OAuthRow[] = [
  { rule: 'nothing', request: bare(() => ({})), expect: unauthorized },
  { rule: 'Basic with a wrong secret', request: basic(id, wrongSecret), expect: unauthorized },
  { rule: 'Basic with an unknown id', request: basic(() => 'nobody', secret), expect: unauthorized },
  {
    rule: 'Basic with an id that no database takes',
    request: basic(() => 'a%00b', secret),
    expect: unauthorized,
  },
  { rule: 'Basic with the account', request: basic((w) => w.accountId, secret), expect: unauthorized },
  { rule: 'Basic with an empty secret', request: basic(id, () => ''), expect: unauthorized },
  { rule: 'Basic with an empty id', request: basic(() => '', secret), expect: unauthorized },
  {
    rule: 'Basic with the account token as secret',
    request: basic(id, (w) => w.token),
    expect: unauthorized,
  },
  {
    rule: 'Basic with a blank after the secret',
    request: basic(id, (w) => `${w.clientSecret}+`),
    expect: unauthorized,
  },
  {
    rule: 'Basic with a broken escape',
    request: basic(id, (w) => `${w.clientSecret}%`),
    expect: unauthorized,
  },
  {
    rule: 'Basic without a colon',
    request: header((w) => `Basic ${btoa(w.clientId)}`),
    expect: unauthorized,
  },
  { rule: 'Basic that is no base64', request: header(() => 'Basic %%%'), expect: unauthorized },
  { rule: 'Basic alone', request: header(() => 'Basic'), expect: unauthorized },
  {
    rule: 'Basic twice',
    request: header((w) => [basicOf(w.clientId, w.clientSecret), basicOf('x', 'y')]),
    expect: unauthorized,
  },
  { rule: 'a Bearer', request: header((w) => `Bearer ${w.token}`), expect: unauthorized },
  {
    rule: 'Basic and a client_id that disagrees',
    request: ask({ client_id: 'nobody' }),
    expect: unauthorized,
  },
  {
    rule: 'a wrong secret in the body',
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
    rule: 'an assertion that is no JWT',
    request: bare(() => ({ client_assertion: 'x', client_assertion_type: ASSERTION_TYPE })),
    expect: unauthorized,
  },
  {
    rule: 'an assertion that nobody signed',
    request: bare((w) => ({
      client_assertion: `${btoa('{"alg":"none"}')}.${btoa(`{"sub":"${w.clientId}"}`)}.`,
      client_assertion_type: ASSERTION_TYPE,
    })),
    expect: unauthorized,
  },
  {
    rule: 'client before grant_type and parameters',
    request: basic(id, wrongSecret, { grant_type: 'password', origin: '*', ip: '', token: '' }),
    expect: unauthorized,
  },
]
