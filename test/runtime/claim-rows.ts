// The rules of POST /auth/claim as rows, one rule each: where parameters come from, and the order of the checks.

import type { RuntimeRow } from '../support/rows.ts'
import type { WireRequest } from '../support/wire.ts'
import { claimRequest, SITE, type World } from '../support/world.ts'

export interface Row extends RuntimeRow {
  readonly request: (world: World) => WireRequest
  /** Status, code and, on 422, the parameters at fault; or members of the 200's body. */
  readonly expect:
    | readonly [status: number, code: string, ...parameters: string[]]
    | Readonly<Record<string, unknown>>
  /** On 200: claims that the token must have. */
  readonly claims?: Readonly<Record<string, unknown>>
}

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

/** A JSON claim for the main account with these members added or replaced. */
export const claim = (body: object, extra?: Partial<WireRequest>) => (world: World) =>
  claimRequest({ token: world.token, origin: SITE, ...body }, extra)

/** A claim with all parameters in the query string. */
export const query = (text: string, extra?: Partial<WireRequest>) => (world: World) => ({
  method: 'POST',
  path: `/auth/claim?token=${world.token}&${text}`,
  ...extra,
})

/** A claim with this body, sent unchanged. */
const raw =
  (
    body: string | Uint8Array,
    headers: Record<string, string> = JSON_TYPE,
    extra: Partial<WireRequest> = {},
  ) =>
  (): WireRequest => ({ method: 'POST', path: '/auth/claim', headers, body, ...extra })

/** Members of a 200 for SITE, in addition to the origin. */
export const ok = (members: Record<string, unknown> = {}) => ({ origin: SITE, ...members })

export const sourceRows: readonly Row[] = [
  {
    rule: 'JSON body',
    everywhere: true,
    request: claim({}),
    expect: ok({ tokenType: 'Bearer', expiresIn: 1800, scope: 'read write' }),
  },
  { rule: 'query string, no body', everywhere: true, request: query(`origin=${SITE}`), expect: ok() },
  {
    rule: 'the alias /api/auth/claim',
    everywhere: true,
    request: (w) => claimRequest({ token: w.token, origin: SITE }, { path: '/api/auth/claim' }),
    expect: ok(),
  },
  {
    rule: 'urlencoded form',
    everywhere: true,
    request: (w) => ({
      method: 'POST',
      path: '/auth/claim',
      headers: FORM_TYPE,
      body: `token=${w.token}&origin=${encodeURIComponent(SITE)}`,
    }),
    expect: ok(),
  },
  {
    rule: 'account token as Bearer, scheme in mixed case',
    everywhere: true,
    request: (w) =>
      claimRequest({ origin: SITE }, { headers: { ...JSON_TYPE, authorization: `bEARER ${w.token}` } }),
    expect: ok(),
  },
  {
    rule: 'token in the body, origin in the query string',
    request: (w) => claimRequest({ token: w.token }, { path: `/auth/claim?origin=${SITE}` }),
    expect: ok(),
  },
  {
    rule: 'null counts as absent',
    request: claim({ ip: null, scope: null, expiresIn: null, jkt: null }),
    expect: ok({ tokenType: 'Bearer', expiresIn: 1800, scope: 'read write' }),
  },
  {
    rule: 'null in the body does not conflict with the query string',
    request: (w) => claimRequest({ token: w.token, origin: null }, { path: `/auth/claim?origin=${SITE}` }),
    expect: ok(),
  },
  {
    rule: 'unknown parameters are ignored',
    request: claim({ ips: '1.2.3.4', colour: 'blue' }),
    expect: ok(),
  },
  {
    rule: 'a name twice in the query string, equal values',
    request: query(`origin=${SITE}&origin=${SITE}`),
    expect: ok(),
  },
  {
    rule: 'a name in two sources, equal values',
    request: claim({ expiresIn: 60 }, { path: '/auth/claim?expiresIn=60' }),
    expect: ok({ expiresIn: 60 }),
  },
  {
    rule: 'ip in two sources, the same addresses in another order and form',
    request: claim({ ip: ['10.0.0.1', '::ffff:10.0.0.2'] }, { path: '/auth/claim?ip=10.0.0.2,10.0.0.1' }),
    expect: ok({ ip: ['10.0.0.1', '10.0.0.2'] }),
  },
  {
    rule: 'ip in two sources, different addresses',
    request: claim({ ip: '10.0.0.1' }, { path: '/auth/claim?ip=10.0.0.2' }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'a name in two sources, different values',
    request: claim({}, { path: '/auth/claim?origin=https://other.example' }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'a name twice in the query string, different values',
    request: query(`origin=${SITE}&origin=http://localhost`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'token in header and body, different values',
    request: (w) =>
      claimRequest(
        { token: w.token, origin: SITE },
        { headers: { ...JSON_TYPE, authorization: `Bearer ${w.open}` } },
      ),
    expect: [400, 'invalid_request'],
  },
]

export const orderRows: readonly Row[] = [
  {
    rule: 'GET',
    everywhere: true,
    request: () => ({ method: 'GET', path: '/auth/claim' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'PUT from a browser: the method is checked first',
    everywhere: true,
    request: () => ({ method: 'PUT', path: '/auth/claim', headers: { origin: SITE }, body: '{' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'Origin header',
    everywhere: true,
    request: claim({}, { headers: { ...JSON_TYPE, origin: SITE } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'empty Origin header',
    everywhere: true,
    hasEmptyHeader: true,
    request: claim({}, { headers: { ...JSON_TYPE, origin: '' } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'Sec-Fetch-Site',
    everywhere: true,
    request: claim({}, { headers: { ...JSON_TYPE, 'sec-fetch-site': 'same-origin' } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'the browser is checked before the media type',
    request: raw('x', { 'content-type': 'text/plain', origin: SITE }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'Sec-Fetch-Mode alone does not count as a browser',
    everywhere: true,
    request: claim({}, { headers: { ...JSON_TYPE, 'sec-fetch-mode': 'cors' } }),
    expect: ok(),
  },
  {
    rule: 'text/plain',
    everywhere: true,
    request: raw('{}', { 'content-type': 'text/plain' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'a body without a media type',
    everywhere: true,
    request: raw('{}', {}),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'JSON in ISO-8859-1',
    request: raw('{}', { 'content-type': 'application/json; charset=iso-8859-1' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'Content-Encoding',
    everywhere: true,
    request: raw('{}', { ...JSON_TYPE, 'content-encoding': 'identity' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'the media type is checked before the size',
    everywhere: true,
    request: raw('x'.repeat(20_000), { 'content-type': 'text/csv' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'media type in mixed case, charset quoted',
    everywhere: true,
    request: claim({}, { headers: { 'content-type': 'Application/JSON; Charset="UTF-8"' } }),
    expect: ok(),
  },
  {
    rule: 'an empty body may have any media type',
    everywhere: true,
    request: query(`origin=${SITE}`, { headers: { 'content-type': 'text/plain' }, body: '' }),
    expect: ok(),
  },
  {
    rule: 'a body over 16384 bytes, with Content-Length',
    everywhere: true,
    request: raw(`{"a":"${'x'.repeat(16_384)}"}`),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'a body over 16384 bytes, chunked',
    everywhere: true,
    request: raw(`{"a":"${'x'.repeat(16_384)}"}`, JSON_TYPE, { chunked: true }),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'a body of exactly 16384 bytes, chunked',
    everywhere: true,
    request: (w) =>
      claimRequest(
        {},
        {
          body: JSON.stringify({ token: w.token, origin: SITE, pad: '' }).replace(
            '"pad":""',
            `"pad":"${'x'.repeat(16_384 - JSON.stringify({ token: w.token, origin: SITE, pad: '' }).length)}"`,
          ),
          chunked: true,
        },
      ),
    expect: ok(),
  },
  { rule: 'malformed JSON', request: raw('{"token":'), expect: [400, 'invalid_request'] },
  { rule: 'a JSON array', request: raw('[]'), expect: [400, 'invalid_request'] },
  { rule: 'a JSON string', request: raw('"x"'), expect: [400, 'invalid_request'] },
  {
    rule: 'a name twice in the JSON, equal values',
    request: (w) => ({ ...raw('')(), body: `{"token":"${w.token}","origin":"${SITE}","origin":"${SITE}"}` }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'a name twice in the JSON, once with an escape',
    request: (w) => ({
      ...raw('')(),
      body: `{"token":"${w.token}","origin":"${SITE}","\\u006frigin":"${SITE}"}`,
    }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'invalid UTF-8',
    everywhere: true,
    request: raw(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'malformed percent-encoding in the query',
    everywhere: true,
    request: query(`origin=${SITE}&x=%zz`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'percent-encoding that is not UTF-8',
    everywhere: true,
    request: query(`origin=${SITE}&x=%ff`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'malformed percent-encoding in the form',
    request: raw('token=%', FORM_TYPE),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'the body is parsed before the token is checked',
    request: (w) => ({ ...raw('')(), body: `{"token":"${w.wrong}",}` }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'the token is checked before the parameters',
    request: (w) => claimRequest({ token: w.wrong, origin: '*', ip: '', IP: 1 }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'no account token',
    everywhere: true,
    request: () => claimRequest({ origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'an empty account token',
    request: () => claimRequest({ token: '', origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'an account token with a space before it',
    request: (w) => claimRequest({ token: ` ${w.token}`, origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'an account token that is not a string',
    request: () => claimRequest({ token: ['x'], origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'an account token with a wrong checksum',
    everywhere: true,
    request: (w) =>
      claimRequest({ token: `${w.token.slice(0, -1)}${w.token.endsWith('0') ? '1' : '0'}`, origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'a JWT in place of the account token',
    request: () => claimRequest({ token: 'eyJhbGciOiJFUzI1NiJ9.e30.AAAA', origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'parameters are checked before policy',
    request: claim({ origin: 'https://other.example', ip: 'x' }),
    expect: [422, 'invalid_request', 'ip'],
  },
  {
    rule: 'the origin is checked before the scope',
    request: claim({ origin: 'https://other.example', scope: 'admin' }),
    expect: [403, 'origin_not_allowed'],
  },
  {
    rule: 'a scope that the credential does not hold',
    request: claim({ scope: 'read admin' }),
    expect: [403, 'scope_not_allowed'],
  },
]
