// Scopes that may be asked for and are granted, and lifetimes within their limits.

import { describe, expect, test } from 'vitest'
import { longestLifetime, standardLifetime } from '../../src/claims/lifetime.ts'
import { grantScope, heldScopes, parseScope } from '../../src/claims/scope.ts'

describe('scopes', () => {
  test.each([
    ['', []],
    ['read', ['read']],
    [' read  write ', ['read', 'write']],
    ['urn:x:y !#$', ['urn:x:y', '!#$']],
  ])('%j is parsed as %j', (text, scopes) => {
    expect(parseScope(text)).toEqual({ ok: true, value: scopes })
  })

  test.each(['a"', 'a\\', 'a\tb', 'é', 'a\u0000', 'a\u007f'])('%j is refused', (text) => {
    expect(parseScope(text).ok).toBe(false)
  })

  test.each([
    [[], ['a', 'b'], ['a', 'b']],
    [['b'], ['a', 'b'], ['b']],
    [
      ['b', 'a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ],
    [['c'], ['a', 'b'], undefined],
    [['a', 'c'], ['a', 'b'], undefined],
    [['a'], [], undefined],
  ])('asking for %j with %j held grants %j', (asked, held, granted) => {
    expect(grantScope(asked, held)).toEqual(granted)
  })

  test('a credential has only those of its scopes that its account still has', () => {
    expect(heldScopes(['a', 'b'], null)).toEqual(['a', 'b'])
    expect(heldScopes(['a', 'b'], ['c', 'b'])).toEqual(['b'])
    expect(heldScopes(['a', 'b'], [])).toEqual([])
  })
})

test.each([
  [{ standard: 1800, serverMax: 86_400, accountMax: null, credentialLeft: Infinity }, 1800, 86_400],
  [{ standard: 1800, serverMax: 86_400, accountMax: 600, credentialLeft: Infinity }, 600, 600],
  [{ standard: 1800, serverMax: 3600, accountMax: 7200, credentialLeft: Infinity }, 1800, 3600],
  [{ standard: 1800, serverMax: 3600, accountMax: 7200, credentialLeft: 11 }, 11, 11],
  [{ standard: 1800, serverMax: 3600, accountMax: 60, credentialLeft: 61 }, 60, 60],
])('with the limits %j the standard lifetime is %d and the longest is %d', (limits, standard, longest) => {
  expect(standardLifetime(limits)).toBe(standard)
  expect(longestLifetime(limits)).toBe(longest)
})
