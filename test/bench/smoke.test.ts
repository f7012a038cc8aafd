// Checks that the benchmark runs and shows every contestant, not how fast they are: a busy machine must not fail a test.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { claims } from './claims.ts'
import { verify } from './verify.ts'

const run = promisify(execFile)
const MAIN = join(import.meta.dirname, 'main.ts')

describe('npm run bench', () => {
  test.each(Object.entries({ claims, verify }))(
    '%s: the table has a row of numbers for each contestant, in order',
    async (name, { contestants }) => {
      const { stdout } = await run(process.execPath, [MAIN, name, '--quick'])
      const rows = stdout.trimEnd().split('\n').slice(-contestants.length)
      const numbers = /(\s+(\d+(\.\d+)?|-)){8}$/
      expect(rows.map((row) => row.replace(numbers, ''))).toEqual(contestants.map(({ name }) => name))
      for (const row of rows) expect(row).toMatch(numbers)
    },
  )

  test('an unknown name ends with exit code 2 and lists the known names', async () => {
    const failure = run(process.execPath, [MAIN, 'verfy'])
    await expect(failure).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('claims and verify'),
    })
  })
})
