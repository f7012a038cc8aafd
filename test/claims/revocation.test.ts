// Which tokens a revocation ends. The issuer and remote verifiers use the same index.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import {
  createRevocationIndex,
  type ListedKind,
  type RevocationRule,
} from '../../src/claims/records/revocation.ts'

type Rule = RevocationRule<ListedKind>

const claims = {
  iss: 'https://auth.example.com',
  aud: 'https://api.example.com',
  sub: 'acct_1',
  client_id: 'client-1',
  jti: 'jti-1',
  user: 'ada',
  iat: 100,
  exp: 200,
} as ClaimsSet

function indexOf(...rules: readonly Partial<Rule>[]): ReturnType<typeof createRevocationIndex<Rule>> {
  const index = createRevocationIndex<Rule>()
  for (const rule of rules) {
    index.add({ kind: 'jti', value: 'jti-1', account: null, before: 101_000, until: 300_000, ...rule })
  }
  return index
}

test.each<[ListedKind, string, string | null, boolean]>([
  ['jti', 'jti-1', null, true],
  ['client_id', 'client-1', null, true],
  ['sub', 'acct_1', null, true],
  ['kid', 'key-1', null, true],
  ['user', 'ada', 'acct_1', true],
  ['jti', 'jti-1', 'acct_1', true],
  ['user', 'jti-1', 'acct_1', false],
  ['jti', 'ada', 'acct_1', false],
  ['user', 'acct_1', 'ada', false],
  ['jti', 'jti-1', 'acct_2', false],
  ['sub', '6:acct_1ada', null, false],
])('a rule for %s %s of account %s ends the token: %j', (kind, value, account, isEnded) => {
  const index = indexOf({ kind, value, account })
  expect(index.isListed(claims, 'key-1', 150)).toBe(isEnded)
  expect(index.isListed({ ...claims, iat: 101 }, 'key-1', 150)).toBe(false)
})

test.each<[string, Partial<Rule>, number, boolean]>([
  ['`before` is within the second of `iat`', { before: 100_001 }, 150, true],
  ['`before` is the second of `iat`', { before: 100_000 }, 150, false],
  ['the rule expires later', { until: 150_001 }, 150, true],
  ['the rule has expired, the token has not', { until: 150_000 }, 150, false],
  ['both have expired, and clock tolerance still accepts the token', { until: 200_000 }, 203, true],
])('the times decide whether a token is ended: %s', (_, times, now, isEnded) => {
  expect(indexOf(times).isListed(claims, 'key-1', now)).toBe(isEnded)
})

test('one of several rules for the same value ends the token; after its removal the token is valid again', () => {
  const index = indexOf({ before: 1 }, { until: 1 })
  const rule: Rule = { kind: 'jti', value: 'jti-1', account: null, before: 101_000, until: 300_000 }
  expect(index.isListed(claims, 'key-1', 150)).toBe(false)
  index.add(rule)
  expect(index.isListed(claims, 'key-1', 150)).toBe(true)
  expect([...index.groups()].flat()).toHaveLength(3)
  index.remove({ ...rule })
  expect(index.isListed(claims, 'key-1', 150)).toBe(true)
  index.remove(rule)
  expect(index.isListed(claims, 'key-1', 150)).toBe(false)
  expect(index.find(rule)).toHaveLength(2)
})

test('a rule of one account never ends a token of another, however the names are spelled', () => {
  const text = fc.string({ unit: fc.constantFrom('1', ':', 'a', ' ') })
  fc.assert(
    fc.property(text, text, text, text, (account, value, sub, jti) => {
      const isSame = account === sub && value === jti
      const index = indexOf({ account, value })
      expect(index.isListed({ ...claims, sub, jti }, 'key-1', 150)).toBe(isSame)
    }),
    { numRuns: 2000 },
  )
})
