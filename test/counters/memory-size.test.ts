import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../../docs/production.md'), 'utf8')

test.each([
  ['one-time', /1 000 000 in total, up to (\d+) MB/],
  ['limits', /100 000 keys \(up to\s+(\d+) MB\)/],
])('a full store of kind %s takes no more memory than docs/production.md says', (kind, stated) => {
  const run = spawnSync(process.execPath, ['--expose-gc', join(import.meta.dirname, 'measure.ts'), kind])
  const megabytes = JSON.parse(run.stdout.toString()).bytes / 1e6
  process.stdout.write(`a full store of kind ${kind} takes ${megabytes.toFixed(0)} MB\n`)
  const statedMegabytes = Number(stated.exec(page)?.[1])
  expect(megabytes).toBeLessThanOrEqual(statedMegabytes)
  expect(megabytes).toBeGreaterThan(statedMegabytes / 2)
})
