// That the benchmark runs at all and shows everybody. Says nothing about speed: a test must not fail on a busy machine.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { contestants } from './contestants.ts'

const run = promisify(execFile)
const MAIN = join(import.meta.dirname, 'main.ts')

test('the table has a row of numbers for each contestant', async () => {
  const { stdout } = await run(process.execPath, [MAIN, '--quick'])
  const rows = stdout.split('\n').filter((line) => contestants.some(({ name }) => line.startsWith(name)))
  expect(rows).toHaveLength(contestants.length)
  for (const row of rows) expect(row).toMatch(/(\s+(\d+(\.\d+)?|-)){8}$/)
})
