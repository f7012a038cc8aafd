// `audit export`: the complete audit log as JSON lines, oldest first, also when it needs many queries.

import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createMachine } from './run.ts'

const linesOf = (text: string): readonly { id: string; at: string; action: string }[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

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
  expect(stderr).toBe('1235 audit entries\n')
})

test('--since leaves out older entries, and refuses a malformed time', async () => {
  const machine = createMachine()
  await machine.json(['account', 'create', '--name', 'Shop', '--origin', 'https://shop.example'])
  const all = await machine.run(['audit', 'export', '--since', '2020-01-01T00:00:00Z'])
  expect([linesOf(all.stdout).length, all.stderr]).toEqual([1, '1 audit entry\n'])
  const none = await machine.run(['audit', 'export', '--since', '2200-01-01T00:00:00Z'])
  expect([none.code, none.stdout, none.stderr]).toEqual([0, '', '0 audit entries\n'])
  const wrong = await machine.run(['audit', 'export', '--since', 'yesterday'])
  expect([wrong.code, wrong.stdout]).toEqual([2, ''])
  expect(wrong.stderr).toContain('--since')
})
