// The configuration: values that each variable accepts and refuses, the reported problems, and the effect of a free port.

import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { ConfigError, type ConfigProblem, parseConfig, withPort } from '../../src/config/config.ts'
import { fields } from '../../src/config/fields.ts'

type Env = Record<string, string | undefined>

const MASTER_KEY = Buffer.alloc(32, 0xfb).toString('base64url')

function problemsOf(env: Env): readonly ConfigProblem[] {
  try {
    parseConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

const variablesOf = (env: Env) => problemsOf(env).map((problem) => problem.variable)

describe('defaults', () => {
  const defaults = {
    host: '127.0.0.1',
    port: 8787,
    issuer: 'http://127.0.0.1:8787',
    issuerGiven: false,
    audience: ['http://127.0.0.1:8787'],
    alg: 'ES256',
    tokenTtl: 1800,
    maxTtl: 86_400,
    clockTolerance: 5,
    auditDays: 400,
    keyRotation: 90 * 86_400,
    keyPublish: 900,
    database: { kind: 'sqlite', path: 'data/claimgate.db' },
    redisUrl: null,
    keysDir: 'keys',
    masterKey: null,
    pepper: null,
    adminToken: null,
    trustedProxies: { kind: 'none' },
    forwardedHeader: 'x-forwarded-for',
    querySecrets: true,
    rateLimit: { requests: 6000, seconds: 60 },
    workers: 1,
    metrics: 'loopback',
    logLevel: 'info',
  }

  test('apply with an empty environment', () => expect(parseConfig({})).toEqual(defaults))

  test('apply also to a variable with an empty value', () => {
    const empty = Object.fromEntries(Object.keys(fields).map((name) => [name, '']))
    expect(parseConfig(empty)).toEqual(defaults)
  })

  test("apply also when variables of other programs and of the customer's backend are set", () => {
    const others = {
      PATH: '/bin',
      NODE_ENV: 'production',
      claimgate_port: 'x',
      CLAIMGATE_ACCOUNT_TOKEN: 'x',
      CLAIMGATE_CLIENT_ID: 'x',
      CLAIMGATE_CLIENT_SECRET: 'x',
      CLAIMGATE_CLIENT_TOKEN_URI: 'x',
      CLAIMGATE_ALLOWED_ORIGINS: 'x',
      CLAIMGATE_API_URL: 'x',
      CLAIMGATE_TYPO: undefined,
    }
    expect(parseConfig(others)).toEqual(defaults)
  })
})

describe('values that each variable accepts', () => {
  test.each([
    ['PORT', '0', { port: 0 }],
    ['PORT', '65535', { port: 65535 }],
    ['HOST', '127.8.9.10', { host: '127.8.9.10', issuer: 'http://127.8.9.10:8787' }],
    ['HOST', 'localhost', { host: 'localhost', issuer: 'http://localhost:8787' }],
    ['HOST', '::1', { host: '::1', issuer: 'http://[::1]:8787', audience: ['http://[::1]:8787'] }],
    [
      'CLAIMGATE_ISSUER',
      'https://auth.example.com',
      { issuer: 'https://auth.example.com', issuerGiven: true },
    ],
    ['CLAIMGATE_ISSUER', 'https://auth.example.com/', { issuer: 'https://auth.example.com' }],
    ['CLAIMGATE_ISSUER', 'https://example.com/auth/', { issuer: 'https://example.com/auth' }],
    ['CLAIMGATE_ISSUER', 'HTTPS://Auth.Example.com:443/A/', { issuer: 'https://auth.example.com/A' }],
    [
      'CLAIMGATE_ISSUER',
      'http://[::1]:9000',
      { issuer: 'http://[::1]:9000', audience: ['http://[::1]:9000'] },
    ],
    ['CLAIMGATE_ISSUER', 'https://bücher.example', { issuer: 'https://xn--bcher-kva.example' }],
    ['CLAIMGATE_ISSUER', 'https://example.com/@tenant', { issuer: 'https://example.com/@tenant' }],
    ['CLAIMGATE_AUDIENCE', 'a', { audience: ['a'] }],
    ['CLAIMGATE_AUDIENCE', ' https://a.example , b,b', { audience: ['https://a.example', 'b'] }],
    ['CLAIMGATE_ALG', 'EdDSA', { alg: 'EdDSA' }],
    ['CLAIMGATE_ALG', 'HS256', { alg: 'HS256' }],
    ['CLAIMGATE_TOKEN_TTL', '10', { tokenTtl: 10 }],
    ['CLAIMGATE_TOKEN_TTL', '86400', { tokenTtl: 86_400 }],
    ['CLAIMGATE_MAX_TTL', '1800', { maxTtl: 1800 }],
    ['CLAIMGATE_CLOCK_TOLERANCE', '0', { clockTolerance: 0 }],
    ['CLAIMGATE_CLOCK_TOLERANCE', '300', { clockTolerance: 300 }],
    ['CLAIMGATE_KEY_ROTATION', 'off', { keyRotation: null }],
    ['CLAIMGATE_KEY_ROTATION', '2160', { keyRotation: 2160 }],
    ['CLAIMGATE_KEY_PUBLISH', '0', { keyPublish: 0 }],
    [
      'DATABASE_URL',
      'sqlite:/var/lib/claimgate.db',
      { database: { kind: 'sqlite', path: '/var/lib/claimgate.db' } },
    ],
    ['DATABASE_URL', 'sqlite:a b?c.db', { database: { kind: 'sqlite', path: 'a b?c.db' } }],
    ['DATABASE_URL', 'memory:', { database: { kind: 'memory' } }],
    ['REDIS_URL', 'redis://127.0.0.1:6379/1', { redisUrl: 'redis://127.0.0.1:6379/1' }],
    ['REDIS_URL', 'rediss://u:p@redis.example', { redisUrl: 'rediss://u:p@redis.example' }],
    ['CLAIMGATE_KEYS_DIR', '/etc/claimgate/keys', { keysDir: '/etc/claimgate/keys' }],
    ['CLAIMGATE_MASTER_KEY', MASTER_KEY, { masterKey: new Uint8Array(32).fill(0xfb) }],
    ['CLAIMGATE_PEPPER', 'p'.repeat(32), { pepper: 'p'.repeat(32) }],
    ['CLAIMGATE_ADMIN_TOKEN', 't'.repeat(32), { adminToken: 't'.repeat(32) }],
    ['CLAIMGATE_TRUSTED_PROXIES', '2', { trustedProxies: { kind: 'hops', count: 2 } }],
    ['CLAIMGATE_FORWARDED_HEADER', 'forwarded', { forwardedHeader: 'forwarded' }],
    ['CLAIMGATE_QUERY_SECRETS', 'on', { querySecrets: true }],
    ['CLAIMGATE_QUERY_SECRETS', 'off', { querySecrets: false }],
    ['CLAIMGATE_RATE_LIMIT', '1/1', { rateLimit: { requests: 1, seconds: 1 } }],
    ['CLAIMGATE_RATE_LIMIT', 'off', { rateLimit: null }],
    ['CLAIMGATE_WORKERS', '4', { workers: 4 }],
    ['CLAIMGATE_WORKERS', 'auto', { workers: 'auto' }],
    ['CLAIMGATE_METRICS', 'admin', { metrics: 'admin' }],
    ['CLAIMGATE_METRICS', 'off', { metrics: 'off' }],
    ['CLAIMGATE_AUDIT_DAYS', '30', { auditDays: 30 }],
    ['CLAIMGATE_LOG', 'silent', { logLevel: 'silent' }],
  ] as const)('%s=%s', (name, value, expected) =>
    expect(parseConfig({ [name]: value })).toMatchObject(expected),
  )

  test('Postgres URLs of both schemes are accepted with a master key', () => {
    for (const url of [
      'postgres://u:p%23@db.example:5432/claims',
      'postgresql:///claims?host=/run/postgresql',
    ]) {
      const config = parseConfig({ DATABASE_URL: url, CLAIMGATE_MASTER_KEY: MASTER_KEY })
      expect(config.database).toEqual({ kind: 'postgres', url })
    }
  })

  test('trusted proxies may be address ranges', () => {
    const { trustedProxies } = parseConfig({ CLAIMGATE_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8' })
    expect(trustedProxies.kind === 'ranges' && trustedProxies.ranges).toHaveLength(3)
  })

  test('with an issuer, every HOST is accepted', () => {
    for (const HOST of ['0.0.0.0', '::', 'api.internal']) {
      expect(parseConfig({ HOST, CLAIMGATE_ISSUER: 'https://auth.example.com' }).host).toBe(HOST)
    }
  })
})

describe('values that each variable refuses', () => {
  const numbers = ['-1', '+10', '010', '1e3', '0x10', '10.0', '10s', ' 10', '١٠', 'NaN', '99999999999']
  const malformedIssuers = [
    'auth.example.com',
    'ftp://auth.example.com',
    'https://',
    'https:///x',
    'https:/auth.example.com',
    'https:\\\\auth.example.com',
    'https://u@auth.example.com',
    'https://u:p@auth.example.com',
    'https://@auth.example.com',
    'https://auth.example.com?',
    'https://auth.example.com/?a=b',
    'https://auth.example.com#',
    'https://auth.example.com/#a',
    'https://auth.example.com:99999',
    'https://auth.example.com, https://b.example',
    ' https://auth.example.com',
    'https://auth.example.com\n',
  ]
  const table: Record<string, readonly string[]> = {
    PORT: [...numbers, '65536', 'http'],
    HOST: [
      '[::1]',
      '127.0.0.1:80',
      'http://127.0.0.1',
      'a b',
      '1::2::3',
      '256.0.0.1',
      'u@localhost',
      ':8787',
    ],
    CLAIMGATE_ISSUER: malformedIssuers,
    CLAIMGATE_AUDIENCE: [',', 'a,', 'a,,b', ' '],
    CLAIMGATE_ALG: ['es256', 'none', 'RS256', 'Ed25519', 'ES256 '],
    CLAIMGATE_TOKEN_TTL: [...numbers, '9'],
    CLAIMGATE_MAX_TTL: [...numbers, '9'],
    CLAIMGATE_CLOCK_TOLERANCE: [...numbers, '301', 'off'],
    CLAIMGATE_KEY_ROTATION: [...numbers, '0', 'OFF', 'none'],
    CLAIMGATE_KEY_PUBLISH: [...numbers, 'off'],
    DATABASE_URL: [
      'claimgate.db',
      'sqlite:',
      'sqlite::memory:',
      'sqlite://data/claimgate.db',
      'memory',
      'memory:x',
      'mysql://u:p@db/x',
      'postgres:',
      'postgres://',
      'postgres://u:p#@db/x',
    ],
    REDIS_URL: ['127.0.0.1:6379', 'http://127.0.0.1', 'redis:', 'redis://', 'redis://u:p#@h'],
    CLAIMGATE_MASTER_KEY: [
      MASTER_KEY.slice(1),
      `${MASTER_KEY}A`,
      `${MASTER_KEY}=`,
      Buffer.alloc(32, 0xfb).toString('base64'),
      Buffer.alloc(32, 0xfb).toString('hex'),
      `${'A'.repeat(42)}B`, // unused bits set
      ' '.repeat(43),
    ],
    CLAIMGATE_PEPPER: ['p'.repeat(31), `${'p'.repeat(32)}\n`, ` ${'p'.repeat(32)}`, `${'p'.repeat(32)}\t`],
    CLAIMGATE_ADMIN_TOKEN: ['t'.repeat(31), `${'t'.repeat(32)} x`, 'ü'.repeat(32), `${'t'.repeat(32)}\n`],
    CLAIMGATE_TRUSTED_PROXIES: ['all', '10.0.0.1/8', '0.0.0.0/0', ',', '-1', '51'],
    CLAIMGATE_FORWARDED_HEADER: ['x-real-ip', 'cf-connecting-ip'],
    CLAIMGATE_QUERY_SECRETS: ['true', 'false', '1', 'ON'],
    CLAIMGATE_RATE_LIMIT: [
      '6000',
      '0/60',
      '6000/0',
      '6000/60/1',
      '6000/60s',
      '-1/60',
      '6000 / 60',
      '/',
      'on',
    ],
    CLAIMGATE_WORKERS: [...numbers, '0', 'Auto', '257'],
    CLAIMGATE_METRICS: ['on', 'private'],
    CLAIMGATE_AUDIT_DAYS: ['0', '-1', '1.5', 'off', '36526'],
    CLAIMGATE_LOG: ['trace', 'INFO', 'off'],
  }
  test('has a row for every variable except the keys folder, which accepts any name', () => {
    expect([...Object.keys(table), 'CLAIMGATE_KEYS_DIR'].sort()).toEqual(Object.keys(fields).sort())
  })

  for (const [name, values] of Object.entries(table)) {
    test.each(values)(`${name}=%j`, (value) => expect(variablesOf({ [name]: value })).toEqual([name]))
  }
})

describe('rules between variables', () => {
  test.each([
    ['0.0.0.0'],
    ['::'],
    ['192.0.2.1'],
    ['128.0.0.1'],
    ['::2'],
    ['localhost.example.com'],
    ['127.0.0.1.example.com'],
  ])('HOST %s is refused without an issuer', (HOST) =>
    expect(variablesOf({ HOST })).toEqual(['CLAIMGATE_ISSUER']),
  )

  test('a default lifetime above the longest is refused, and the message names both variables', () => {
    const [problem, ...others] = problemsOf({ CLAIMGATE_TOKEN_TTL: '600', CLAIMGATE_MAX_TTL: '599' })
    expect(others).toEqual([])
    expect(problem).toEqual({
      variable: 'CLAIMGATE_TOKEN_TTL',
      problem: 'is 600, above CLAIMGATE_MAX_TTL, which is 599',
      example: 'CLAIMGATE_TOKEN_TTL=599',
    })
    expect(variablesOf({ CLAIMGATE_MAX_TTL: '600' })).toEqual(['CLAIMGATE_TOKEN_TTL'])
    expect(variablesOf({ CLAIMGATE_TOKEN_TTL: '600', CLAIMGATE_MAX_TTL: '600' })).toEqual([])
  })

  test('more than 40 key rotations in the longest token lifetime are refused, and the message names both variables', () => {
    const [problem, ...others] = problemsOf({ CLAIMGATE_KEY_ROTATION: '90', CLAIMGATE_MAX_TTL: '3601' })
    expect(others).toEqual([])
    expect(problem).toEqual({
      variable: 'CLAIMGATE_KEY_ROTATION',
      problem:
        'is 90, shorter than CLAIMGATE_MAX_TTL / 40, which is 90.025: more keys would be published than verifiers may be asked to hold',
      example: 'CLAIMGATE_KEY_ROTATION=91',
    })
    expect(variablesOf({ CLAIMGATE_KEY_ROTATION: '2159' })).toEqual(['CLAIMGATE_KEY_ROTATION'])
    expect(variablesOf({ CLAIMGATE_KEY_ROTATION: '90', CLAIMGATE_MAX_TTL: '3600' })).toEqual([])
    expect(variablesOf({ CLAIMGATE_KEY_ROTATION: 'off', CLAIMGATE_MAX_TTL: '2147483647' })).toEqual([])
  })

  test('Postgres without a master key is refused', () => {
    expect(variablesOf({ DATABASE_URL: 'postgres://db/claims' })).toEqual(['CLAIMGATE_MASTER_KEY'])
  })

  test('a database in memory is refused with several processes', () => {
    for (const CLAIMGATE_WORKERS of ['2', 'auto']) {
      expect(variablesOf({ DATABASE_URL: 'memory:', CLAIMGATE_WORKERS })).toEqual(['DATABASE_URL'])
    }
    expect(variablesOf({ DATABASE_URL: 'memory:', CLAIMGATE_WORKERS: '1' })).toEqual([])
  })

  test('the command in the message creates a master key that is accepted', () => {
    for (const env of [{ CLAIMGATE_MASTER_KEY: 'x' }, { DATABASE_URL: 'postgres://db/claims' }] as Env[]) {
      const command = /make one with: (node .*)$/.exec(problemsOf(env)[0]!.problem)![1]!
      const made = execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim()
      expect(parseConfig({ CLAIMGATE_MASTER_KEY: made }).masterKey).toHaveLength(32)
    }
  })
})

describe('unknown names', () => {
  test.each([
    ['CLAIMGATE_ISSUR', 'CLAIMGATE_ISSUER'],
    ['CLAIMGATE_TOKENTTL', 'CLAIMGATE_TOKEN_TTL'],
    ['CLAIMGATE_TRUSTED_PROXY', 'CLAIMGATE_TRUSTED_PROXIES'],
    ['CLAIMGATE_KEY_DIR', 'CLAIMGATE_KEYS_DIR'],
    ['CLAIMGATE_LOGS', 'CLAIMGATE_LOG'],
    ['CLAIMGATE_PORT', 'PORT'],
    ['CLAIMGATE_DATABASE_URL', 'DATABASE_URL'],
  ])('%s: did you mean %s?', (variable, meant) => {
    const [problem] = problemsOf({ [variable]: 'secret-value' })
    expect(problem).toMatchObject({ variable, problem: `is not a setting; did you mean ${meant}?` })
    expect(problem!.example.startsWith(`${meant}=`)).toBe(true)
  })

  test('a name that resembles no variable is only reported as unknown', () => {
    expect(problemsOf({ CLAIMGATE_FAVOURITE_COLOUR: 'red' })).toEqual([
      {
        variable: 'CLAIMGATE_FAVOURITE_COLOUR',
        problem: 'is not a setting',
        example: 'unset CLAIMGATE_FAVOURITE_COLOUR',
      },
    ])
  })
})

describe('the error', () => {
  test('reports every problem together, each on its own line with an example', () => {
    const env = {
      PORT: 'x',
      CLAIMGATE_ALG: 'none',
      CLAIMGATE_TOKEN_TTL: '90000',
      CLAIMGATE_ADMIN_TOKEN: 'short',
      'CLAIMGATE_A\nB': 'x',
    }
    expect(() => parseConfig(env)).toThrow(ConfigError)
    const problems = problemsOf(env)
    const lines = new ConfigError(problems).message.split('\n')
    expect(problems.map((problem) => problem.variable)).toEqual([
      'PORT',
      'CLAIMGATE_ALG',
      'CLAIMGATE_ADMIN_TOKEN',
      'CLAIMGATE_TOKEN_TTL',
      'CLAIMGATE_A?B',
    ])
    expect(lines).toHaveLength(problems.length)
    expect(lines[0]).toBe(
      'PORT: must be a whole number from 0 to 65535, in plain digits (example: PORT=8787)',
    )
    for (const line of lines) expect(line).toMatch(/^[\w?]+: .+ \(example: .+\)$/)
  })

  test('never contains the value of a variable', () => {
    const value = 'hunter2 http://u:hunter2@h/?hunter2#,hunter2'
    const env = Object.fromEntries([...Object.keys(fields), 'CLAIMGATE_X'].map((name) => [name, value]))
    const shown = JSON.stringify(problemsOf(env)) + new ConfigError(problemsOf(env)).stack
    const acceptingAny = ['CLAIMGATE_AUDIENCE', 'CLAIMGATE_KEYS_DIR', 'CLAIMGATE_PEPPER']
    const faulty = Object.keys(fields).filter((name) => !acceptingAny.includes(name))
    expect(variablesOf(env).sort()).toEqual([...faulty, 'CLAIMGATE_X'].sort())
    expect(shown).not.toContain('hunter2')
  })

  test('gives examples that are accepted, and placeholders for secrets that are refused', () => {
    for (const [name, { example }] of Object.entries(fields)) {
      expect(variablesOf({ [name]: example }), name).toEqual(example.startsWith('<') ? [name] : [])
    }
  })

  test('reports a value that is not a string, as bindings on Workers can be', () => {
    const env = { CLAIMGATE_TOKEN_TTL: 600, CLAIMGATE_ALG: 1 } as unknown as Env
    expect(problemsOf(env).map((problem) => problem.problem)).toEqual([
      'must be one of ES256, EdDSA, HS256',
      'must be text',
    ])
  })
})

describe('withPort', () => {
  test('changes the port in a derived issuer and audience', () => {
    expect(withPort(parseConfig({ PORT: '0', HOST: '::1' }), 4000)).toEqual({
      ...parseConfig({ PORT: '4000', HOST: '::1' }),
    })
  })

  test('does not change a configured issuer or audience', () => {
    const issuer = withPort(parseConfig({ PORT: '0', CLAIMGATE_ISSUER: 'https://auth.example.com' }), 4000)
    expect(issuer).toMatchObject({
      port: 4000,
      issuer: 'https://auth.example.com',
      audience: ['https://auth.example.com'],
    })
    const audience = withPort(parseConfig({ PORT: '0', CLAIMGATE_AUDIENCE: 'api' }), 4000)
    expect(audience).toMatchObject({ port: 4000, issuer: 'http://127.0.0.1:4000', audience: ['api'] })
  })
})
