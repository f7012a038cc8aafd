// scripts/guards.ts quotes lines of the code. A row whose line was changed would break nothing when it runs.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { guards } from '../scripts/guards.ts'

const ROOT = join(import.meta.dirname, '..')
const testFiles = globSync('test/**/*.test.ts', { cwd: ROOT })

test.each(guards)('the guard is in its file, and has tests: $what', ({ file, from, to, tests }) => {
  expect(readFileSync(join(ROOT, file), 'utf8').split(from), 'its text occurs once').toHaveLength(2)
  expect(to).not.toContain(from)
  for (const start of tests)
    expect(
      testFiles.some((path) => path.startsWith(start)),
      start,
    ).toBe(true)
})
