// How the project's English reads, as far as a machine can tell.

import { expect, test } from 'vitest'
import { findAvoidedWords, readDocstrings } from './support/prose.ts'

const everything = ['src', 'test', 'scripts', 'keys', 'docs', 'README.md', 'CHANGELOG.md', 'wrangler.toml']

test('no text uses a word to avoid, for which there is a plain one', () => {
  expect(findAvoidedWords(everything).filter(({ path }) => path !== 'test/prose.test.ts')).toEqual([])
})

test('no docstring has four words or fewer: it would only repeat the name', () => {
  const { docstrings, exported } = readDocstrings(['src'])
  expect(docstrings.length).toBeGreaterThan(exported / 2)
  expect(docstrings.filter(({ words }) => words <= 4)).toEqual([])
})
