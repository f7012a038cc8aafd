// The index of revocations that the service and remote verifiers share.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import {
  addRevocation,
  createRevocationIndex,
  isListed,
  pairOf,
  type RevocationName,
} from '../../src/verify/revocation/list.ts'

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

test.each<[RevocationName, string, boolean]>([
  ['jti', 'jti-1', true],
  ['client_id', 'client-1', true],
  ['sub', 'acct_1', true],
  ['kid', 'key-1', true],
  ['sub+user', pairOf('acct_1', 'ada'), true],
  ['sub+jti', pairOf('acct_1', 'jti-1'), true],
  ['sub+user', pairOf('acct_1', 'jti-1'), false],
  ['sub+jti', pairOf('acct_1', 'ada'), false],
  ['sub+user', pairOf('ada', 'acct_1'), false],
  ['sub', pairOf('acct_1', 'ada'), false],
])('%s %s: %j', (name, value, isEnded) => {
  const index = createRevocationIndex()
  addRevocation(index, name, value, { before: 101, until: 300 })
  expect(isListed(index, claims, 'key-1', 150)).toBe(isEnded)
  expect(isListed(index, { ...claims, iat: 101 }, 'key-1', 150)).toBe(false)
})

test('no two pairs have the same value', () => {
  const text = fc.string({ unit: fc.constantFrom('1', ':', 'a', ' ') })
  fc.assert(
    fc.property(text, text, text, text, (sub, other, secondSub, secondOther) => {
      const isSame = sub === secondSub && other === secondOther
      expect(pairOf(sub, other) === pairOf(secondSub, secondOther)).toBe(isSame)
    }),
    { numRuns: 2000 },
  )
})
