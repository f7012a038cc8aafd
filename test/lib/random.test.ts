// Random identifiers: alphabet and length, and the order of the sortable ones.

import { expect, test } from 'vitest'
import { orderedBase62, randomBase62 } from '../../src/lib/random.ts'

test('ordered identifiers sort in the order of their creation, and none repeats', () => {
  const made = Array.from({ length: 10_000 }, orderedBase62)
  expect(made.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(made)
  expect(new Set(made.map((id) => id.slice(6))).size).toBe(made.length)
  for (const id of made) expect(id).toMatch(/^[0-9A-Za-z]{16}$/)
})

test('random identifiers have the length that was asked for', () => {
  for (const length of [1, 16, 43])
    expect(randomBase62(length)).toMatch(new RegExp(`^[0-9A-Za-z]{${length}}$`))
})
