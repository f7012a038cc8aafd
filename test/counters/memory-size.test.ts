// A full store takes no more memory than README says.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

test.each([
  ['one-time', /1 000 000 in total, up to (\d+) MB/],
  ['limits', /100 000 keys \(up to\s+(\d+) MB\)/],
])('%s', (kind, stated) => {
  const run = spawnSync(process.execPath, ['--expose-gc', join(import.meta.dirname, 'measure.ts'), kind])
  const megabytes = JSON.parse(run.stdout.toString()).bytes / 1e6
  process.stdout.write(`a full store of kind ${kind} takes ${megabytes.toFixed(0)} MB\n`)
  const said = Number(stated.exec(readme)?.[1])
  expect(megabytes).toBeLessThanOrEqual(said)
  expect(megabytes).toBeGreaterThan(said / 2)
})
