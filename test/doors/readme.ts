// The TypeScript of README and docs: every block is a module of its own, and compiles in a project that installed the packed
// package and the frameworks.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Project } from './project.ts'
import { compile, resolutions } from './types.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]

interface Block {
  readonly file: string
  readonly text: string
}

/** The blocks of all pages; a file is named after its page and the line of the block. */
const blocks: readonly Block[] = PAGES.flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```(ts|tsx|typescript)\n(.*?)^```$/gms)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length
    const name = page.replaceAll(/[/.]/g, '-')
    return { file: `readme/${name}-${line}.ts`, text: match[2] ?? '' }
  })
})

/** What the blocks expect of the reader's own project: a check of the visitor's session. */
const SESSION =
  'export const isSignedIn = (cookie: string | null | undefined): boolean => cookie === undefined\n'

export function describeReadmeCode(project: () => Project): void {
  describe('the TypeScript of README and docs', () => {
    test.each(Object.entries(resolutions))('compiles: %s', (_, options) => {
      expect(blocks.length).toBeGreaterThan(10)
      project().write('readme/session.ts', SESSION)
      for (const { file, text } of blocks) project().write(file, `${text}\nexport {}\n`)
      const files = blocks.map(({ file }) => file)
      expect(compile(project(), files, { ...options, allowImportingTsExtensions: false })).toBe('')
    })

    test('names only exports of the package and its frameworks', () => {
      const imported = blocks.flatMap(({ text }) =>
        [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from),
      )
      expect([...new Set(imported)].sort()).toEqual(
        expect.arrayContaining([
          'claimgate/backend',
          'claimgate/browser',
          'claimgate/fastify',
          'claimgate/hono',
          'claimgate/node',
        ]),
      )
    })
  })
}
