// The index of rules compared with the simplest implementation, a search through a list, and with a remote verifier that
// reads the signed document.

import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import type { NumberedRule, RevocationRule } from '../../src/claims/records/revocation.ts'
import { createRuleIndex, type RuleIndex } from '../../src/service/revocation/rule-index.ts'
import { readRevocations } from '../../src/verify/revocation/list.ts'
import { RULES } from '../support/mint.ts'
import { claimsWith, createRuleStore } from '../support/service-parts.ts'
import { createKeys, createReplica } from './replica.ts'

/** The time at which a period for one document begins, epoch milliseconds. */
const START = Date.UTC(2031, 4, 6, 7)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

/** One change of the known rules. */
type Step = { readonly put: NumberedRule } | { readonly dropUntil: number }

// The same few names for everything, so that a rule of one kind meets tokens with its value under another name.
const name = fc.constantFrom('a', 'b', 'c', '__proto__')
const time = fc.integer({ min: START - 6000, max: START + 12_000 })
const moments = { before: time, until: time }
const rule: fc.Arbitrary<RevocationRule> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('jti', 'client_id', 'sub', 'kid'),
    value: name,
    account: fc.constant(null),
    ...moments,
  }),
  // Customers revoke by `jti` only.
  fc.record({ kind: fc.constant('jti'), value: name, account: name, ...moments }),
)
const put = fc
  .tuple(rule, fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5', 'r6'), fc.integer({ min: 1, max: 9 }))
  .map(([made, id, seq]): Step => ({ put: { ...made, id, seq } }))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: put },
  { weight: 1, arbitrary: time.map((dropUntil): Step => ({ dropUntil })) },
)
const seconds = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min, max }).map((offset) => START / 1000 + offset)
/** Tokens issued before and after `before`, and expiring before and after `until`. */
const token = fc.record({ jti: name, client_id: name, sub: name, iat: seconds(-7, 7), exp: seconds(1, 14) })

/** The index and the list of rules after these steps. */
function follow(steps: readonly Step[]): {
  readonly index: RuleIndex
  readonly list: readonly NumberedRule[]
} {
  const index = createRuleIndex()
  let list: NumberedRule[] = []
  for (const one of steps) {
    if ('put' in one) {
      index.put(one.put)
      const isOlder = list.some(({ id, seq }) => id === one.put.id && seq >= one.put.seq)
      if (!isOlder) list = [...list.filter(({ id }) => id !== one.put.id), one.put]
    } else {
      index.dropUntil(one.dropUntil, Number.POSITIVE_INFINITY)
      list = list.filter(({ until }) => until > one.dropUntil)
    }
  }
  return { index, list }
}

/** To whole seconds, because times in tokens have no fraction. */
const roundUp = (ms: number): number => Math.ceil(ms / 1000)

/** The signed document has whole seconds; the service itself knows the millisecond at which a rule expires. */
type EndOf = (until: number) => number
const inSeconds: EndOf = (until) => roundUp(until)
const inMilliseconds: EndOf = (until) => until / 1000

function isEnded(
  list: readonly RevocationRule[],
  claims: ClaimsSet,
  kid: string,
  now: number,
  endOf: EndOf,
): boolean {
  return list.some(({ kind, value, account, before, until }) => {
    const isNamed = value === (kind === 'kid' ? kid : claims[kind])
    const isOfAccount = account === null || account === claims.sub
    // Tokens that clock tolerance still accepts are included.
    const isInForce = now < endOf(until) || claims.exp <= roundUp(until)
    return isNamed && isOfAccount && claims.iat < roundUp(before) && isInForce
  })
}

test('the index, a list and a remote verifier agree about every token', async () => {
  const { ring, source } = await createKeys()
  let [ended, alive, ofAccounts] = [0, 0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.array(token, { minLength: 1, maxLength: 12 }),
      name,
      fc.integer({ min: 0, max: 13_000 }),
      async (steps, tokens, kid, offset) => {
        vi.setSystemTime(START + offset)
        const now = Date.now() / 1000
        const { index, list } = follow(steps)
        const text = await createReplica(ring, createRuleStore(list)).read()
        const remote = await readRevocations(text, RULES.issuer, source)
        if (remote === undefined) return expect.unreachable('the list is good')
        for (const members of tokens) {
          const claims = claimsWith(members)
          // Expired tokens are not compared.
          if (claims.exp <= now) continue
          const expected = isEnded(list, claims, kid, now, inMilliseconds)
          expect(index.isListed(claims, kid, now)).toBe(expected)
          expect(remote.rules.isListed(claims, kid, now)).toBe(isEnded(list, claims, kid, now, inSeconds))
          if (expected) ended += 1
          else alive += 1
          const unbound = list.map((one) => ({ ...one, account: null }))
          if (isEnded(unbound, claims, kid, now, inMilliseconds) !== expected) ofAccounts += 1
        }
      },
    ),
    { numRuns: 300 },
  )
  // Both results must occur often, or the comparison proves nothing.
  expect(Math.min(ended, alive, ofAccounts)).toBeGreaterThan(20)
})

test('the index and a list agree about signing keys and the earliest iat of new tokens', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), name, name, time, (steps, one, other, now) => {
      const { index, list } = follow(steps)
      const inForce = list.filter(({ until }) => until > now)
      expect(index.isKeyRevoked(one, now)).toBe(
        inForce.some(({ kind, value }) => kind === 'kid' && value === one),
      )
      const moments = inForce
        .filter(
          ({ kind, value }) => (kind === 'sub' && value === one) || (kind === 'client_id' && value === other),
        )
        .map(({ before }) => roundUp(before) * 1000)
      expect(index.endsBefore({ accountId: one, credentialId: other }, now)).toBe(Math.max(0, ...moments))
    }),
    { numRuns: 500 },
  )
})
