// Requests and the answers that each middleware, createVerifier and forward auth must give to them: verdict, code, status
// and challenge, and CORS headers where there are any. Imports only data, so that any test harness, on any runtime, can use
// it.

import { type Case, type Expected, PARTNER, refused, SITE, STRANGER, type TokenName } from './setups.ts'

export * from './setups.ts'

const PASS: Expected = { status: 200, allows: SITE }
const MISSING = refused('missing_token')
const INVALID = refused('invalid_token')
/** For requests without an origin, or from an origin that may not read the answer. */
const UNREADABLE = { allows: undefined }

type Row = readonly [
  name: string,
  headers: Case['headers'],
  expected: Expected,
  more?: { readonly [Key in 'setup' | 'method' | 'path' | 'workerd']?: Case[Key] },
]

/** Headers of a request from SITE, unless the row replaces `origin`. */
const from = (headers: Case['headers']): Case['headers'] => ({ origin: SITE, ...headers })
const bearer = (token: TokenName, headers: Case['headers'] = {}): Case['headers'] =>
  from({ authorization: `Bearer {${token}}`, ...headers })
type Lines = string | readonly string[]
const asking = (origin: Lines, method: Lines): Case['headers'] => ({
  origin,
  'access-control-request-method': method,
  'access-control-request-headers': 'authorization',
})
const preflight = (origin: string, method: string): Case['headers'] => asking(origin, method)

const tokenRows: readonly Row[] = [
  ['a good token', bearer('good'), PASS],
  ['a good token with several audiences', bearer('severalAudiences'), PASS],
  ['an expired token', bearer('expired'), refused('token_expired')],
  ['a token that is not valid yet', bearer('early'), INVALID],
  ['a token of another issuer', bearer('otherIssuer'), INVALID],
  ['a token for another audience', bearer('otherAudience'), INVALID],
  ['a forged token', bearer('forged'), INVALID],
  ['a token that names an unknown key', bearer('otherKey'), INVALID],
  ['an unsigned token', bearer('unsigned'), INVALID],
  ['a token of another type', bearer('otherType'), INVALID],
  ['a truncated token', bearer('truncated'), INVALID],
  ['a token with one bit flipped', bearer('flipped'), INVALID],
  ['a token with base64 padding', bearer('padded'), INVALID],
  ['a signature over other claims', bearer('swapped'), INVALID],
  ['a binding that is null', bearer('nullOrigin'), INVALID],
  ['a binding that is empty', bearer('noAddress'), INVALID],
  ['a binding of an unknown kind', bearer('unknownBinding'), INVALID],
  ['garbage', from({ authorization: 'Bearer garbage' }), INVALID],
  ['a credential instead of a token', from({ authorization: 'Bearer cgk_a_b_000000' }), INVALID],
  ['a key-bound token as Bearer', bearer('keyBound'), refused('proof_required')],
  [
    'a key-bound token from another origin: the scheme is DPoP',
    bearer('keyBound', { origin: PARTNER }),
    refused('origin_mismatch', {
      challenge: 'DPoP error="invalid_token", algs="ES256 EdDSA Ed25519"',
      allows: PARTNER,
    }),
  ],
  [
    'a token that is not bound to a key, sent as DPoP',
    from({ authorization: 'DPoP {good}' }),
    refused('invalid_token', { challenge: 'DPoP error="invalid_token", algs="ES256 EdDSA Ed25519"' }),
  ],
]

const sourceRows: readonly Row[] = [
  ['no token', from({}), MISSING],
  ['another scheme', from({ authorization: 'Basic {good}' }), MISSING],
  ['a scheme that only begins like Bearer', from({ authorization: 'Bearers {good}' }), MISSING],
  ['Bearer in mixed case, before several spaces', from({ authorization: 'bEARER   {good}' }), PASS],
  ['Bearer without a token', from({ authorization: 'Bearer' }), INVALID],
  ['Bearer with text after the token', from({ authorization: 'Bearer {good} x' }), INVALID],
  ['x-client-token', from({ 'x-client-token': '{good}' }), PASS],
  [
    'x-client-token, while Authorization has another scheme',
    from({ authorization: 'Basic eA==', 'x-client-token': '{good}' }),
    PASS,
  ],
  ['the same token twice', bearer('good', { 'x-client-token': '{good}' }), PASS],
  ['two different tokens', bearer('good', { 'x-client-token': '{narrow}' }), refused('invalid_request')],
  [
    'two x-client-token lines',
    from({ 'x-client-token': ['{good}', '{narrow}'] }),
    refused('invalid_request'),
  ],
  [
    'two Authorization lines',
    from({ authorization: ['Bearer {good}', 'Bearer {narrow}'] }),
    refused('invalid_request'),
  ],
  [
    'one Authorization line twice',
    from({ authorization: ['Bearer {good}', 'Bearer {good}'] }),
    refused('invalid_request'),
  ],
  [
    'Authorization lines of two schemes',
    from({ authorization: ['Basic eA==', 'Bearer {good}'] }),
    refused('invalid_request'),
  ],
  [
    'two Authorization lines, neither of them Bearer or DPoP',
    from({ authorization: ['Basic eA==', 'Basic eQ=='] }),
    refused('invalid_request'),
  ],
  ['the query, which is not enabled', from({}), MISSING, { path: 'ok?token={good}' }],
  ['a second token in a source that is not enabled', bearer('good'), PASS, { path: 'ok?token={narrow}' }],
  ['the query, enabled', from({}), PASS, { setup: 'query', path: 'ok?a=b&token={good}' }],
  [
    'a key-bound token in the query',
    from({}),
    refused('proof_required'),
    { setup: 'query', path: 'ok?token={keyBound}' },
  ],
  [
    'two tokens in the query',
    from({}),
    refused('invalid_request'),
    { setup: 'query', path: 'ok?token={good}&token={narrow}' },
  ],
  ['x-client-token, which is not enabled', from({ 'x-client-token': '{good}' }), MISSING, { setup: 'query' }],
  [
    'a subprotocol',
    from({ 'sec-websocket-protocol': 'chat, claimgate, {good}' }),
    PASS,
    { setup: 'websocket' },
  ],
  [
    'a subprotocol without its marker',
    from({ 'sec-websocket-protocol': 'chat, {good}' }),
    MISSING,
    { setup: 'websocket' },
  ],
]

const originRows: readonly Row[] = [
  ['no origin', { authorization: 'Bearer {good}' }, refused('origin_required', UNREADABLE)],
  ['no origin, allowed', { authorization: 'Bearer {good}' }, { status: 200 }, { setup: 'lenient' }],
  [
    'missingOrigin: allow does not allow a wrong origin',
    bearer('good', { origin: PARTNER }),
    refused('origin_mismatch', { allows: PARTNER }),
    { setup: 'lenient' },
  ],
  [
    'another allowed origin',
    bearer('good', { origin: PARTNER }),
    refused('origin_mismatch', { allows: PARTNER }),
  ],
  [
    'an origin that is not allowed',
    bearer('good', { origin: STRANGER }),
    refused('origin_mismatch', UNREADABLE),
  ],
  [
    'another origin, where all origins may read',
    bearer('good', { origin: STRANGER }),
    refused('origin_mismatch', { allows: STRANGER }),
    { setup: 'open' },
  ],
  ['null', bearer('good', { origin: 'null' }), refused('origin_mismatch', UNREADABLE), { setup: 'open' }],
  [
    'an empty origin',
    bearer('good', { origin: '' }),
    refused('origin_mismatch', UNREADABLE),
    // workerd drops empty header lines.
    { setup: 'open', workerd: refused('origin_required', UNREADABLE) },
  ],
  [
    'another case',
    bearer('good', { origin: 'https://WWW.example.com' }),
    refused('origin_mismatch', UNREADABLE),
    { setup: 'open' },
  ],
  [
    'the default port',
    bearer('good', { origin: `${SITE}:443` }),
    refused('origin_mismatch', UNREADABLE),
    { setup: 'open' },
  ],
  [
    'a trailing slash',
    bearer('good', { origin: `${SITE}/` }),
    refused('origin_mismatch', UNREADABLE),
    { setup: 'open' },
  ],
  [
    'http instead of https',
    bearer('good', { origin: 'http://www.example.com' }),
    refused('origin_mismatch', UNREADABLE),
  ],
  [
    'two origins',
    bearer('good', { origin: [SITE, STRANGER] }),
    refused('origin_mismatch', UNREADABLE),
    { setup: 'open' },
  ],
  ['a token without origin', bearer('free'), refused('origin_required')],
  [
    'a token without origin, in a request without Origin',
    { authorization: 'Bearer {free}' },
    refused('origin_required', UNREADABLE),
  ],
  [
    'require: [], a token without origin, from an allowed origin',
    bearer('free', { origin: PARTNER }),
    { status: 200, allows: PARTNER },
    { setup: 'machines' },
  ],
  [
    'require: [], a token without origin, in a request without Origin',
    { authorization: 'Bearer {free}' },
    { status: 200 },
    { setup: 'machines' },
  ],
  [
    'require: [], a token with an origin, in a request without Origin',
    { authorization: 'Bearer {good}' },
    refused('origin_required', UNREADABLE),
    { setup: 'machines' },
  ],
  [
    'require: origin and ip, a token without origin',
    bearer('free'),
    refused('origin_required'),
    { setup: 'bound' },
  ],
  [
    'same-origin',
    { authorization: 'Bearer {home}', 'sec-fetch-site': 'same-origin' },
    { status: 200 },
    { setup: 'home' },
  ],
  [
    'same-origin, with a token for another origin',
    { authorization: 'Bearer {good}', 'sec-fetch-site': 'same-origin' },
    refused('origin_mismatch', UNREADABLE),
    { setup: 'home' },
  ],
  [
    'same-site is not same-origin',
    { authorization: 'Bearer {home}', 'sec-fetch-site': 'same-site' },
    refused('origin_required', UNREADABLE),
    { setup: 'home' },
  ],
  [
    'same-origin, where apiOrigin is not set',
    { authorization: 'Bearer {home}', 'sec-fetch-site': 'same-origin' },
    refused('origin_required', UNREADABLE),
  ],
  [
    'Origin has precedence over same-origin',
    { authorization: 'Bearer {home}', 'sec-fetch-site': 'same-origin', origin: PARTNER },
    refused('origin_mismatch', { allows: PARTNER }),
    { setup: 'home' },
  ],
]

const WRONG_ADDRESS = refused('ip_mismatch')
const PROXIED = { setup: 'proxied' } as const
const HOPS = { setup: 'hops' } as const
const FORWARDED = { setup: 'forwarded' } as const

/** All requests come over loopback, so the address of the socket's peer is 127.0.0.1. */
const addressRows: readonly Row[] = [
  ['the right address', bearer('loopback'), PASS],
  ['another address', bearer('elsewhere'), WRONG_ADDRESS],
  ['a forged X-Forwarded-For', bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7' }), WRONG_ADDRESS],
  [
    'other address headers',
    bearer('elsewhere', {
      'x-real-ip': '192.0.2.7',
      forwarded: 'for=192.0.2.7',
      'true-client-ip': '192.0.2.7',
    }),
    WRONG_ADDRESS,
  ],
  ['a trusted proxy without its header', bearer('loopback'), PASS, PROXIED],
  ['a trusted proxy', bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7' }), PASS, PROXIED],
  [
    'an address that the client sent, before the one that the trusted proxy added',
    bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7, 198.51.100.1' }),
    WRONG_ADDRESS,
    PROXIED,
  ],
  [
    'several X-Forwarded-For lines are one list',
    bearer('elsewhere', { 'x-forwarded-for': ['198.51.100.1', '192.0.2.7, 127.0.0.1'] }),
    PASS,
    PROXIED,
  ],
  ['a hop with a port', bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7:80' }), PASS, PROXIED],
  ['one of several networks', bearer('networks', { 'x-forwarded-for': '2001:DB8::1' }), PASS, PROXIED],
  [
    'an IPv4-mapped IPv6 address',
    bearer('networks', { 'x-forwarded-for': '::ffff:203.0.113.9' }),
    PASS,
    PROXIED,
  ],
  [
    'trustedProxies: 2, the address before two proxies',
    bearer('elsewhere', { 'x-forwarded-for': '1.1.1.1, 192.0.2.7, 10.0.0.1' }),
    PASS,
    HOPS,
  ],
  [
    'trustedProxies: 2, an address added by one proxy only',
    bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7' }),
    WRONG_ADDRESS,
    HOPS,
  ],
  ['Forwarded', bearer('elsewhere', { forwarded: 'for=192.0.2.7;proto=https' }), PASS, FORWARDED],
  [
    'X-Forwarded-For, where forwardedHeader is forwarded',
    bearer('elsewhere', { 'x-forwarded-for': '192.0.2.7' }),
    WRONG_ADDRESS,
    FORWARDED,
  ],
  ['require: origin and ip, a token without address', bearer('good'), WRONG_ADDRESS, { setup: 'bound' }],
]

const ruleRows: readonly Row[] = [
  ['all scopes', bearer('good'), PASS, { setup: 'scoped' }],
  [
    'a missing scope',
    bearer('narrow'),
    refused('insufficient_scope', { challenge: 'Bearer error="insufficient_scope", scope="read write"' }),
    { setup: 'scoped' },
  ],
  ['authorize returns false', bearer('good'), refused('insufficient_scope'), { setup: 'unauthorized' }],
  ['authorize throws', bearer('good'), refused('insufficient_scope'), { setup: 'broken' }],
  ['a revoked token', bearer('good'), refused('token_revoked'), { setup: 'revoked' }],
  [
    'a revoked token from a wrong origin',
    bearer('good', { origin: PARTNER }),
    refused('token_revoked', { allows: PARTNER }),
    { setup: 'revoked' },
  ],
  [
    'a revocation function that throws',
    bearer('good'),
    { code: 'unavailable', status: 503, allows: SITE },
    { setup: 'outage' },
  ],
  ['report: nothing to report', bearer('good'), PASS, { setup: 'report' }],
  [
    'report: a wrong origin',
    bearer('good', { origin: PARTNER }),
    { status: 200, allows: PARTNER, wouldBlock: 'origin_mismatch' },
    { setup: 'report' },
  ],
  [
    'report: a missing scope',
    bearer('narrow'),
    { ...PASS, wouldBlock: 'insufficient_scope' },
    { setup: 'report' },
  ],
  ['report: no proof', bearer('keyBound'), { ...PASS, wouldBlock: 'proof_required' }, { setup: 'report' }],
  ['report: an expired token is blocked', bearer('expired'), refused('token_expired'), { setup: 'report' }],
  ['report: a forged token is blocked', bearer('forged'), INVALID, { setup: 'report' }],
  ['report: no token is blocked', from({}), MISSING, { setup: 'report' }],
]

const methodRows: readonly Row[] = [
  ['HEAD', bearer('good'), PASS, { method: 'HEAD' }],
  ['HEAD, refused', bearer('forged'), INVALID, { method: 'HEAD' }],
  ['DELETE', bearer('good'), PASS, { method: 'DELETE' }],
  ['a preflight', preflight(SITE, 'PUT'), { status: 204, allows: SITE, isPreflight: true }],
  [
    'a preflight from an origin that is not allowed',
    preflight(STRANGER, 'PUT'),
    { status: 204, isPreflight: true },
  ],
  ['a preflight from null', preflight('null', 'GET'), { status: 204, isPreflight: true }, { setup: 'open' }],
  [
    'a preflight, where all origins may read',
    preflight(STRANGER, 'GET'),
    { status: 204, allows: STRANGER, isPreflight: true },
    { setup: 'open' },
  ],
  [
    'a preflight from an app that is not allowed',
    preflight('capacitor://localhost', 'GET'),
    { status: 204, isPreflight: true },
  ],
  ['OPTIONS that asks for an invalid method', asking(SITE, 'G,ET'), MISSING, { method: 'OPTIONS' }],
  ['OPTIONS that asks for two methods', asking(SITE, ['GET', 'PUT']), MISSING, { method: 'OPTIONS' }],
  [
    'OPTIONS with two Origin lines',
    asking([SITE, SITE], 'GET'),
    refused('missing_token', UNREADABLE),
    { method: 'OPTIONS' },
  ],
  [
    'OPTIONS with an origin that has a path',
    asking(`${SITE}/a`, 'GET'),
    refused('missing_token', UNREADABLE),
    { method: 'OPTIONS' },
  ],
  [
    'OPTIONS with an empty origin',
    asking('', 'GET'),
    refused('missing_token', UNREADABLE),
    { method: 'OPTIONS' },
  ],
  ['OPTIONS without Access-Control-Request-Method', from({}), MISSING, { method: 'OPTIONS' }],
  ['OPTIONS with a token', bearer('good'), PASS, { method: 'OPTIONS' }],
]

/** The cases by topic; the topic is part of the test's name. */
const topics: Readonly<Record<string, readonly Row[]>> = {
  token: tokenRows,
  source: sourceRows,
  origin: originRows,
  address: addressRows,
  rule: ruleRows,
  method: methodRows,
}

/** All cases in one list, each named by its topic and its own name. */
export const cases: readonly Case[] = Object.entries(topics).flatMap(([topic, rows]) =>
  rows.map(
    ([name, headers, expected, more = {}]): Case => ({
      name: `${topic}: ${name}`,
      setup: more.setup ?? 'plain',
      method: more.method ?? (expected.isPreflight ? 'OPTIONS' : 'GET'),
      path: more.path ?? 'ok',
      headers,
      expected,
      ...(more.workerd && { workerd: more.workerd }),
    }),
  ),
)
