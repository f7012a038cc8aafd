// Finds words to avoid in the project's texts, and counts the words of docstrings.
// `npm exec -- node test/support/prose.ts src/verify README.md` prints what it finds there.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { ROOT } from './source.ts'

/** Words to avoid in comments, messages and documentation. */
const AVOIDED =
  /\b(at once|whoever|whosoever|anew|for ever|thereof|be had|is no option|mend(s|ed|ing)?|as said above|told apart|of its own accord)\b/i

export interface Found {
  readonly path: string
  readonly line: number
  readonly text: string
}

export interface Docstring {
  readonly path: string
  readonly line: number
  /** Number of words before the first example. Other tags count as text. */
  readonly words: number
  readonly hasExample: boolean
  /** Whether it stands directly before an exported declaration. */
  readonly isExported: boolean
}

/** Tracked text files below these paths. */
export function listFiles(paths: readonly string[]): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--', ...paths], { cwd: ROOT, encoding: 'utf8' })
  return listed.split('\0').filter((path) => /\.(ts|tsx|mjs|md|toml|html|css|conf|ya?ml)$/.test(path))
}

/** Lines with a word to avoid. Skips this file, which lists them, and the test vectors. */
export function findAvoidedWords(paths: readonly string[]): readonly Found[] {
  return listFiles(paths)
    .filter((path) => path !== 'test/support/prose.ts' && !path.startsWith('test/vectors/'))
    .flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .map((text, index) => ({ path, line: index + 1, text: text.trim() }))
        .filter(({ text }) => AVOIDED.test(text)),
    )
}

/** The docstrings of TypeScript files, and the number of exported declarations (re-exports are not counted). */
export function readDocstrings(paths: readonly string[]): {
  readonly docstrings: readonly Docstring[]
  readonly exported: number
} {
  const docstrings: Docstring[] = []
  let exported = 0
  for (const path of listFiles(paths).filter((name) => /\.tsx?$/.test(name))) {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const { comments, program } = parseSync(path, text)
    const starts = new Set<number>()
    for (const node of program.body) {
      if (node.type !== 'ExportNamedDeclaration' || !node.declaration) continue
      exported++
      starts.add(node.start)
    }
    for (const comment of comments) {
      if (comment.type !== 'Block' || !comment.value.startsWith('*')) continue
      const prose = comment.value.replace(/^\s*\*+/gm, '')
      const [head = '', example] = prose.split('@example')
      const next = comment.end + (/^\s*/.exec(text.slice(comment.end))?.[0].length ?? 0)
      docstrings.push({
        path,
        line: text.slice(0, comment.start).split('\n').length,
        words: head.split(/\s+/).filter((word) => /\w/.test(word)).length,
        hasExample: example !== undefined,
        isExported: starts.has(next),
      })
    }
  }
  return { docstrings, exported }
}

/** One line: how many exports have a docstring, their median length, how many have an example, how many are too short. */
export function describeDocstrings(paths: readonly string[]): string {
  const { docstrings, exported } = readDocstrings(paths)
  const ofExports = docstrings.filter(({ isExported }) => isExported)
  const words = ofExports.map((one) => one.words).sort((a, b) => a - b)
  const short = docstrings.filter((one) => one.words <= 4)
  return [
    `${ofExports.length} of ${exported} exports documented`,
    `median ${words[Math.floor(words.length / 2)] ?? 0} words`,
    `${ofExports.filter(({ hasExample }) => hasExample).length} with an example`,
    `${short.length} docstrings of four words or fewer`,
  ].join(', ')
}

if (import.meta.main) {
  const paths = process.argv.slice(2)
  const lines = [
    ...findAvoidedWords(paths).map(({ path, line, text }) => `${path}:${line}: ${text}`),
    ...readDocstrings(paths)
      .docstrings.filter(({ words }) => words <= 4)
      .map(({ path, line, words }) => `${path}:${line}: docstring of ${words} words`),
    describeDocstrings(paths),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
