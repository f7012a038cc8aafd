import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseForm, queryOf } from '../../src/http/form.ts'

describe('forms', () => {
  test.each([
    ['', []],
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a', [['a', '']]],
    ['=x', [['', 'x']]],
    ['a=b=c', [['a', 'b=c']]],
    ['&&a=1&', [['a', '1']]],
    ['a+b=c+d', [['a b', 'c d']]],
    ['a=%2B%26%3D', [['a', '+&=']]],
    ['%C3%A9=%E2%82%AC', [['é', '€']]],
  ])('%j is parsed', (text, pairs) => {
    expect(parseForm(text)).toEqual(pairs)
  })

  test.each(['%', 'a=%2', 'a=%zz', '%ff=1', 'a=%C3', 'a=%C0%AF', 'a=%ED%A0%80'])(
    '%j is malformed',
    (text) => {
      expect(parseForm(text)).toBeUndefined()
    },
  )

  test('what URLSearchParams writes is read back', () => {
    const pairs = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })))
    fc.assert(
      fc.property(pairs, (given) => {
        const text = new URLSearchParams(given).toString()
        expect(parseForm(text)).toEqual([...new URLSearchParams(text)])
      }),
    )
  })
})

test.each([
  ['http://x/y', ''],
  ['http://x/y?', ''],
  ['http://x/y?a=1?b', 'a=1?b'],
  ['http://x/y?a=1#b?c', 'a=1'],
])('the query of %s', (url, query) => {
  expect(queryOf(url)).toBe(query)
})
