// Generates the bytes that a client writes to a connection: mostly valid requests, in which any part is sometimes wrong or
// any byte is damaged. `<<secret>>` and `<<admin>>` are placeholders for the account token and the admin token.

import fc from 'fast-check'
import { byte, damaged } from './fuzz.ts'

export interface Connection {
  /** The bytes as Latin-1: one character for each byte. */
  readonly text: string
  /** Offsets at which the text is split. The pieces are written one after the other. */
  readonly cuts: readonly number[]
}

/** Generates one of the texts in a list separated by `|`. */
const among = (texts: string): fc.Arbitrary<string> => fc.constantFrom(...texts.split('|'))

/** Generates `usual` in 14 of 15 cases, otherwise `odd`. */
const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 14, arbitrary: usual }, { weight: 1, arbitrary: odd })

const method = mostly(
  among('GET|GET|POST|POST|POST|HEAD|OPTIONS|DELETE|PATCH'),
  among(`get|| GET|G@T|GET\0|PRI|TRACE|QUERY|M-SEARCH|CONNECT|__proto__|${'x'.repeat(300)}`),
)
const path = among(
  '/|/auth/claim|/auth/verify|/auth/verify/orders|/auth/whoami|/oauth/token|/oauth/revoke|/oauth/introspect' +
    '|/v1/m2m/token|/m2m/x|/api/v1/auth/token|/admin/accounts|/admin/keys|/healthz|/metrics|/docs' +
    '|/.well-known/jwks.json|/.well-known/oauth-authorization-server',
)
const query = mostly(
  among('||||?a=b|?token=<<secret>>'),
  among(`?|?token=%|?token=%ff|#x|?x#y|?a&a&__proto__=1|?${'a=1&'.repeat(3000)}|?/../|?\xff|?a b`),
)
const more = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: among(
      `/.|/..|/%2e|/%2E%2e|/%00|/%|/%zz|//|;x|%2f|\\|/\xff|/%ff|/%c0%80|/%61|%25|${'/'.repeat(200)}|${'a'.repeat(9000)}` +
        '| |\t|/../../admin/keys|/<<secret>>',
    ),
  },
)
const form = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: among(
      '/|//|http://a.example|HTTP://a.example:99999|https://u@h|https://u@h|http://u:<<secret>>@h|http:|http:u@h|*|ftp://h|@',
    ),
  },
)
const target = fc.tuple(form, path, more, query).map((parts) => parts.join(''))
const oddTarget = among('|*|?|a.example:443|http://|//|u@h|<<secret>>')
const version = mostly(
  fc.constant(' HTTP/1.1'),
  among(' HTTP/1.0| HTTP/1.0| HTTP/0.9| HTTP/2.0| http/1.1|| HTTP/1.1 x|  HTTP/1.1| HTTP/11.1'),
)
const host = mostly(
  fc.constant('Host: a.example'),
  among(
    `X: none|Host:|Host: a\r\nHost: b|Host: a\r\nhOST: a|Host: [::1|Host: a%00|Host: \xff|Host: 0x7f.1|Host: a b|Host : a` +
      `|Host: ${'a'.repeat(5000)}|Host: ${'a.'.repeat(2000)}|Host: u@h|Host: <<secret>>`,
  ),
)

const oddField = fc.oneof(
  among(
    ' folded|\tfolded: x|: nameless|nocolon|a b: c|X\0: y|X: a\0b|X: a\rb|X: \x7f|\xe9: x|Transfer-Encoding:\x0bchunked' +
      '|Transfer-Encoding: xchunked|Transfer-Encoding: chunked, chunked|Content-Length: -1|Content-Length: 5, 5' +
      `|Content-Length: +5|Content-Length: 0x5|Content-Length: 1e1|Content-Length: ${'9'.repeat(30)}`,
  ),
  fc.constantFrom(100, 1900, 2100, 9000).map((count) => Array(count).fill('X: y').join('\r\n')),
  fc.constantFrom(8000, 60_000, 70_000).map((length) => `Cookie: ${'c'.repeat(length)}`),
  fc.array(byte, { maxLength: 30 }).map((bytes) => `X: ${bytes.join('')}`),
)
const field = mostly(
  among(
    'Authorization: Bearer <<secret>>|Authorization: Bearer <<admin>>|Authorization: Basic Og==|Authorization: Basic \xff' +
      '|Authorization: Bearer \xe9.\x80.x|DPoP: a.b.c|DPoP: <<secret>>|X-Client-Token: <<secret>>|Origin: null' +
      '|Connection: close|Connection: Upgrade|Connection: X-Client-Token|Upgrade: websocket|Upgrade: h2c|HTTP2-Settings: AAM' +
      '|Expect: 100-continue|Expect: 200-ok|Content-Encoding: gzip|Trailer: Host|TE: trailers|__proto__: x|constructor: x' +
      '|X-Forwarded-For: \xff|Forwarded: for="|If-None-Match: "|Cookie: =;|Content-Type: \xff|Accept: */*;q=x|Range: bytes=-1',
  ),
  oddField,
)
const type = among(
  'Content-Type: application/json|Content-Type: application/x-www-form-urlencoded|Content-Type: text/plain',
)

const content = among('{}|{"token":"<<secret>>"}|token=<<secret>>|grant_type=client_credentials|[|\0|\xff|')
const rightBody = fc
  .tuple(type, content, fc.boolean())
  .map(([type, text, isChunked]) =>
    isChunked
      ? [
          type,
          'Transfer-Encoding: chunked',
          '',
          `${text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`}0\r\n\r\n`,
        ]
      : [type, `Content-Length: ${text.length}`, '', text],
  )
/** A body that does not match its framing, or is incomplete. */
const wrongBody = fc
  .tuple(
    among(
      'Content-Length: 5|Content-Length: 20000|Transfer-Encoding: chunked|Transfer-Encoding: gzip, chunked|X: none',
    ),
    among(
      `hello|hel|5\r\nhello\r\n0\r\n\r\n|5\r\nhel|zz\r\n|-1\r\n\r\n|0\r\n|${'F'.repeat(20)}|5;ext="\r\nhello\r\n0\r\n\r\n` +
        `|0\r\nHost: b\r\n\r\n|5\nhello\n0\n\n|\r\n\r\n|\0|5;${'x'.repeat(20_000)}\r\n|${'x'.repeat(17_000)}` +
        `|4000\r\n${'x'.repeat(0x4000)}\r\n1\r\nx\r\n0\r\n\r\n`,
    ),
    fc.constantFrom([], ['Content-Length: 5']),
  )
  .map(([framing, text, second]) => [framing, ...second, '', text])
const rest = fc.oneof(
  { weight: 6, arbitrary: rightBody },
  { weight: 4, arbitrary: fc.constant(['', '']) },
  { weight: 1, arbitrary: wrongBody },
)

const request = fc
  .record({
    method,
    target: mostly(target, oddTarget),
    version,
    host,
    fields: fc.array(field, { maxLength: 3 }),
    rest,
    lineEnd: mostly(fc.constant('\r\n'), among('\n|\r|\r\r\n')),
  })
  .map(({ method, target, version, host, fields, rest, lineEnd }) =>
    [`${method} ${target}${version}`, host, ...fields, ...rest].join(lineEnd),
  )

/** One request, or up to four on one connection. */
const text = fc.oneof(
  { weight: 5, arbitrary: request },
  { weight: 1, arbitrary: fc.array(request, { maxLength: 4 }).map((all) => all.join('')) },
)

export const connection: fc.Arbitrary<Connection> = fc.record({
  text: mostly(text, damaged(text, byte)),
  cuts: fc.array(fc.nat(400), { maxLength: 2 }),
})
