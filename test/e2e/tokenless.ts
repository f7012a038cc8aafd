// Requests without a valid token, most of them malformed, as the text of their heads. None may reach an API behind a proxy.

import { lookalikes, type PreflightRow } from '../support/preflights.ts'
import { SITE } from '../support/world.ts'

export interface TokenlessRow {
  readonly name: string
  /** A request line and header lines, without line ends. */
  readonly lines: readonly string[]
}

const HOST = 'Host: api.example.net'
const ORIGIN = `Origin: ${SITE}`
const ASKS = 'Access-Control-Request-Method: GET'
const PREFLIGHT = [HOST, ORIGIN, ASKS]

const linesOf = (name: string, value: string | readonly string[]): string[] =>
  [value].flat().map((one) => `${name}: ${one}`)

/** Turns a row of the table of preflights into the head of a request. */
export function toRequest({ name, method = 'OPTIONS', origin, asks }: PreflightRow): TokenlessRow {
  const headers = [...linesOf('Origin', origin), ...linesOf('Access-Control-Request-Method', asks)]
  return { name: printable(name), lines: [`${method} /orders HTTP/1.1`, HOST, ...headers] }
}

const methods: readonly string[] = [
  ...['options', 'Options', 'OPTIONS\t', 'OPTIONS,GET', 'OPTIONS;', '"OPTIONS"', 'OPTIONS/1', 'xOPTIONS'],
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'CONNECT', 'PROPFIND', 'QUERY', 'PRI', 'G@T'],
]
/** Targets. Each is sent in an OPTIONS that is not a preflight, and in a GET with the headers of a preflight. */
const targets: readonly string[] = [
  ...['*', '/*', '//', '///orders', '/./orders', '/../orders', '/%2e%2e/orders', '/a/..%2forders'],
  ...['/orders?mode=report', '/orders?missingOrigin=allow&require=none', '/?scope=', '/orders?token=x.y.z'],
  ...['/orders#x', '/orders%00', '/orders%', '/orders%zz', '/orders\\x', '/ord ers', '/orders\t', '/\u00ff'],
  ...[
    '/claimgate',
    '/claimgate/',
    '/auth/verify',
    '/auth/whoami',
    '/no-file',
    '/@api',
    '/@preflight',
    '@api',
  ],
  ...[
    'http://api.example.net/orders',
    'http://127.0.0.1:8787/auth/verify',
    'https://x@y/',
    'http:///',
    'http://',
  ],
  ...['', 'orders', '?', `/${'a'.repeat(9000)}`],
]
const hosts: readonly string[] = [
  ...['', ' ', 'not a host', '%', 'a_b', '[', '[::1', '[::1]:x', '127.0.0.1:8787', 'claimgate', 'localhost'],
  ...[
    'api.example.net:99999',
    'user@api.example.net',
    'api.example.net/x',
    'api.example.net?',
    'a,b',
    '\u00fc.x',
  ],
]
const headers: readonly (readonly string[])[] = [
  ['X-Original-Method: OPTIONS', ORIGIN, ASKS],
  ['X-Original-URI: /public', ORIGIN, ASKS],
  ['X-Forwarded-Method: OPTIONS', ORIGIN, ASKS],
  ['X-Forwarded-Method: OPTIONS', 'X-Forwarded-Uri: /orders?mode=report', ORIGIN, ASKS],
  ['X-HTTP-Method-Override: OPTIONS', ORIGIN, ASKS],
  ['X-Forwarded-Host: evil.example', ORIGIN, ASKS],
  ['X-Claim-Subject: acct_root', ORIGIN, ASKS],
  ['X-Claim-Subject: acct_root'],
  ['X_Claim_Subject: acct_root'],
  ['X-Claim-Subject: a', 'X-Claim-Subject: b'],
  ['Claimgate-Problem: {}', 'X-Claim-Client: root'],
  ['Status: 200'],
  ['Authorization:'],
  ['Authorization: Bearer'],
  ['Authorization: Bearer x.y.z'],
  ['Authorization: Bearer a', 'Authorization: Bearer b'],
  ['Authorization: DPoP x.y.z', 'DPoP: x.y.z'],
  ['X-Client-Token: x.y.z'],
  ['Cookie: token=x.y.z'],
  ['Forwarded: for=127.0.0.1;proto=https;host=evil.example'],
  ['X-Forwarded-For: 127.0.0.1'],
  ['Connection: X-Original-Method, X-Forwarded-Method, Authorization'],
  ['Connection: close, X-Forwarded-Uri', 'Upgrade: websocket'],
  ['Expect: 100-continue'],
  ['Transfer-Encoding: chunked', 'Content-Length: 5'],
  ['Content-Length: -1'],
  ['Content-Length: 0', 'Content-Length: 0'],
  ['Range: bytes=0-1', 'If-None-Match: *'],
]
/** Malformed or ambiguous header lines, sent in place of the headers of a preflight. */
const malformedHeaders: readonly (readonly string[])[] = [
  [`Origin : ${SITE}`, ASKS],
  [` Origin: ${SITE}`, ASKS],
  [`Origin\t: ${SITE}`, ASKS],
  [`Origin_: ${SITE}`, 'Access_Control_Request_Method: GET'],
  [ORIGIN, 'Access_Control_Request_Method: GET'],
  [ORIGIN, 'Access-Control-Request-Method : GET'],
  [ORIGIN, 'Access-Control-Request-Method: GET', ' PUT'],
  [`Origin: https://`, ` www.example.com`, ASKS],
  ['Origin: a\u0000b', ASKS],
  ['Origin: a\u0001b', ASKS],
  ['Origin: \u00e4', ASKS],
  [ORIGIN, 'Access-Control-Request-Method: G\u0000T'],
  [ORIGIN, 'Access-Control-Request-Method: G\u007fT'],
  [ORIGIN, ':: GET'],
  [ORIGIN, ASKS, ORIGIN],
  [ORIGIN, ASKS, ASKS],
  [ORIGIN, ASKS, 'Origin: null'],
  [ORIGIN, ASKS, 'origin:'],
  [ORIGIN, ASKS, 'ACCESS-CONTROL-REQUEST-METHOD: PUT'],
  ['Connection: Origin', ORIGIN, 'Access-Control-Request-Method: a b'],
  ['Connection: Access-Control-Request-Method', 'Origin: a b', ASKS],
]

const rowOf = (name: string, line: string, more: readonly string[]): TokenlessRow => ({
  name: printable(name.length > 80 ? `${name.slice(0, 80)}…` : name),
  lines: [line, ...more],
})

/** Replaces characters that a terminal cannot show, for test names. */
function printable(text: string): string {
  return text.replace(/[^ -~…]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** All requests of this file, in one list. */
export const tokenless: readonly TokenlessRow[] = [
  ...lookalikes.map(toRequest),
  ...methods.map((method) => rowOf(`method ${method}`, `${method} /orders HTTP/1.1`, PREFLIGHT)),
  ...targets.flatMap((target) => [
    rowOf(`OPTIONS ${target}`, `OPTIONS ${target} HTTP/1.1`, [HOST, ORIGIN]),
    rowOf(`GET ${target}`, `GET ${target} HTTP/1.1`, PREFLIGHT),
  ]),
  ...hosts.map((host) => rowOf(`Host: ${host}`, 'GET /orders HTTP/1.1', [`Host: ${host}`, ORIGIN, ASKS])),
  rowOf('no Host', 'OPTIONS /orders HTTP/1.1', [ORIGIN]),
  rowOf('two Hosts', 'OPTIONS /orders HTTP/1.1', [HOST, HOST, ORIGIN]),
  ...headers.map((lines) => rowOf(lines.join(' | '), 'GET /orders HTTP/1.1', [HOST, ...lines])),
  ...malformedHeaders.map((lines) => rowOf(lines.join(' | '), 'OPTIONS /orders HTTP/1.1', [HOST, ...lines])),
  ...['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1', 'HTTP/1', ''].map((version) =>
    rowOf(`version ${version}`, `GET /orders ${version}`, PREFLIGHT),
  ),
]
