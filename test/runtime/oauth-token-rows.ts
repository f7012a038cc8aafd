// The token endpoint as rows, once the client is known: one rule each. The same rows run on every runtime.

import { ASSERTION_TYPE, basicOf } from '../support/oauth-wire.ts'
import { APP, SITE, type World } from '../support/world.ts'
import { ask, bare, body, invalid, type OAuthRow } from './oauth-rows.ts'

const pair = (world: World) => ({ client_id: world.clientId, client_secret: world.clientSecret })
/** Every character escaped. */
const escaped = (text: string): string => text.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)

/** What the token endpoint alone asks. */
export const tokenRows: readonly OAuthRow[] = [
  {
    rule: 'Basic',
    request: ask({}),
    expect: { body: { token_type: 'Bearer', expires_in: 1800, scope: 'read write' } },
  },
  {
    rule: 'Basic in any case, form-encoded',
    request: bare(
      () => ({}),
      (w) => ({
        authorization: basicOf(escaped(w.clientId), escaped(w.clientSecret)).replace('Basic', 'bASIC'),
      }),
    ),
    expect: {},
  },
  {
    rule: 'Basic and a client_id that agrees',
    request: (w) => ask({ client_id: w.clientId })(w),
    expect: {},
  },
  {
    rule: 'Basic and an empty client_secret',
    request: ask({ client_secret: '', client_assertion: '' }),
    expect: {},
  },
  { rule: 'the secret in the body', request: bare(pair), expect: {} },
  {
    rule: 'the secret in the body beside a Bearer',
    request: bare(pair, () => ({ authorization: 'Bearer x' })),
    expect: {},
  },
  {
    rule: 'type in any case, charset quoted',
    request: ask({}, { 'content-type': 'Application/X-WWW-Form-URLencoded; Charset="UTF-8"' }),
    expect: {},
  },
  { rule: 'Sec-Fetch-Mode alone proves nothing', request: ask({}, { 'sec-fetch-mode': 'cors' }), expect: {} },
  {
    rule: 'exactly 16384 bytes, chunked',
    request: body(`grant_type=client_credentials&x=${'x'.repeat(16_384 - 32)}`, {}, { chunked: true }),
    expect: {},
  },
  {
    rule: 'the rest of the query string is not read',
    request: ask({}, {}, { path: '/oauth/token?colour=blue&%zz' }),
    expect: { claims: { origin: undefined } },
  },
  ...[
    'grant_type=client_credentials',
    'scope=read',
    'origin=https%3A%2F%2Fwww.example.com',
    'ip=',
    'resource=x',
  ].map((parameter) => ({
    rule: `a bound in the query string is not dropped: ${parameter}`,
    request: ask({}, {}, { path: `/oauth/token?${parameter}` }),
    expect: [400, 'invalid_request'] as const,
  })),
  {
    rule: 'unknown parameters are ignored',
    request: ask({ colour: 'blue', audience: 'x', expiresIn: '1' }),
    expect: { body: { expires_in: 1800 } },
  },
  { rule: 'no grant_type', request: ask({ grant_type: undefined }), expect: invalid },
  { rule: 'an empty body', request: body(''), expect: invalid },
  { rule: 'an empty grant_type', request: ask({ grant_type: '' }), expect: invalid },
  ...['password', 'authorization_code', 'Client_Credentials', 'client_credentials ', ASSERTION_TYPE].map(
    (grant) => ({
      rule: `grant_type ${grant}`,
      request: ask({ grant_type: grant }),
      expect: [400, 'unsupported_grant_type'] as const,
    }),
  ),
  {
    rule: 'grant_type before scope',
    request: ask({ grant_type: 'password', scope: '"' }),
    expect: [400, 'unsupported_grant_type'],
  },
  {
    rule: 'a part of the scopes',
    request: ask({ scope: 'write' }),
    expect: { body: { scope: 'write' }, claims: { scope: 'write' } },
  },
  {
    rule: 'scopes in the credential’s order, without repeats',
    request: ask({ scope: 'write read write' }),
    expect: { body: { scope: 'read write' } },
  },
  {
    rule: 'an empty scope is none asked',
    request: ask({ scope: '' }),
    expect: { body: { scope: 'read write' } },
  },
  { rule: 'a scope not held', request: ask({ scope: 'read admin' }), expect: [400, 'invalid_scope'] },
  {
    rule: '1024 characters of scopes',
    request: ask({ scope: 'read '.repeat(205).slice(0, 1024) }),
    expect: { body: { scope: 'read' } },
  },
  {
    rule: '1025 characters of scopes',
    request: ask({ scope: 'read '.repeat(205) }),
    expect: [400, 'invalid_scope'],
  },
  ...['"read"', 'read\\', 'r\u00e9ad', 'read\twrite', 'read\0'].map((scope) => ({
    rule: `scope ${JSON.stringify(scope)}`,
    request: ask({ scope }),
    expect: [400, 'invalid_scope'] as const,
  })),
  { rule: 'origin', request: ask({ origin: SITE }), expect: { claims: { origin: SITE } } },
  {
    rule: 'origin is made canonical',
    request: ask({ origin: 'HTTPS://WWW.Example.com:443/a?b#c' }),
    expect: { claims: { origin: SITE } },
  },
  {
    rule: 'an app origin that the account lists',
    request: ask({ origin: APP }),
    expect: { claims: { origin: APP } },
  },
  {
    rule: 'origin not allowed',
    request: ask({ origin: 'https://other.example' }),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'an app origin not listed',
    request: ask({ origin: 'ionic://localhost' }),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'origin before scope',
    request: ask({ origin: 'https://other.example', scope: 'admin' }),
    expect: [400, 'invalid_target'],
  },
  ...['', '*', 'null', 'localhost', 'https://*.example.com', ` ${SITE}`, 'data:text/html,x'].map(
    (origin) => ({
      rule: `origin ${JSON.stringify(origin)}`,
      request: ask({ origin }),
      expect: invalid,
    }),
  ),
  { rule: 'ip', request: ask({ ip: '203.0.113.7' }), expect: { claims: { ip: '203.0.113.7' } } },
  {
    rule: 'ip as a comma list, made canonical',
    request: ask({ ip: '2001:DB8::/32 , ::ffff:10.0.0.1,10.0.0.1' }),
    expect: { claims: { ip: ['2001:db8::/32', '10.0.0.1'] } },
  },
  ...[
    '',
    ',',
    '10.0.0.1,',
    '0.0.0.0/0',
    '10.0.0.1/8',
    '010.0.0.1',
    'localhost',
    '[::1]',
    '1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5',
    `10.0.0.1,${' '.repeat(240)}10.0.0.1`,
  ].map((ip) => ({
    rule: `ip ${JSON.stringify(ip)}`,
    request: ask({ ip }),
    expect: invalid,
  })),
  { rule: 'ip twice', request: ask({ ip: ['10.0.0.1', '10.0.0.2'] }), expect: invalid },
  {
    rule: 'parameters before policy',
    request: ask({ origin: 'https://other.example', ip: '' }),
    expect: invalid,
  },
  { rule: 'resource: the audience', request: (w) => ask({ resource: w.issuer })(w), expect: {} },
  {
    rule: 'resource: the audience, repeated',
    request: (w) => ask({ resource: [w.issuer, w.issuer] })(w),
    expect: {},
  },
  { rule: 'resource: empty', request: ask({ resource: '' }), expect: {} },
  {
    rule: 'resource: another',
    request: ask({ resource: 'https://other.example' }),
    expect: [400, 'invalid_target'],
  },
  { rule: 'resource: no URL', request: ask({ resource: 'things' }), expect: [400, 'invalid_target'] },
  {
    rule: 'resource: one of two',
    request: (w) => ask({ resource: [w.issuer, 'https://other.example'] })(w),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'a DPoP header that is no proof',
    request: ask({}, { dpop: 'x' }),
    expect: [400, 'invalid_dpop_proof'],
  },
  { rule: 'parameters before the proof', request: ask({ ip: '' }, { dpop: 'x' }), expect: invalid },
]
