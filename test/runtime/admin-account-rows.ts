// Which members and origins an account may have, and which pages of a listing can be requested. One rule a row.

import { SITE } from '../support/world.ts'
import { type AdminRow, asAdmin, postAccount, postText } from './admin-rows.ts'

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 70) ?? 'nothing'

const bad = (parameter: string, value: unknown): AdminRow => ({
  rule: `${parameter} = ${shown(value)}`,
  request: () => postAccount({ [parameter]: value }),
  expect: [422, 'invalid_request', parameter],
})

/** A row that creates an account with `sent` and expects 201 with `members`: the same in canonical form. */
const good = (sent: Readonly<Record<string, unknown>>, members = sent): AdminRow => ({
  rule: `${shown(sent)} gives ${members === sent ? 'the same' : shown(members)}`,
  request: () => postAccount(sent),
  expect: members,
})

const FACE = '\u{1f600}'

/** Origins with different host names of 253 characters, the longest that DNS allows. */
const longOrigins = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => {
    const first = `${index}`.padStart(63, 'a')
    return `https://${first}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}:65535`
  })

export const memberRows: readonly AdminRow[] = [
  {
    rule: 'every fault is listed',
    request: () =>
      postText(
        JSON.stringify({ name: '', allowedOrigins: [], scopes: 'x', maxTtl: 9, browserPrototype: 1, x: 1 }),
      ),
    expect: [422, 'invalid_request', 'name', 'allowedOrigins', 'scopes', 'maxTtl', 'browserPrototype', 'x'],
  },
  ...['colour', 'id', 'status', 'createdAt', 'allowedorigins', 'constructor', 'toString'].map(
    (name): AdminRow => ({
      rule: `unknown member ${name}`,
      request: () => postAccount({ [name]: 'active' }),
      expect: [422, 'invalid_request', name],
    }),
  ),
  {
    rule: 'unknown member __proto__',
    request: () => postText(`{"name":"Row","allowedOrigins":["${SITE}"],"__proto__":{"maxTtl":60}}`),
    expect: [422, 'invalid_request', 'body'],
  },
  {
    rule: 'a secret sent as a member name is not repeated',
    request: (world) => postAccount({ [world.token]: 1 }),
    expect: [422, 'invalid_request', 'body'],
  },
  {
    rule: 'a secret sent as a value is not repeated',
    request: (world) => postAccount({ allowedOrigins: [world.token], scopes: [`a ${world.token}`] }),
    expect: [422, 'invalid_request', 'allowedOrigins', 'scopes'],
  },
  // `undefined` leaves the member out.
  ...[undefined, null, 7, true, [], {}, '', 'a'.repeat(201), FACE.repeat(201), '\ud800'].map((value) =>
    bad('name', value),
  ),
  good({ name: 'a' }),
  good({ name: 'a'.repeat(200) }),
  good({ name: FACE.repeat(200) }),
  good({ name: '"; DROP TABLE accounts; -- <b>\u0000\u202e' }),
  ...['read', null, {}, [7], [null], ['a b'], [''], ['a"b'], ['a\\b'], ['é'], ['a\n'], [['a']]].map((value) =>
    bad('scopes', value),
  ),
  good({ scopes: [] }),
  good({ scopes: ['write', 'read', 'write'] }, { scopes: ['write', 'read'] }),
  good({ scopes: ["!#[]~'<>:/"] }),
  ...[9, 0, -60, 86_401, 60.5, '60', '', true, [60], 1e300].map((value) => bad('maxTtl', value)),
  good({ maxTtl: 10 }),
  good({ maxTtl: 86_400 }),
  good({ maxTtl: null }),
  ...['true', 1, 0, '', []].map((value) => bad('browserPrototype', value)),
  good({ browserPrototype: true }),
  ...['true', 1, 0, '', []].map((value) => bad('requireOrigin', value)),
  good({ requireOrigin: true }),
  good(
    {},
    {
      name: 'Row',
      status: 'active',
      allowedOrigins: [SITE],
      scopes: [],
      maxTtl: null,
      browserPrototype: false,
      requireOrigin: false,
    },
  ),
]

const origins = (...allowedOrigins: unknown[]): AdminRow => bad('allowedOrigins', allowedOrigins)
const stored = (sent: readonly string[], kept: readonly string[] = sent): AdminRow =>
  good({ allowedOrigins: sent }, { allowedOrigins: kept })

export const originRows: readonly AdminRow[] = [
  ...[undefined, null, SITE, 7, {}, []].map((value) => bad('allowedOrigins', value)),
  origins(7),
  origins(null),
  origins([SITE]),
  origins(SITE, 7),
  ...[
    '',
    ' ',
    'null',
    'www.example.com',
    'localhost',
    '//www.example.com',
    `${SITE}//`,
    `${SITE}/path`,
    `${SITE}/path/`,
    `${SITE}?`,
    `${SITE}#`,
    ` ${SITE}`,
    `${SITE} `,
    `${SITE},https://b.example`,
    'https://u@www.example.com',
    'https:\\\\www.example.com',
    'https://a b.example',
    'https://a..example',
    `https://${'a'.repeat(64)}.example`,
    'https://www.example.com:65536',
    'ftp://example.com',
    'ws://example.com',
    'wss://example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://www.example.com/x',
    'file:///etc',
    'about:blank',
    'filesystem:https://www.example.com',
    'capacitor://localhost/x',
    'chrome-extension://*',
    `${'a'.repeat(290)}://host.text`,
    // Wildcards in the wrong place.
    '**',
    '*.example.com',
    'https://*',
    'http://*:8080',
    '*://www.example.com',
    'https://www.*.com',
    'https://www.*.example.com',
    'https://*example.com',
    'https://w*.example.com',
    'https://**.example.com',
    'https://*.*.example.com',
    'https://*.example.com:*',
    'https://www.example.com:*',
    'https://*.example.com/path',
    'https://*.example.com.',
    // Any port is allowed only for the three loopback names.
    'http://app.localhost:*',
    'http://127.0.0.2:*',
    'http://10.0.0.1:*',
    'http://0.0.0.0:*',
    'http://[::]:*',
    'capacitor://localhost:*',
    // No wildcard below an address or a public suffix.
    'https://*.127.0.0.1',
    'https://*.10.0.0.1',
    'https://*.[::1]',
    'https://*.com',
    'https://*.COM',
    'https://*.co.uk',
    'https://*.localhost',
    'https://*.github.io',
    'https://*.workers.dev',
    'https://*.pages.dev',
    'https://*.xn--p1ai',
  ].map((text) => origins(text)),
  origins('*', SITE),
  origins(SITE, '*'),
  origins('*', 'http://localhost:*'),
  origins('*', 'capacitor://localhost'),
  origins(SITE, 'https://a..example'),
  {
    rule: '101 allowed origins',
    request: () => postAccount({ allowedOrigins: longOrigins(101) }),
    expect: [422, 'invalid_request', 'allowedOrigins'],
  },
  {
    rule: '100 allowed origins of the longest names',
    request: () => postAccount({ allowedOrigins: longOrigins(100) }),
    expect: { allowedOrigins: longOrigins(100) },
  },
  stored(['*']),
  stored(['HTTPS://WWW.Example.COM:443', SITE, 'http://b.example:80'], [SITE, 'http://b.example']),
  stored(['http://localhost:3000', 'http://app.localhost', 'https://www.example.com.']),
  stored(
    ['https://bücher.example', 'http://[0:0::1]:8080'],
    ['https://xn--bcher-kva.example', 'http://[::1]:8080'],
  ),
  stored(['http://2130706433'], ['http://127.0.0.1']),
  stored(
    ['https://*.Example.com:443', 'http://*.example.com:8080', 'https://*.bücher.example'],
    ['https://*.example.com', 'http://*.example.com:8080', 'https://*.xn--bcher-kva.example'],
  ),
  stored(
    [`${SITE}/`, 'https://*.Example.com/', 'http://localhost:*/', 'capacitor://localhost/'],
    [SITE, 'https://*.example.com', 'http://localhost:*', 'capacitor://localhost'],
  ),
  stored(['https://*.example.co.uk', 'https://*.me.github.io']),
  stored(
    ['http://LOCALHOST:*', 'https://127.0.0.1:*', 'http://[::1]:*'],
    ['http://localhost:*', 'https://127.0.0.1:*', 'http://[::1]:*'],
  ),
  stored(
    ['Capacitor://localhost', 'chrome-extension://abcdefghijklmnop'],
    ['capacitor://localhost', 'chrome-extension://abcdefghijklmnop'],
  ),
]

const page = (parameter: string, query: string): readonly AdminRow[] =>
  ['/admin/accounts', '/admin/audit'].map((path) => ({
    rule: `${path}?${query}`,
    request: () => asAdmin('GET', `${path}?${query}`),
    expect: [422, 'invalid_request', parameter],
  }))

const cursor = (text: string) => page('cursor', `cursor=${encodeURIComponent(text)}`)
/** A cursor in the encoding that the service uses today. Callers must not rely on it. */
const encoded = (value: unknown) => cursor(btoa(JSON.stringify(value)))

export const pageRows: readonly AdminRow[] = [
  ...[
    '',
    '0',
    '201',
    '-1',
    '1.5',
    '1e2',
    '010',
    '+5',
    '%205',
    '5%20',
    'abc',
    '0x10',
    '9'.repeat(400),
  ].flatMap((text) => page('limit', `limit=${text}`)),
  ...page('limit', 'limit=5&limit=6'),
  ...page('cursor', 'cursor=a&cursor=b'),
  ...page('query', 'limit=%zz'),
  ...page('query', 'cursor=%zz'),
  ...page('query', '%zz'),
  ...page('query', 'x=%ff'),
  ...['', 'x', '!!!', '[1,"x"]', btoa('not json'), 'a'.repeat(4000), '\u0000', 'é'].flatMap(cursor),
  ...[
    [1, 'x'],
    [1, ''],
    [1, 2],
    ['1', 'acct_000000000000'],
    [-1, 'acct_000000000000'],
    [1.5, 'acct_000000000000'],
    [1e300, 'acct_000000000000'],
    [null, 'acct_000000000000'],
    [1, 'acct_000000000000\n'],
    [1, "acct_' OR 1=1 --"],
    [1, 'acct_000000000000', 1],
    [1],
    [],
    {},
    null,
    1,
    { 0: 1, 1: 'acct_000000000000', length: 2 },
  ].flatMap(encoded),
]
