// `audit list` shows pages, newest first. `audit export` writes the complete audit log as JSON lines, oldest first, also when
// it needs many queries.

import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { createMachine, type Machine } from './run.ts'
import { createShop, expectFailure } from './shop.ts'

const linesOf = (text: string): readonly { id: string; at: string; action: string }[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** The line with which a reading command names the database. */
const databaseOf = ({ env }: Machine): string => `Database: ${env.DATABASE_URL}\n`

test('writes every entry once, oldest first, and counts them on stderr', async () => {
  const machine = createMachine()
  await machine.json(['account', 'create', '--name', 'Shop', '--origin', 'https://shop.example'])
  const database = new DatabaseSync(machine.env.DATABASE_URL!.replace('sqlite:', ''))
  const insert = database.prepare(
    "insert into audit (id, at, actor, action, target, detail) values (?, ?, 'system', 'key.rotate', 'kid', null)",
  )
  database.exec('begin')
  // Three entries in each millisecond. 500, the page size, is not a multiple of 3, so that a page ends between entries of
  // the same time.
  for (let entry = 0; entry < 1234; entry += 1)
    insert.run(`made${entry}`, 1_600_000_000_000 + Math.floor(entry / 3))
  database.exec('commit')
  database.close()
  const { code, stdout, stderr } = await machine.run(['audit', 'export'])
  expect(code).toBe(0)
  const entries = linesOf(stdout)
  expect(entries).toHaveLength(1235)
  expect(new Set(entries.map(({ id }) => id)).size).toBe(1235)
  expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).toSorted())
  expect(entries.at(-1)?.action).toBe('account.create')
  expect(stderr).toBe(`${databaseOf(machine)}1235 audit entries\n`)
})

test('--since leaves out older entries, and refuses a malformed time', async () => {
  const machine = createMachine()
  await machine.json(['account', 'create', '--name', 'Shop', '--origin', 'https://shop.example'])
  const all = await machine.run(['audit', 'export', '--since', '2020-01-01T00:00:00Z'])
  expect([linesOf(all.stdout).length, all.stderr]).toEqual([1, `${databaseOf(machine)}1 audit entry\n`])
  const none = await machine.run(['audit', 'export', '--since', '2200-01-01T00:00:00Z'])
  expect([none.code, none.stdout, none.stderr]).toEqual([0, '', `${databaseOf(machine)}0 audit entries\n`])
  for (const text of [
    'yesterday',
    '2020',
    '2020-01-01',
    '2020-01-01T00:00:00',
    '2020-01-01 00:00:00Z',
    '1 January 2020 UTC',
    '1577836800',
    '2020-02-30T00:00:00Z',
    '',
  ]) {
    const wrong = await machine.run(['audit', 'export', '--since', text])
    expect([text, wrong.code, wrong.stdout]).toEqual([text, 2, ''])
    expect(wrong.stderr).toMatch(/^claimgate: --since must be a time in ISO 8601 with a zone/)
  }
})

describe('audit list', () => {
  test('shows the newest entries first, page by page, as the admin API answers them', async () => {
    const shop = await createShop()
    for (const name of ['a', 'b', 'c']) await shop.json(['account', 'update', shop.accountId, '--name', name])
    const whole = await shop.json(['audit', 'list'])
    expect(whole.nextCursor).toBe(null)
    expect(whole.entries.map(({ action }: Json) => action)).toEqual([
      ...['account.update', 'account.update', 'account.update'],
      'account.create',
    ])
    expect(whole.entries[0]).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      actor: 'cli',
      action: 'account.update',
      target: shop.accountId,
      detail: { changed: ['name'] },
    })
    const first = await shop.json(['audit', 'list', '--limit', '3'])
    const second = await shop.json(['audit', 'list', '--limit', '3', '--cursor', first.nextCursor])
    expect([...first.entries, ...second.entries]).toEqual(whole.entries)

    const text = await shop.run(['audit', 'list', '--limit', '3'])
    const [head, ...rows] = text.stdout.trimEnd().split('\n')
    expect(head).toMatch(/^TIME +ACTOR +ACTION +TARGET +DETAIL$/)
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatch(
      new RegExp(`Z +cli +account\\.update +${shop.accountId} +\\{"changed":\\["name"\\]\\}$`),
    )
    expect(text.stderr).toContain(`audit list --limit 3 --cursor ${first.nextCursor}\n`)
  })

  test('refuses malformed limits and cursors', async () => {
    const shop = await createShop()
    const argv = ['audit', 'list', '--limit', '201', '--cursor', 'x']
    const { errors } = await expectFailure(shop, argv, [1, 'invalid_request'])
    expect(errors.map(({ parameter }: Json) => parameter)).toEqual(['limit', 'cursor'])
  })
})
