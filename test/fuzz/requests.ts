// Generates requests with hostile bodies: JSON and forms for every endpoint that reads a body. Most have valid credentials,
// so that they reach the code behind authentication.

import fc from 'fast-check'
import { byte, damaged } from './fuzz.ts'

/** A request with placeholders: `<<token>>`, `<<clientId>>`, `<<clientSecret>>`, `<<admin>>`, `<<account>>`. */
export interface HostileRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The bytes as Latin-1: one character for each byte. */
  readonly body: string
  readonly chunked: boolean
}

interface Endpoint {
  readonly method: string
  readonly path: string
  readonly type: 'json' | 'form'
  /** The member or parameter names that this endpoint accepts. */
  readonly names: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

const admin = { authorization: 'Bearer <<admin>>' }
const basic = { authorization: 'Basic <<basic>>' }
const BOUNDS = [
  'origin',
  'ip',
  'expiresIn',
  'scope',
  'jkt',
  'token',
  'audience',
  'user',
  'limit',
  'IP',
  'ip[]',
]
const FORM = [
  'grant_type',
  'scope',
  'origin',
  'ip',
  'resource',
  'client_id',
  'client_secret',
  'client_assertion',
]
const ACCOUNT = ['name', 'allowedOrigins', 'scopes', 'maxTtl', 'browserPrototype', 'requireOrigin', 'status']
const CREDENTIAL = ['name', 'scopes', 'expiresAt', 'browserPrototype', 'allowLocalhost', 'jwks']

const endpoint = (
  method: string,
  path: string,
  type: Endpoint['type'],
  names: readonly string[],
  headers: Endpoint['headers'],
): Endpoint => ({ method, path, type, names, headers })

const endpoints: readonly Endpoint[] = [
  endpoint('POST', '/auth/claim', 'json', BOUNDS, { authorization: 'Bearer <<token>>' }),
  endpoint('POST', '/auth/claim', 'form', BOUNDS, { authorization: 'Bearer <<token>>' }),
  endpoint('POST', '/auth/claim?ip=127.0.0.1', 'json', BOUNDS, { authorization: 'Bearer <<token>>' }),
  endpoint('POST', '/oauth/token', 'form', [...FORM, 'grant_type', 'client_assertion_type'], basic),
  endpoint('POST', '/oauth/token', 'form', FORM, {}),
  endpoint('POST', '/oauth/revoke', 'form', ['token', 'token_type_hint', ...FORM], basic),
  endpoint('POST', '/oauth/introspect', 'form', ['token', 'token_type_hint', ...FORM], basic),
  endpoint('POST', '/v1/m2m/token', 'json', ['clientId', 'clientSecret'], basic),
  endpoint('POST', '/m2m/token', 'json', ['clientId', 'clientSecret'], {}),
  endpoint('POST', '/api/v1/auth/token', 'json', ['clientId'], {
    'x-client-id': '<<clientId>>',
    'x-client-secret': '<<clientSecret>>',
  }),
  endpoint('POST', '/admin/accounts', 'json', ACCOUNT, admin),
  endpoint('PATCH', '/admin/accounts/<<account>>', 'json', [...ACCOUNT, 'endTokens'], admin),
  endpoint('POST', '/admin/accounts/<<account>>/credentials', 'json', CREDENTIAL, admin),
  endpoint('POST', '/admin/credentials/<<spare>>/rotate', 'json', ['overlap'], admin),
  endpoint('POST', '/admin/revocations', 'json', ['jti', 'clientId', 'sub', 'kid', 'issuedBefore'], admin),
  endpoint('POST', '/admin/explain', 'json', ['token', 'origin', 'ip', 'method', 'url', 'dpop'], admin),
  endpoint('POST', '/admin/keys/rotate', 'json', ['x'], admin),
]

/** Encodes a text as UTF-8, with one character for each byte. */
const toBytes = (text: string): string => Buffer.from(text).toString('latin1')
const text = fc.oneof(
  fc.constantFrom(
    '<<token>>',
    '<<clientSecret>>',
    '<<jwt>>',
    '<<admin>>',
    'https://<<token>>',
    '<<token>> <<jwt>>',
  ),
  fc.constantFrom(
    'https://www.example.com',
    '127.0.0.1',
    '60',
    'read',
    '<<token>>',
    'client_credentials',
    '*',
  ),
  fc.constantFrom(
    '',
    ' ',
    'null',
    '1e999',
    '<<clientSecret>>',
    '<<jwt>>',
    '\0',
    '\ud800',
    '\ufeff',
    '٣',
    'a.b.c',
    '../..',
  ),
  fc.constantFrom(
    'https://[::1',
    'https://xn--',
    'http://0x7f.1',
    'data:x',
    `https://${'a.'.repeat(150)}b`,
    '::/0',
    '1'.repeat(400),
  ),
  fc.constantFrom(9000, 16_000).map((length) => 'x'.repeat(length)),
  fc
    .constantFrom(',', '.', ':', '%', '[', '"', '\\', '-', '0', ' ', 'a.', 'é')
    .map((one) => one.repeat(3000)),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const nested = fc
  .tuple(
    fc.constantFrom(['[', ']'], ['{"a":', '}'], ['[{"":', '}]'], ['[1,', ',1]']),
    fc.constantFrom(3, 500, 1500, 7900),
  )
  .map(([[open = '', close = ''], depth]) => {
    const levels = Math.min(depth, Math.floor(16_000 / (open.length + close.length)))
    return `${open.repeat(levels)}1${close.repeat(levels)}`
  })
const json = fc.oneof(
  { weight: 3, arbitrary: text.map((value) => JSON.stringify(value)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'null',
      'true',
      '60',
      '[]',
      '{}',
      '["*"]',
      '["read"]',
      '[["*"]]',
      '[null]',
      '{"keys":[]}',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '1e400',
      '-0',
      '1e-400',
      '60.0',
      '6e1',
      '-1',
      '9'.repeat(4000),
      `0.${'1'.repeat(4000)}`,
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\ud800"',
      '"\\u0000"',
      '"\\x"',
      '"\t"',
      'NaN',
      'undefined',
      "'x'",
      '01',
      '/**/1',
      '1,',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '{"toString":1}',
      '{"__proto__":{"x":1}}',
      '[{"valueOf":null}]',
      '{"length":-1}',
      '{"a":1,"a":1}',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      `[${'1,'.repeat(7000)}1]`,
      `[${'"https://a.example",'.repeat(700)}"*"]`,
      `{${':'.repeat(9)}}`,
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat(3)
      .map(
        (kind) =>
          `{"keys":[{"kty":"EC","crv":"P-256","x":"${'A'.repeat(43)}","y":"${'A'.repeat(43 + kind)}","kid":"k"}]}`,
      ),
  },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
)
const oddName = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'Token',
  'x',
  '',
  '\0',
  '\ud800',
  '<<token>>',
  'é',
)

const nameOf = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: oddName })

const jsonBody = (names: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(nameOf(names), json), { maxLength: 5 })
    .map((members) =>
      toBytes(`{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
    )
const encode = (value: string): string =>
  encodeURIComponent(value.toWellFormed()).replaceAll('%3C', '<').replaceAll('%3E', '>')
const formBody = (names: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.tuple(nameOf(names), text).map((pair) => pair.map(encode).join('=')) },
        { weight: 2, arbitrary: fc.constant('grant_type=client_credentials') },
        {
          weight: 1,
          arbitrary: nameOf(names).map((name) => `${encode(name)}=<<token>>&${encode(name)}=<<jwt>>`),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            '%',
            '%ff=1',
            'a=%c0%80',
            '=',
            '&&',
            '%00=%00',
            'a=1&'.repeat(3000),
            '+=+',
          ),
        },
      ),
      { maxLength: 5 },
    )
    .map((pairs) => toBytes(pairs.join('&')))

const bent = fc.oneof(
  { weight: 12, arbitrary: fc.constant((body: string) => body) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      (body: string) => `\xef\xbb\xbf${body}`,
      (body: string) => `${body}\xff`,
      (body: string) => `[${body}]`,
      (body: string) => body + body,
      (body: string) => Buffer.from(body, 'utf16le').toString('latin1'),
      (body: string) => body.slice(0, -1),
      (body: string) => `${' '.repeat(16_384 - Math.min(body.length, 16_384))}${body}`,
      (body: string) => body.padEnd(16_385, ' '),
      () => '',
      () => 'null',
    ),
  },
)
const TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' } as const
const oddType = fc.constantFrom(
  ...[
    'text/plain',
    '',
    'application/json; charset=utf-16',
    'application/json;charset="utf-8"',
    'multipart/form-data',
  ],
  ...[
    'APPLICATION/JSON;x=<<token>>',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'application/*',
    ';',
  ],
)
const oddHeaders = fc.constantFrom<Record<string, string>>(
  ...[
    { origin: 'https://www.example.com' },
    { 'sec-fetch-site': 'cross-site' },
    { 'content-encoding': 'gzip' },
  ],
  ...[{ authorization: 'Bearer' }, { authorization: 'Basic Og==' }, { authorization: 'Bearer <<token>>x' }],
  ...[
    { authorization: `Basic ${'A'.repeat(9000)}` },
    { dpop: '<<jwt>>' },
    { dpop: 'a.b.c' },
    { 'x-client-id': '\xff' },
  ],
)

function requestTo({ method, path, type, names, headers }: Endpoint): fc.Arbitrary<HostileRequest> {
  const right = type === 'json' ? jsonBody(names) : formBody(names)
  return fc
    .record({
      body: fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: damaged(right, byte) }),
      bend: bent,
      type: fc.oneof(
        { weight: 12, arbitrary: fc.constant<string>(TYPES[type]) },
        { weight: 1, arbitrary: oddType },
      ),
      more: fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders }),
      chunked: fc.boolean(),
    })
    .map(({ body, bend, type, more, chunked }) => ({
      method,
      path,
      headers: { ...headers, ...(type !== '' && { 'content-type': type }), ...more },
      body: bend(body),
      chunked,
    }))
}

export const hostileRequest: fc.Arbitrary<HostileRequest> = fc.oneof(...endpoints.map(requestTo))
