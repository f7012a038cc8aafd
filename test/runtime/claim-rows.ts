// Section "claim" of the contract as rows: one rule each. The same rows run on every runtime.

import type { WireRequest } from '../support/wire.ts'
import { claimRequest, SITE, type World } from '../support/world.ts'

export interface Row {
  readonly rule: string
  /** workerd drops an empty header before the Worker sees it. */
  readonly hasEmptyHeader?: true
  readonly request: (world: World) => WireRequest
  /** Status and code; or what the 200 must hold. */
  readonly expect:
    | readonly [status: number, code: string, ...parameters: string[]]
    | Readonly<Record<string, unknown>>
}

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

/** A JSON claim for the main account with these members added or replaced. */
export const claim = (body: object, extra?: Partial<WireRequest>) => (world: World) =>
  claimRequest({ token: world.token, origin: SITE, ...body }, extra)

/** A claim whose parameters all stand in the query string. */
export const query = (text: string, extra?: Partial<WireRequest>) => (world: World) => ({
  method: 'POST',
  path: `/auth/claim?token=${world.token}&${text}`,
  ...extra,
})

const raw =
  (
    body: string | Uint8Array,
    headers: Record<string, string> = JSON_TYPE,
    extra: Partial<WireRequest> = {},
  ) =>
  (): WireRequest => ({ method: 'POST', path: '/auth/claim', headers, body, ...extra })

export const ok = (members: Record<string, unknown> = {}) => ({ origin: SITE, ...members })

export const sourceRows: readonly Row[] = [
  {
    rule: 'JSON body',
    request: claim({}),
    expect: ok({ tokenType: 'Bearer', expiresIn: 1800, scope: 'read write' }),
  },
  { rule: 'query string alone, no body', request: query(`origin=${SITE}`), expect: ok() },
  { rule: 'the alias path', request: query(`origin=${SITE}`, {}), expect: ok() },
  {
    rule: 'urlencoded form',
    request: (w) => ({
      method: 'POST',
      path: '/api/auth/claim',
      headers: FORM_TYPE,
      body: `token=${w.token}&origin=${encodeURIComponent(SITE)}`,
    }),
    expect: ok(),
  },
  {
    rule: 'account token as Bearer, scheme in any case',
    request: (w) =>
      claimRequest({ origin: SITE }, { headers: { ...JSON_TYPE, authorization: `bEARER ${w.token}` } }),
    expect: ok(),
  },
  {
    rule: 'sources mixed',
    request: (w) => claimRequest({ token: w.token }, { path: `/auth/claim?origin=${SITE}` }),
    expect: ok(),
  },
  {
    rule: 'null is absent',
    request: claim({ ip: null, scope: null, expiresIn: null, jkt: null }),
    expect: ok(),
  },
  {
    rule: 'null leaves room for another source',
    request: (w) => claimRequest({ token: w.token, origin: null }, { path: `/auth/claim?origin=${SITE}` }),
    expect: ok(),
  },
  {
    rule: 'unknown parameters are ignored',
    request: claim({ ips: '1.2.3.4', colour: 'blue' }),
    expect: ok(),
  },
  { rule: 'equal repeats pass', request: query(`origin=${SITE}&origin=${SITE}`), expect: ok() },
  {
    rule: 'equal values across sources',
    request: claim({ expiresIn: 60 }, { path: '/auth/claim?expiresIn=60' }),
    expect: ok({ expiresIn: 60 }),
  },
  {
    rule: 'ip in two sources is compared as a set',
    request: claim({ ip: ['10.0.0.1', '::ffff:10.0.0.2'] }, { path: '/auth/claim?ip=10.0.0.2,10.0.0.1' }),
    expect: ok(),
  },
  {
    rule: 'ip in two sources that differ',
    request: claim({ ip: '10.0.0.1' }, { path: '/auth/claim?ip=10.0.0.2' }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'two values across sources',
    request: claim({}, { path: '/auth/claim?origin=https://other.example' }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'two values in one query',
    request: query(`origin=${SITE}&origin=http://localhost`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'token in header and body that differ',
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
    request: () => ({ method: 'GET', path: '/auth/claim' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'PUT from a browser: method first',
    request: () => ({ method: 'PUT', path: '/auth/claim', headers: { origin: SITE }, body: '{' }),
    expect: [405, 'method_not_allowed'],
  },
  {
    rule: 'Origin header',
    request: claim({}, { headers: { ...JSON_TYPE, origin: SITE } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'empty Origin header',
    hasEmptyHeader: true,
    request: claim({}, { headers: { ...JSON_TYPE, origin: '' } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'Sec-Fetch-Site',
    request: claim({}, { headers: { ...JSON_TYPE, 'sec-fetch-site': 'same-origin' } }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'browser before media type',
    request: raw('x', { 'content-type': 'text/plain', origin: SITE }),
    expect: [403, 'secret_in_browser'],
  },
  {
    rule: 'Sec-Fetch-Mode alone proves nothing',
    request: claim({}, { headers: { ...JSON_TYPE, 'sec-fetch-mode': 'cors' } }),
    expect: ok(),
  },
  {
    rule: 'text/plain',
    request: raw('{}', { 'content-type': 'text/plain' }),
    expect: [415, 'unsupported_media_type'],
  },
  { rule: 'no type with a body', request: raw('{}', {}), expect: [415, 'unsupported_media_type'] },
  {
    rule: 'Latin-1',
    request: raw('{}', { 'content-type': 'application/json; charset=iso-8859-1' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'Content-Encoding',
    request: raw('{}', { ...JSON_TYPE, 'content-encoding': 'identity' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'type before size',
    request: raw('x'.repeat(20_000), { 'content-type': 'text/csv' }),
    expect: [415, 'unsupported_media_type'],
  },
  {
    rule: 'type in any case, charset quoted',
    request: claim({}, { headers: { 'content-type': 'Application/JSON; Charset="UTF-8"' } }),
    expect: ok(),
  },
  {
    rule: 'an empty body passes with any type',
    request: query(`origin=${SITE}`, { headers: { 'content-type': 'text/plain' }, body: '' }),
    expect: ok(),
  },
  {
    rule: 'size with a length',
    request: raw(`{"a":"${'x'.repeat(16_384)}"}`),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'size, chunked',
    request: raw(`{"a":"${'x'.repeat(16_384)}"}`, JSON_TYPE, { chunked: true }),
    expect: [413, 'payload_too_large'],
  },
  {
    rule: 'exactly 16384 bytes, chunked',
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
  { rule: 'JSON array', request: raw('[]'), expect: [400, 'invalid_request'] },
  { rule: 'JSON text', request: raw('"x"'), expect: [400, 'invalid_request'] },
  {
    rule: 'a name twice in JSON, equal values',
    request: (w) => ({ ...raw('')(), body: `{"token":"${w.token}","origin":"${SITE}","origin":"${SITE}"}` }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'a name twice in JSON, one escaped',
    request: (w) => ({
      ...raw('')(),
      body: `{"token":"${w.token}","origin":"${SITE}","\\u006frigin":"${SITE}"}`,
    }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'invalid UTF-8',
    request: raw(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'malformed percent-encoding in the query',
    request: query(`origin=${SITE}&x=%zz`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'percent-encoding that is not UTF-8',
    request: query(`origin=${SITE}&x=%ff`),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'malformed percent-encoding in the form',
    request: raw('token=%', FORM_TYPE),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'parse before authenticate',
    request: (w) => ({ ...raw('')(), body: `{"token":"${w.wrong}",}` }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'authenticate before parameters',
    request: (w) => claimRequest({ token: w.wrong, origin: '*', ip: '', IP: 1 }),
    expect: [401, 'unauthorized'],
  },
  { rule: 'no token at all', request: () => claimRequest({ origin: SITE }), expect: [401, 'unauthorized'] },
  {
    rule: 'empty token',
    request: () => claimRequest({ token: '', origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'token with a blank before it',
    request: (w) => claimRequest({ token: ` ${w.token}`, origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'token that is no text',
    request: () => claimRequest({ token: ['x'], origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'token with a wrong checksum',
    request: (w) =>
      claimRequest({ token: `${w.token.slice(0, -1)}${w.token.endsWith('0') ? '1' : '0'}`, origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'a claim token is no account token',
    request: () => claimRequest({ token: 'eyJhbGciOiJFUzI1NiJ9.e30.AAAA', origin: SITE }),
    expect: [401, 'unauthorized'],
  },
  {
    rule: 'parameters before policy',
    request: claim({ origin: 'https://other.example', ip: 'x' }),
    expect: [422, 'invalid_request', 'ip'],
  },
  {
    rule: 'origin before scope',
    request: claim({ origin: 'https://other.example', scope: 'admin' }),
    expect: [403, 'origin_not_allowed'],
  },
  { rule: 'scope not held', request: claim({ scope: 'read admin' }), expect: [403, 'scope_not_allowed'] },
]
