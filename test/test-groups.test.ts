// vitest.config.ts names the files that run in groups of their own. A name that no file has would have no effect.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const config = readFileSync(join(ROOT, 'vitest.config.ts'), 'utf8')

/** The texts that a pattern with alternatives in braces stands for. */
function expandBraces(pattern: string): readonly string[] {
  const [whole, list = ''] = /\{([^{}]*)\}/.exec(pattern) ?? []
  return whole === undefined
    ? [pattern]
    : list.split(',').flatMap((one) => expandBraces(pattern.replace(whole, one)))
}

const patterns = [...config.matchAll(/'(test\/[^']+)'/g)].flatMap(([, pattern = '']) => expandBraces(pattern))

test('the configuration of the test runner names many files', () => {
  expect(patterns.length).toBeGreaterThan(30)
})

test.each(patterns)('%s is the name of a file', (pattern) => {
  expect(globSync(pattern, { cwd: ROOT })).not.toEqual([])
})
