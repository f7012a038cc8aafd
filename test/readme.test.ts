// README links to every example and describes every environment variable.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const examples = readdirSync(join(root, 'test/examples'))

test.each(examples)('README links to test/examples/%s', (file) => {
  expect(readme).toContain(`](test/examples/${file})`)
})

test('README describes every environment variable', () => {
  const fields = readFileSync(join(root, 'src/config/fields.ts'), 'utf8')
  const names = [...fields.matchAll(/^ {2}([A-Z][A-Z_]+): \{/gm)].map(([, name]) => name as string)
  expect(names.length).toBeGreaterThan(20)
  for (const name of names) expect(readme).toContain(`\`${name}\``)
})
