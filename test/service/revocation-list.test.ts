// The payload of the list of revocations: it depends only on the rules, is sorted, and has no expired entries.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NumberedRule } from '../../src/claims/records/revocation.ts'
import { createListWriter, type ListFacts } from '../../src/service/revocation/document.ts'
import { parseLongArray } from '../../src/verify/revocation/read-long-array.ts'

const ISSUER = 'https://auth.example.com/ü'
const PERIOD = 1_900_000_000
const FACTS: ListFacts = { seq: 7, issuedAt: PERIOD, expiresAt: PERIOD + 300, period: PERIOD }

async function write(writer: ReturnType<typeof createListWriter>, rules: readonly NumberedRule[]) {
  const list = await writer('aGVhZA', FACTS, rules)
  const input = new TextDecoder().decode(list.input)
  expect(new TextDecoder().decode(list.finish('c2ln'))).toBe(`${input}.c2ln`)
  return input
}

function payloadOf(input: string): string {
  const [header, payload = ''] = input.split('.')
  expect(header).toBe('aGVhZA')
  expect(payload).toMatch(/^[\w-]+$/)
  return Buffer.from(payload, 'base64url').toString()
}

/** The entries that a list of these rules must have. */
function listOf(rules: readonly NumberedRule[]): object {
  const revoked = rules
    .map((rule) => ({ ...rule, before: Math.ceil(rule.before / 1000), until: Math.ceil(rule.until / 1000) }))
    .filter(({ until }) => until > PERIOD)
    .map(({ account, kind, value, before, until }) => ({
      ...(account !== null && { sub: account }),
      [kind]: value,
      before,
      until,
    }))
  return { iss: ISSUER, iat: FACTS.issuedAt, exp: FACTS.expiresAt, seq: FACTS.seq, revoked }
}

const rule: fc.Arbitrary<NumberedRule> = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  seq: fc.integer({ min: 1, max: 4 }),
  kind: fc.constantFrom('jti', 'client_id', 'sub', 'kid'),
  value: fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 })),
  account: fc.constantFrom(null, 'acct_1'),
  before: fc.constant(PERIOD * 1000 + 1),
  until: fc.integer({ min: PERIOD * 1000 - 2, max: PERIOD * 1000 + 2 }),
})
const inOrder = (one: NumberedRule, other: NumberedRule): number =>
  one.seq - other.seq || (one.id < other.id ? -1 : 1)
const pool = fc.uniqueArray(rule, { selector: ({ id, seq }) => `${seq} ${id}`, maxLength: 20 })

describe('a list', () => {
  test('has the same bytes, whichever lists the writer wrote before', async () => {
    const lists = pool.chain((rules) => fc.array(fc.subarray(rules), { minLength: 1, maxLength: 5 }))
    await fc.assert(
      fc.asyncProperty(lists, async (all) => {
        const writer = createListWriter(ISSUER)
        for (const rules of all.map((some) => some.toSorted(inOrder))) {
          const input = await write(writer, rules)
          expect(input).toBe(await write(createListWriter(ISSUER), rules))
          expect(JSON.parse(payloadOf(input))).toEqual(listOf(rules))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('is complete across slices, also when rules have expired or were replaced', async () => {
    const all = Array.from({ length: 9500 }, (_, at): NumberedRule => {
      const until = (PERIOD + (at % 3 === 0 || at > 9300 ? 0 : 60)) * 1000
      return { id: `rule-${at}`, seq: at, kind: 'jti', value: `ü${at}`, account: null, before: 0, until }
    })
    const writer = createListWriter(ISSUER)
    await write(writer, all)
    const changed = all.filter((_, at) => at % 7 !== 0)
    changed.push(...all.filter((_, at) => at % 1400 === 0).map((one) => ({ ...one, seq: one.seq + 10_000 })))
    for (const rules of [changed, all, changed.slice(4000, 8001), []]) {
      const input = await write(writer, rules)
      expect(input).toBe(await write(createListWriter(ISSUER), rules))
      const { revoked, ...others } = JSON.parse(payloadOf(input))
      expect({ ...others, revoked }).toEqual(listOf(rules))
      const read: unknown[] = []
      await parseLongArray(payloadOf(input), 'revoked', (entry) => read.push(entry) > 0)
      expect(read).toEqual(revoked)
    }
  })
})
