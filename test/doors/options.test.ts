// Options from JavaScript, without the compiler's help. Each wrong one throws a TypeError that names it when the verifier is
// created; each valid one is accepted.

import { describe, expect, test } from 'vitest'
import { claimCors, claimAuth as honoAuth } from '../../src/verify/middleware/hono.ts'
import { claimAuth as nodeAuth } from '../../src/verify/middleware/node.ts'
import { createVerifier, type VerifierOptions } from '../../src/verify/verifier.ts'
import { createIssuer } from './mint.ts'

type Options = Readonly<Record<string, unknown>>

const { keys } = await createIssuer('jwks')
const publicKey = 'jwks' in keys ? keys.jwks.keys[0] : undefined
const OCT = { kty: 'oct', kid: 'shared', k: Buffer.alloc(32, 7).toString('base64url') }
const base: Options = { issuer: 'https://auth.example.com', audience: 'https://auth.example.com', ...keys }
const open: Options = { ...base, allowedOrigins: ['https://www.example.com'] }
const keyless = (more: Options): Options => ({ ...base, jwks: undefined, ...more })
const nothing = () => undefined

const create = (options: unknown) => createVerifier(options as VerifierOptions)
const middlewares = { 'claimgate/hono': honoAuth, 'claimgate/node': nodeAuth } as unknown as Readonly<
  Record<string, (options: unknown) => unknown>
>

/** Invalid values of each option. A name with a dot is an option of the feed. */
const wrong: Readonly<Record<string, readonly unknown[]>> = {
  issuer: [undefined, null, '', 5, ['https://auth.example.com']],
  audience: [undefined, null, '', 5, [], [''], ['a', 5], [['a']], {}],
  clockTolerance: [null, -1, 301, Number.NaN, Number.POSITIVE_INFINITY, '5', [5], true, {}],
  missingOrigin: [null, '', 'Allow', true, ['allow']],
  apiOrigin: [
    null,
    '',
    'api.example.com',
    'https://api.example.com/v1',
    'https://api.example.com?a',
    'https://api.example.com#a',
    'https://user@api.example.com',
    'https://*.example.com',
    'capacitor://localhost',
    'null',
    '*',
    5,
    new URL('https://api.example.com'),
  ],
  require: [null, 'key', 'origin', ['Origin'], ['origin', 'address'], [['origin']], {}],
  mode: [null, '', 'Report', 'off', false],
  trustedProxies: [
    null,
    '',
    [''],
    'proxy',
    '10.0.0.1/8',
    '0.0.0.0/0',
    ['10.0.0.0/8', 'x'],
    ['2'],
    [2],
    ['10.0.0.0/8', '2'],
    -1,
    1.5,
    51,
    true,
    {},
  ],
  forwardedHeader: [null, '', 'X-Forwarded-For', 'x-real-ip', true],
  tokenSources: [null, [], 'query', ['cookie'], ['authorization', 'Query'], {}],
  scope: [null, 5, 'a"b', ['a', 5], [null], ['a b'], [['a']], [''], {}],
  authorize: [null, true, 'yes', {}],
  revocation: [null, true, 'https://auth.example.com/.well-known/revocations', {}, []],
  'revocation.url': [
    { url: 'http://auth.example.com/x' },
    { url: '/x' },
    { url: 5 },
    { url: 'https://a:b@c/' },
  ],
  'revocation.refreshSeconds': [0, -1, '2', null, Number.NaN, Number.POSITIVE_INFINITY].map(
    (refreshSeconds) => ({
      url: 'https://auth.example.com/x',
      refreshSeconds,
    }),
  ),
  'revocation.maxStaleSeconds': [1, '60', null, Number.NaN].map((maxStaleSeconds) => ({
    url: 'https://auth.example.com/x',
    maxStaleSeconds,
  })),
  'revocation.onStale': ['Refuse', null, true].map((onStale) => ({
    url: 'https://auth.example.com/x',
    onStale,
  })),
  'revocation.maxStale': [{ url: 'https://auth.example.com/x', maxStale: 5 }],
  replay: [null, true, nothing, {}, { seen: true }],
  allowInsecureIssuer: [null, 'true', 1, []],
  cache: [null, true, 5, {}, { max: 0 }, { max: -1 }, { max: 1.5 }, { max: '5' }, { max: Number.NaN }],
  onDecision: [null, true, {}],
}
const wrongKeys: Readonly<Record<string, readonly unknown[]>> = {
  jwksUri: [
    null,
    '',
    5,
    'auth.example.com',
    'http://auth.example.com/jwks',
    'http://127.0.0.1.evil.example/jwks',
    'ftp://auth.example.com/jwks',
    'file:///jwks.json',
    'https://user@auth.example.com/jwks',
    'https://user:pass@auth.example.com/jwks',
  ],
  jwks: [
    null,
    [],
    {},
    { keys: [] },
    { keys: {} },
    { keys: [null] },
    { keys: ['key'] },
    { keys: [{}] },
    { keys: [{ ...publicKey, kid: undefined }] },
    { keys: [{ ...publicKey, kid: '' }] },
    { keys: [{ ...publicKey, kid: 5 }] },
    { keys: [{ ...publicKey, d: OCT.k }] },
    { keys: [{ ...publicKey, use: 'enc' }] },
    { keys: [{ ...publicKey, key_ops: ['sign'] }] },
    { keys: [{ ...publicKey, alg: 'RS256' }] },
    { keys: [{ ...publicKey, crv: 'P-384' }] },
    { keys: [{ ...publicKey, y: publicKey?.x }] },
    { keys: [{ kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB' }] },
    { keys: [{ ...OCT, k: 'c2hvcnQ' }] },
    { keys: [publicKey, publicKey] },
  ],
  secret: [
    null,
    '',
    'x'.repeat(31),
    new Uint8Array(31),
    new ArrayBuffer(32),
    5,
    true,
    [],
    {},
    publicKey,
    { ...OCT, kid: undefined },
    { ...OCT, k: 'c2hvcnQ' },
    { ...OCT, k: undefined },
  ],
}
const wrongCors: Readonly<Record<string, readonly unknown[]>> = {
  allowedOrigins: [
    null,
    [],
    '',
    'https://www.example.com',
    true,
    {},
    [5],
    [null],
    ['null'],
    ['www.example.com'],
    ['https://www.example.com//'],
    ['https://www.example.com/app'],
    ['https://*'],
    ['https://*.*.example.com'],
    ['*', 'https://www.example.com'],
  ],
  allowedHeaders: [null, 'X-Extra', [''], ['X Extra'], ['X-Extra, X-Other'], [5], ['X\r\nY']],
}

const show = (value: unknown): string =>
  typeof value === 'function' ? 'a function' : (JSON.stringify(value, hideBytes) ?? String(value))
const hideBytes = (_: string, value: unknown): unknown =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer
    ? `${value.byteLength} bytes`
    : typeof value === 'number'
      ? String(value)
      : value

/** The rows of a table: an option, one value of it, and the whole set of options with that value. */
function rowsOf(table: typeof wrong, complete: (name: string, value: unknown) => Options) {
  return Object.entries(table).flatMap(([name, values]) =>
    values.map((value) => ({ name, shown: show(value), options: complete(name, value) })),
  )
}

/** The message of the TypeError that `make` must throw. */
function messageOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  throw new Error('the options were accepted')
}

describe('wrong options of a verifier', () => {
  const rows = [
    ...rowsOf(wrong, (name, value) => ({ ...base, [name.split('.')[0] ?? '']: value })),
    ...rowsOf(wrongKeys, (name, value) => keyless({ [name]: value })),
  ]

  test.each(rows)('$name: $shown', ({ name, options }) => {
    expect(messageOf(() => create(options))).toContain(name)
  })

  test.each(Object.entries(middlewares))('%s rejects the same options', (_, make) => {
    for (const { name, options, shown } of rows) {
      expect(
        messageOf(() => make({ ...options, allowedOrigins: '*' })),
        shown,
      ).toContain(name)
    }
  })

  test.each([undefined, null, 'options', 5, () => base])('options must be an object: %s', (options) => {
    expect(messageOf(() => create(options))).toContain('options')
    for (const make of Object.values(middlewares)) expect(messageOf(() => make(options))).toContain('options')
    expect(messageOf(() => claimCors(options as never))).toContain('options')
  })

  test.each([
    { ...base, secret: 'x'.repeat(32) },
    { ...base, jwksUri: 'https://auth.example.com/jwks' },
    keyless({ secret: 'x'.repeat(32), jwksUri: 'https://auth.example.com/jwks' }),
  ])('more than one source of keys', (options) => {
    const message = messageOf(() => create(options))
    for (const name of ['jwksUri', 'jwks', 'secret']) expect(message).toContain(name)
  })

  test.each([
    'http://auth.internal/jwks',
    'http://10.0.0.7:8787/jwks',
    'http://localhost.evil.example/jwks',
    'http://127.0.0.1.nip.example/jwks',
    'http://0.0.0.0/jwks',
  ])('plain http to another machine needs allowInsecureIssuer: true: %s', (url) => {
    const options = keyless({ jwksUri: url })
    const feed = { ...base, revocation: { url } }
    for (const made of [options, feed]) {
      expect(messageOf(() => create(made))).toMatch(/^(jwksUri|revocation\.url): .*allowInsecureIssuer: true/)
      expect(() => create({ ...made, allowInsecureIssuer: true })).not.toThrow()
      expect(() => create({ ...made, allowInsecureIssuer: false })).toThrow(TypeError)
    }
  })

  test.each(['ftp://auth.internal/jwks', 'http://me:secret@auth.internal/jwks', 'data:,x'])(
    'allowInsecureIssuer does not allow %s',
    (jwksUri) => {
      const options = keyless({ jwksUri, allowInsecureIssuer: true })
      expect(messageOf(() => create(options))).toMatch(/^jwksUri: /)
    },
  )

  test('require: key needs apiOrigin', () => {
    expect(messageOf(() => create({ ...base, require: ['key'] }))).toContain('apiOrigin')
    expect(() => create({ ...base, require: ['key'], apiOrigin: 'https://api.example.com' })).not.toThrow()
  })

  test.each([
    'Issuer',
    'aud',
    'jwksURI',
    'tolerance',
    'origins',
    'allowedOrigin',
    'clientIP',
    'onDecisions',
    'toString',
    'constructor',
  ])('an unknown option: %s', (name) => {
    expect(messageOf(() => create({ ...base, [name]: undefined }))).toContain(name)
    for (const make of Object.values(middlewares)) {
      expect(messageOf(() => make({ ...open, [name]: undefined }))).toContain(name)
    }
  })

  test.each(['allowedOrigins', 'allowedHeaders', 'cors', 'clientIp'])(
    'a verifier rejects an option that only middlewares have: %s',
    (name) => {
      expect(messageOf(() => create({ ...base, [name]: undefined }))).toContain(name)
    },
  )

  test('messages never contain key material', () => {
    for (const secret of ['correct-horse-battery-staple', { ...OCT, kid: 5 }, { ...OCT, use: 'enc' }]) {
      const message = messageOf(() => create(keyless({ secret })))
      expect(message).not.toContain('horse')
      expect(message).not.toContain(OCT.k)
    }
  })
})

describe('wrong options of a middleware', () => {
  const rows = rowsOf(wrongCors, (name, value) => ({ ...open, [name]: value }))

  describe.each(Object.entries(middlewares))('%s', (_, make) => {
    test.each(rows)('$name: $shown', ({ name, options }) => {
      expect(messageOf(() => make(options))).toContain(name)
    })

    test.each([null, 'false', 0, 'off'])('cors: %s', (cors) => {
      expect(messageOf(() => make({ ...open, cors }))).toContain('cors')
    })

    test.each([{ allowedOrigins: ['https://a.example'] }, { allowedHeaders: ['X-Extra'] }])(
      'cors: false, and %o',
      (more) => {
        expect(messageOf(() => make({ ...base, cors: false, ...more }))).toContain(Object.keys(more)[0])
      },
    )
  })

  test.each(rows)('claimCors: $name: $shown', ({ name, options: { allowedOrigins, allowedHeaders } }) => {
    const options = { allowedOrigins, ...(name === 'allowedHeaders' && { allowedHeaders }) }
    expect(messageOf(() => claimCors(options as never))).toContain(name)
  })

  test('claimCors without allowedOrigins', () => {
    expect(messageOf(() => claimCors({} as never))).toBe(
      'allowedOrigins: must be given, a list of origins, "*" or a function',
    )
  })

  test.each(['cors', 'issuer', 'allowCredentials'])('claimCors: an unknown option: %s', (name) => {
    expect(messageOf(() => claimCors({ allowedOrigins: '*', [name]: false }))).toContain(name)
  })

  test.each([null, 'x-real-ip', true])('clientIp: %s', (clientIp) => {
    expect(messageOf(() => middlewares['claimgate/hono']?.({ ...open, clientIp }))).toContain('clientIp')
  })

  test('claimgate/node rejects clientIp', () => {
    expect(messageOf(() => middlewares['claimgate/node']?.({ ...open, clientIp: nothing }))).toContain(
      'clientIp',
    )
  })
})

/** Valid values of each option. */
const right: Readonly<Record<string, readonly unknown[]>> = {
  issuer: ['http://127.0.0.1:8787', 'an issuer'],
  audience: ['api', ['api', 'https://api.example.com']],
  clockTolerance: [undefined, 0, 2.5, 300],
  allowInsecureIssuer: [undefined, true, false],
  missingOrigin: [undefined, 'reject', 'allow'],
  apiOrigin: [undefined, 'https://api.example.com', 'http://127.0.0.1:8080/', 'HTTPS://API.example.com:443'],
  require: [undefined, [], ['origin'], ['origin', 'ip']],
  mode: [undefined, 'enforce', 'report'],
  trustedProxies: [undefined, [], 0, 2, '2', 'loopback', '10.0.0.0/8, ::1', ['10.0.0.0/8', 'loopback']],
  forwardedHeader: [undefined, 'x-forwarded-for', 'forwarded'],
  tokenSources: [undefined, ['query'], ['authorization', 'x-client-token', 'query', 'websocket']],
  scope: [undefined, [], 'read', 'read write', ['read', 'write']],
  authorize: [undefined, () => true, async () => true],
  revocation: [
    undefined,
    () => false,
    { url: 'https://auth.example.com/.well-known/revocations' },
    { url: 'http://localhost:8787/x', refreshSeconds: 0.5, maxStaleSeconds: 30, onStale: 'refuse' },
  ],
  replay: [undefined, { seen: async () => false }],
  cache: [undefined, false, { max: 1 }],
  onDecision: [undefined, nothing],
}
const rightKeys: Readonly<Record<string, readonly unknown[]>> = {
  jwksUri: [
    'https://auth.example.com/.well-known/jwks.json',
    ...['localhost', '127.0.0.1', '127.1', '[::1]'].map((host) => `http://${host}:8787/jwks`),
  ],
  jwks: [
    { keys: [publicKey] },
    { keys: [publicKey, OCT] },
    { keys: [{ ...publicKey, alg: 'ES256', use: 'sig' }] },
  ],
  secret: ['x'.repeat(32), 'ö'.repeat(16), new Uint8Array(32).fill(1), Buffer.alloc(64, 1), OCT],
}
const rightCors: Readonly<Record<string, readonly unknown[]>> = {
  cors: [undefined, true],
  allowedOrigins: [
    undefined,
    '*',
    ['*'],
    ['https://www.example.com', 'https://*.example.com', 'http://localhost:*', 'capacitor://localhost'],
    () => true,
    async () => false,
  ],
  allowedHeaders: [undefined, [], ['X-Extra', 'x-other']],
}

describe('valid options', () => {
  const verifierRows = [
    ...rowsOf(right, (name, value) => ({ ...base, [name]: value })),
    ...rowsOf(rightKeys, (name, value) => keyless({ [name]: value })),
  ]

  test.each(verifierRows)('$name: $shown', ({ options }) => {
    create(options).close()
    for (const make of Object.values(middlewares)) {
      expect(make({ ...options, allowedOrigins: '*' })).toBeTypeOf('function')
      expect(make({ ...options, cors: false })).toBeTypeOf('function')
    }
  })

  test.each(rowsOf(rightCors, (name, value) => ({ ...open, [name]: value })))(
    '$name: $shown',
    ({ options: { allowedOrigins, allowedHeaders, ...rest } }) => {
      for (const make of Object.values(middlewares)) {
        expect(make({ ...rest, allowedOrigins, allowedHeaders })).toBeTypeOf('function')
      }
      if (allowedOrigins === undefined) return
      expect(claimCors({ allowedOrigins, allowedHeaders } as never)).toBeTypeOf('function')
    },
  )

  test('the tables of valid and invalid values name the same options', () => {
    const known = 'cors allowedOrigins allowedHeaders jwksUri jwks secret'.split(' ')
    expect([...Object.keys(right), ...known].sort()).toEqual(
      [...new Set([...Object.keys(wrong), ...Object.keys(wrongKeys), ...Object.keys(wrongCors), 'cors'])]
        .filter((name) => !name.includes('.'))
        .sort(),
    )
  })
})
