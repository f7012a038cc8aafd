// Log lines: format, levels, and what they never contain.

import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { ClaimError } from '../../src/claims/errors.ts'
import { createLogger, type LogFields, type LogLevel } from '../../src/http/log.ts'
import { StorageError } from '../../src/storage/errors.ts'

const NOW = Date.parse('2026-01-01T00:00:00.000Z')
const ACCOUNT_TOKEN = 'cgk_0123456789ab_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG_000000'

function collect(level: LogLevel = 'debug') {
  const lines: string[] = []
  return { lines, log: createLogger({ level, write: (line) => lines.push(line), now: () => NOW }) }
}

function writeOne(fields: LogFields): Record<string, unknown> {
  const { lines, log } = collect()
  log.info('test', fields)
  return JSON.parse(lines[0]!)
}

describe('a line', () => {
  test('is one JSON object: time, level, message, then the fields', () => {
    const { lines, log } = collect()
    log.info('listening', { url: 'http://127.0.0.1:8787' })
    expect(lines).toEqual([
      '{"time":"2026-01-01T00:00:00.000Z","level":"info","msg":"listening","url":"http://127.0.0.1:8787"}',
    ])
  })

  test('has every known field, and none that is undefined', () => {
    const fields = {
      url: 'https://auth.example.com/tenant',
      requestId: 'r1',
      code: 'unauthorized',
      reason: 'unknown credential',
      status: 401,
      method: 'POST',
      route: '/auth/claim',
      durationMs: 1.5,
      address: '192.0.2.0',
      account: 'acct_1',
      credential: 'c1',
      kid: 'k1',
      check: 'redis',
      signal: 'SIGTERM',
      count: 0,
    }
    const { time: _, level, msg, ...rest } = writeOne({ ...fields, error: undefined })
    expect({ level, msg, rest }).toEqual({ level: 'info', msg: 'test', rest: fields })
  })

  test('has no line break, whatever the values contain', () => {
    const { lines, log } = collect()
    log.warn('test', { reason: 'a\nb\r\u2028{"level":"error"}' })
    expect(lines[0]).not.toMatch(/[\n\r]/)
    expect(JSON.parse(lines[0]!).reason).toBe('a\nb\r\u2028{"level":"error"}')
  })

  test('has only known fields of the right type, even if the object has more', () => {
    const wide = { status: '401', count: 2, account: { name: 'x' }, password: 'hunter2', level: 'forged' }
    expect(writeOne(wide as unknown as LogFields)).toEqual({
      time: '2026-01-01T00:00:00.000Z',
      level: 'info',
      msg: 'test',
      count: 2,
    })
  })
})

describe('levels', () => {
  const all = ['debug', 'info', 'warn', 'error'] as const
  test.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('%s', (level, written) => {
    const { lines, log } = collect(level)
    for (const name of all) log[name]('test')
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(written)
  })

  test('a line below the level reads neither the clock nor its fields', () => {
    const fail = () => {
      throw new Error('was read')
    }
    const log = createLogger({ level: 'warn', write: fail, now: fail })
    log.info('test', Object.defineProperty({}, 'error', { get: fail }))
    expect(() => log.warn('test')).toThrow('was read')
  })
})

describe('the guard against credentials', () => {
  test('removes a text that contains an account token', () => {
    for (const value of [ACCOUNT_TOKEN, `Bearer ${ACCOUNT_TOKEN}`, 'cgk_']) {
      expect(writeOne({ reason: value }).reason).toBe('[removed]')
    }
  })

  test('removes a text that contains a real JWT', async () => {
    const jwt = await new SignJWT({ origin: 'https://app.example.com' })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(new Uint8Array(32))
    for (const value of [jwt, `wrong token: ${jwt}.`, `(${jwt})`, `a.${jwt}`]) {
      expect(writeOne({ kid: value }).kid, value).toBe('[removed]')
    }
  })

  test('also removes messages and errors', () => {
    const { lines, log } = collect()
    log.error(`refused ${ACCOUNT_TOKEN}`, { error: new StorageError(`no row for ${ACCOUNT_TOKEN}`) })
    expect(JSON.parse(lines[0]!)).toMatchObject({ msg: '[removed]', error: '[removed]' })
  })

  test.each([
    ['url', 'https://auth.example.com/auth/claim?token=x'],
    ['url', 'https://user:secret@auth.example.com/'],
    ['route', '/auth/whoami?token=x'],
  ])('removes a query or user info from %s: %s', (name, value) => {
    expect(writeOne({ [name]: value })[name]).toBe('[removed]')
  })

  test.each([
    'https://auth.example.com/@tenant',
    'https://authentication.example-company-international.example',
    '2001:db8::',
    'v24.21.0',
  ])('keeps %s', (value) => {
    expect(writeOne({ url: value }).url).toBe(value)
  })

  test('takes time in proportion to the length of the text', () => {
    const started = performance.now()
    for (const hostile of [
      'a'.repeat(1e6),
      'a.'.repeat(5e5),
      `${'a'.repeat(20)}.`.repeat(2) + 'a-'.repeat(5e5),
    ]) {
      writeOne({ reason: hostile })
    }
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('a logged error', () => {
  const describeIt = (error: unknown) => writeOne({ error }).error as string

  test('of this project is written as class and message', () => {
    expect(describeIt(new StorageError('the database is locked'))).toBe(
      'StorageError: the database is locked',
    )
    const refused = new ClaimError('origin_mismatch', 'the token is for another origin')
    expect(describeIt(refused)).toBe(`ClaimError: ${refused.message}`)
  })

  test('of another library is written as class and place, because its message may quote input', () => {
    let thrown: unknown
    try {
      JSON.parse('{"clientSecret":"hunter2"')
    } catch (error) {
      thrown = error
    }
    expect(describeIt(thrown)).toMatch(/^SyntaxError at \S*\w:\d+:\d+$|^SyntaxError at <anonymous>:\d+:\d+$/)
    expect(describeIt(new TypeError('hunter2'))).toMatch(/^TypeError at \S*log\.test\.ts:\d+:\d+$/)
  })

  test('takes its place from the stack, never from a line of its message', () => {
    expect(describeIt(new Error('x\n    at hunter2:1:1'))).toMatch(/^Error at \S*log\.test\.ts:\d+:\d+$/)
    const changed = new Error('first\n    at hunter2:1:1')
    expect(changed.stack).toContain('hunter2') // V8 builds the stack when it is first read, with the message of that moment
    changed.message = 'second'
    expect(describeIt(changed)).toBe('Error')
  })

  test('includes the system code and the cause', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 10.1.2.3'), { code: 'ECONNREFUSED' })
    const text = describeIt(new StorageError('Postgres does not answer', cause))
    expect(text).toMatch(/^StorageError: Postgres does not answer; cause: Error ECONNREFUSED at /)
    expect(text).not.toContain('10.1.2.3')
  })

  test('that is not an Error is written as its type', () => {
    expect(describeIt('hunter2')).toBe('string')
    expect(describeIt(null)).toBe('object')
  })
})
