// The list of faults in a refused input: at most 100 entries, however many faults the input has.

import { beforeAll, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { type AdminService, startAdmin } from './service.ts'

let service: AdminService
beforeAll(async () => {
  service = await startAdmin()
})

/** An account with this many invalid scopes and this many unknown members. Each gives one fault. */
function accountWith(scopes: number, unknown: number): Json {
  const members = Array.from({ length: unknown }, (_, index) => [`unknown_${index}`, 1])
  return {
    name: 'Shop',
    allowedOrigins: ['https://shop.example'],
    scopes: Array(scopes).fill('a b'),
    ...Object.fromEntries(members),
  }
}

const UNKNOWN = 'is an unknown member'
const notListed = (count: number): Json => ({
  parameter: 'body',
  message: `has ${count} more faults that are not listed`,
})

test.each([
  ['scopes', 100, 0],
  ['unknown members', 0, 97],
  ['both kinds together', 3, 97],
])('100 faults or fewer are all listed: %s', async (_, scopes, unknown) => {
  const { errors } = await service.demand(422, 'POST', '/admin/accounts', accountWith(scopes, unknown))
  expect(errors).toHaveLength(scopes + unknown)
  expect(errors.filter(({ parameter }: Json) => parameter.startsWith('scopes.'))).toHaveLength(scopes)
  expect(errors.filter((fault: Json) => fault.message === UNKNOWN)).toHaveLength(unknown)
})

test.each([
  ['101 scopes', 101, 0, 2],
  ['512 scopes, the longest list that is checked', 512, 0, 413],
  ['4 scopes and 97 unknown members', 4, 97, 2],
  ['512 scopes and 97 unknown members', 512, 97, 510],
])(
  'of more than 100 faults 99 are listed, and the last entry says how many are not: %s',
  async (_, scopes, unknown, rest) => {
    const { errors } = await service.demand(422, 'POST', '/admin/accounts', accountWith(scopes, unknown))
    expect(errors).toHaveLength(100)
    expect(errors.at(-1)).toEqual(notListed(rest))
    expect(errors.slice(0, -1)).not.toContainEqual(notListed(rest))
    expect(errors[0].parameter).toBe('scopes.0')
  },
)

test('an object with more than 100 members gets one fault', async () => {
  const { errors } = await service.demand(422, 'POST', '/admin/accounts', accountWith(200, 98))
  expect(errors).toEqual([{ parameter: 'body', message: 'must have at most 100 members' }])
})
