import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../src/lib/json.ts'

describe('JSON without duplicate names', () => {
  test.each([
    ['{}', {}],
    ['[]', []],
    ['"a:b"', 'a:b'],
    ['{"a":{"b":[{"a":1},{"a":2}]}}', { a: { b: [{ a: 1 }, { a: 2 }] } }],
    ['{"a":"\\"b\\":\\\\"}', { a: '"b":\\' }],
    ['{"\\u0061":1,"A":2}', { a: 1, A: 2 }],
    [' { "a" : 1 } ', { a: 1 }],
  ])('%s is parsed', (text, value) => {
    expect(parseJson(text)).toEqual({ ok: true, value })
  })

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"a":1,"b":2,"a":3}]}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":{"b":1},"a":{"b":1}}',
    '{"":1,"":2}',
  ])('%s is refused', (text) => {
    expect(parseJson(text)).toEqual({ ok: false, reason: 'duplicate' })
  })

  test.each(['', '{', '{"a":1,}', "{'a':1}", '{"a":NaN}', '\ufeff{}', '{"a":1}{', 'undefined', '"\n"'])(
    '%j is malformed',
    (text) => {
      expect(parseJson(text)).toEqual({ ok: false, reason: 'malformed' })
    },
  )

  test('__proto__ is parsed as an ordinary member name', () => {
    const parsed = parseJson('{"__proto__":{"admin":true}}')
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual(['__proto__'])
  })

  test('8000 nested arrays are parsed', () => {
    const depth = 8000
    expect(parseJson(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`).ok).toBe(true)
  })

  test('accepts every output of JSON.stringify, and refuses it with a repeated member', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), fc.jsonValue(), (value, name, other) => {
        expect(parseJson(JSON.stringify(value))).toEqual({
          ok: true,
          value: JSON.parse(JSON.stringify(value)),
        })
        const member = `${JSON.stringify(name)}:${JSON.stringify(other)}`
        expect(parseJson(`{${member}}`).ok).toBe(true)
        expect(parseJson(`[{${member},${member}}]`)).toEqual({ ok: false, reason: 'duplicate' })
      }),
    )
  })
})
