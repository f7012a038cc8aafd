// Listings of records that were all created in the same millisecond: the pages still hold each record once.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, Target } from '../support/wire.ts'
import { createAccount } from '../support/world.ts'

const NOW = Date.UTC(2026, 0, 1)
const COUNT = 30

let target: Target
let made: readonly string[]
beforeAll(async () => {
  target = await startMemory({}, { now: () => NOW })
  const accounts = Array.from({ length: COUNT }, (_, index) =>
    createAccount(target, { name: `Same ${index}`, allowedOrigins: ['*'] }),
  )
  made = (await Promise.all(accounts)).map(({ account }) => account.id)
})
afterAll(() => target?.stop())

/** All pages of a listing, read with `limit`. */
async function turnPages(path: string, member: string, limit: number): Promise<readonly Json[][]> {
  const pages: Json[][] = []
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor !== null && { cursor }) })
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const body: Json = (await target.send({ method: 'GET', path: `${path}?${query}`, headers })).json()
    pages.push(body[member])
    cursor = body.nextCursor
  } while (cursor !== null && pages.length <= COUNT)
  return pages
}

describe.each([
  ['/admin/accounts', 'accounts', (record: Json): string => record.id],
  ['/admin/audit', 'entries', (record: Json): string => record.target],
] as const)('%s', (path, member, idOf) => {
  test.each([
    [1, 30],
    [2, 15],
    [7, 5],
    [29, 2],
    // No empty page follows the page with the last record.
    [30, 1],
    [31, 1],
    [200, 1],
  ])('read in pages of %i lists each record once', async (limit, count) => {
    const pages = await turnPages(path, member, limit)
    expect(pages).toHaveLength(count)
    const ids = pages.flat().map(idOf)
    expect([...ids].sort()).toEqual([...made].sort())
    expect(ids).toEqual((await turnPages(path, member, 200)).flat().map(idOf))
  })
})
