// Token requests that succeed, and what the token endpoint checks after client authentication. One rule a row.

import { ASSERTION_TYPE, basicOf } from '../support/oauth-wire.ts'
import { APP, SITE } from '../support/world.ts'
import { ask, bare, body, invalid, type OAuthRow, pair } from './oauth-rows.ts'

/** Percent-encodes every character of an ASCII text. */
const escaped = (text: string): string => text.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)

export const tokenRows: readonly OAuthRow[] = [
  {
    rule: 'Basic',
    everywhere: true,
    request: ask({}),
    expect: { body: { token_type: 'Bearer', expires_in: 1800, scope: 'read write' } },
  },
  {
    rule: 'Basic in mixed case, every character percent-encoded',
    everywhere: true,
    request: bare(
      () => ({}),
      (w) => ({
        authorization: basicOf(escaped(w.clientId), escaped(w.clientSecret)).replace('Basic', 'bASIC'),
      }),
    ),
    expect: {},
  },
  {
    rule: 'Basic and the same client_id',
    request: (w) => ask({ client_id: w.clientId })(w),
    expect: {},
  },
  {
    rule: 'Basic and an empty client_secret and client_assertion',
    request: ask({ client_secret: '', client_assertion: '' }),
    expect: {},
  },
  { rule: 'the secret in the body', everywhere: true, request: bare(pair), expect: {} },
  {
    rule: 'the secret in the body, and a Bearer header',
    request: bare(pair, () => ({ authorization: 'Bearer x' })),
    expect: {},
  },
  {
    rule: 'media type in mixed case, charset quoted',
    request: ask({}, { 'content-type': 'Application/X-WWW-Form-URLencoded; Charset="UTF-8"' }),
    expect: {},
  },
  {
    rule: 'Sec-Fetch-Mode alone does not count as a browser',
    request: ask({}, { 'sec-fetch-mode': 'cors' }),
    expect: {},
  },
  {
    rule: 'a body of exactly 16384 bytes, chunked',
    everywhere: true,
    request: body(`grant_type=client_credentials&x=${'x'.repeat(16_384 - 32)}`, {}, { chunked: true }),
    expect: {},
  },
  {
    rule: 'other parameters in the query string are ignored',
    everywhere: true,
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
    rule: `a parameter in the query string: ${parameter}`,
    request: ask({}, {}, { path: `/oauth/token?${parameter}` }),
    expect: [400, 'invalid_request'] as const,
  })),
  {
    rule: 'unknown parameters are ignored',
    request: ask({ colour: 'blue', audience: 'x', expiresIn: '1' }),
    expect: { body: { expires_in: 1800 } },
  },
  { rule: 'no grant_type', request: ask({ grant_type: undefined }), expect: invalid },
  { rule: 'an empty body', everywhere: true, request: body(''), expect: invalid },
  { rule: 'an empty grant_type', request: ask({ grant_type: '' }), expect: invalid },
  ...['password', 'authorization_code', 'Client_Credentials', 'client_credentials ', ASSERTION_TYPE].map(
    (grant) => ({
      rule: `grant_type ${grant}`,
      request: ask({ grant_type: grant }),
      expect: [400, 'unsupported_grant_type'] as const,
    }),
  ),
  {
    rule: 'grant_type is checked before scope',
    request: ask({ grant_type: 'password', scope: '"' }),
    expect: [400, 'unsupported_grant_type'],
  },
  {
    rule: 'one of the scopes',
    request: ask({ scope: 'write' }),
    expect: { body: { scope: 'write' }, claims: { scope: 'write' } },
  },
  {
    rule: 'repeated scopes, in another order than the credential has',
    request: ask({ scope: 'write read write' }),
    expect: { body: { scope: 'read write' } },
  },
  {
    rule: 'an empty scope',
    request: ask({ scope: '' }),
    expect: { body: { scope: 'read write' } },
  },
  {
    rule: 'a scope that the credential does not hold',
    request: ask({ scope: 'read admin' }),
    expect: [400, 'invalid_scope'],
  },
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
  { rule: 'origin', everywhere: true, request: ask({ origin: SITE }), expect: { claims: { origin: SITE } } },
  {
    rule: 'an origin that is not canonical',
    request: ask({ origin: 'HTTPS://WWW.Example.com:443/a?b#c' }),
    expect: { claims: { origin: SITE } },
  },
  {
    rule: 'an app origin that the account lists',
    request: ask({ origin: APP }),
    expect: { claims: { origin: APP } },
  },
  {
    rule: 'an origin that the account does not allow',
    request: ask({ origin: 'https://other.example' }),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'an app origin that the account does not list',
    request: ask({ origin: 'ionic://localhost' }),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'the origin is checked before the scope',
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
  {
    rule: 'ip',
    everywhere: true,
    request: ask({ ip: '203.0.113.7' }),
    expect: { claims: { ip: '203.0.113.7' } },
  },
  {
    rule: 'ip as a comma list that is not canonical',
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
    rule: 'parameters are checked before policy',
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
    rule: 'resource: another URL than the audience',
    request: ask({ resource: 'https://other.example' }),
    expect: [400, 'invalid_target'],
  },
  { rule: 'resource: not a URL', request: ask({ resource: 'things' }), expect: [400, 'invalid_target'] },
  {
    rule: 'resource: two, one of them not the audience',
    request: (w) => ask({ resource: [w.issuer, 'https://other.example'] })(w),
    expect: [400, 'invalid_target'],
  },
  {
    rule: 'a DPoP header that is not a proof',
    everywhere: true,
    request: ask({}, { dpop: 'x' }),
    expect: [400, 'invalid_dpop_proof'],
  },
  {
    rule: 'parameters are checked before the proof',
    request: ask({ ip: '' }, { dpop: 'x' }),
    expect: invalid,
  },
]
