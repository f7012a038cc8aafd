// Help, version, exit codes and configuration faults of the program; how tables and times are printed.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderTable } from '../../src/cli/table.ts'
import { describeTime } from '../../src/cli/when.ts'
import { createMachine } from './run.ts'

const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ['serve'],
  ['account', 'create', 'update', 'list', 'show', 'suspend', 'resume', 'delete'],
  ['credential', 'create', 'rotate', 'revoke'],
  ['key', 'list', 'rotate'],
  ['audit', 'list', 'export'],
  ['revocation', 'list'],
  ['revoke'],
  ['claim'],
  ['inspect'],
  ['explain'],
  ['doctor'],
]

describe('the program', () => {
  test('prints its version and its commands', async () => {
    const machine = createMachine()
    const version = await machine.run(['--version'])
    expect(version).toEqual({
      code: 0,
      stdout: `${JSON.parse(readFileSync('package.json', 'utf8')).version}\n`,
      stderr: '',
    })
    const help = await machine.run(['--help'])
    expect([help.code, help.stderr]).toEqual([0, ''])
    const names = COMMANDS.map(([name]) => name)
    for (const word of [...names, 'Examples:']) expect(help.stdout).toContain(word)
  })

  test('explains each command with an example', async () => {
    const machine = createMachine()
    const lines = COMMANDS.flatMap(([name, ...under]) =>
      under.length === 0 ? [[name]] : under.map((verb) => [name, verb]),
    )
    const helps = await Promise.all(lines.map((line) => machine.run([...line, '--help'])))
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      const line = lines[index]?.join(' ') ?? ''
      expect([line, code, stderr]).toEqual([line, 0, ''])
      expect(stdout).toMatch(/^ {2}--json {2,}\S/m)
      const [, example = ''] = stdout.split('\nExample:\n  $ ')
      expect(example).toContain(`npm run -s claimgate -- ${line}`)
    }
  })

  test('answers a wrong command line with exit code 2, also as JSON', async () => {
    const machine = createMachine()
    const cases = [
      [[], 'a command is missing'],
      [['clam'], 'Did you mean claim?'],
      [['account', 'create', '--origin', 'https://a.example'], '--name <text>'],
      [['account', 'create', '--name', 'a', '--name', 'b', '--origin', '*'], 'given twice'],
      [['account', 'create', '--name', 'a', '--origin', '*', '--max-ttl', '1e3'], 'whole number'],
      [['claim', '--origin', 'https://a.example', '--origin', 'https://b.example'], 'given twice'],
    ] as const
    for (const [argv, text] of cases) {
      const { code, stdout, stderr } = await machine.run(argv)
      expect([argv, code, stdout]).toEqual([argv, 2, ''])
      expect(stderr).toContain(text)
    }
    const { code, stderr } = await machine.run(['account', 'show', '--json'])
    expect([code, JSON.parse(stderr)]).toEqual([
      2,
      { error: 'usage', message: expect.stringContaining("'id'") },
    ])
  })

  test('reports each fault of the configuration on a line of its own, without its value', async () => {
    const machine = createMachine()
    const env = { PORT: 'hunter2', CLAIMGATE_PEPPER: 'short-secret', CLAIMGATE_TOKEN_TTLL: '5' }
    const human = await machine.run(['account', 'list'], { env })
    expect([human.code, human.stdout]).toEqual([1, ''])
    const [first, ...lines] = human.stderr.trimEnd().split('\n')
    expect(first).toMatch(/^claimgate: /)
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      '  PORT',
      '  CLAIMGATE_PEPPER',
      '  CLAIMGATE_TOKEN_TTLL',
    ])
    expect(human.stderr).not.toMatch(/hunter2|short-secret/)
    const { code, stderr } = await machine.run(['inspect', 'x', '--json'], { env })
    const body = JSON.parse(stderr)
    expect([code, body.error]).toEqual([1, 'invalid_configuration'])
    expect(body.errors.map((fault: { parameter: string }) => fault.parameter)).toEqual(Object.keys(env))
  })

  test('names a database that it cannot use, and refuses one in memory', async () => {
    const machine = createMachine()
    const path = join(machine.dir, 'claimgate.db')
    writeFileSync(path, 'this is no database at all, whatever its name may say')
    const broken = await machine.run(['account', 'list', '--json'])
    expect([broken.code, JSON.parse(broken.stderr).error]).toEqual([1, 'unavailable'])
    expect(JSON.parse(broken.stderr).message).toContain(path)
    const memory = await machine.run(['account', 'list'], { env: { DATABASE_URL: 'memory:' } })
    expect([memory.code, memory.stdout]).toEqual([1, ''])
    expect(memory.stderr).toContain('DATABASE_URL is memory:')
  })
})

describe('a table', () => {
  test('aligns its columns, has no spaces at the end of a line, and replaces control characters', () => {
    const rows = [
      ['A', 'LONGER', 'C'],
      ['four', 'ü💶', ''],
      ['x\n\x1b[1m', '\u202eb', 'c'],
    ]
    expect(renderTable(rows, (head) => `<${head}>`)).toBe(
      '<A       LONGER  C>\nfour    ü💶\nx??[1m  ?b      c\n',
    )
    expect(renderTable([])).toBe('')
  })
})

describe('a time', () => {
  const at = Date.UTC(2026, 0, 1) / 1000
  const iso = '2026-01-01T00:00:00Z'
  test.each([
    [at, `${iso} (now)`],
    [at - 59, `${iso} (in 59 s)`],
    [at - 60, `${iso} (in 1 min)`],
    [at - 1799.5, `${iso} (in 29 min)`],
    [at - 3600, `${iso} (in 1 h)`],
    [at + 172_799, `${iso} (47 h ago)`],
    [at + 172_800, `${iso} (2 days ago)`],
  ])('is printed with its distance from now (%d)', (now, text) => {
    expect(describeTime(at, now)).toBe(text)
  })

  test('that does not fit in a Date is printed as a number', () => {
    expect(describeTime(1e300, 0)).toBe('1e+300')
  })
})
