// The rules of src/: which folder may import which, no import cycles, small files and folders, and which files may read
// the environment.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { environmentReaders, isWithin, MAX_NAMES, maxNames, renderRules, ruleOf } from './support/house.ts'
import { findCycles, type Import, ROOT, readSource, readSources, resolveImport } from './support/source.ts'

const files = readSources('src')

function isPackage(specifier: string, packages: readonly string[] = []): boolean {
  return packages.some(
    (name) => specifier === name || specifier.startsWith(name.endsWith(':') ? name : `${name}/`),
  )
}

function listFaults(path: string, imports: readonly Import[]): readonly string[] {
  const rule = ruleOf(path)
  if (rule === undefined) return [`${path} matches no row of the table in test/support/house.ts`]
  return imports
    .filter(({ specifier, isType }) => {
      if (!specifier.startsWith('.')) {
        return !isPackage(specifier, rule.packages) && !(isType && isPackage(specifier, rule.packageTypes))
      }
      const target = resolveImport(path, specifier)
      return (
        !isWithin(target, [rule.room, ...(rule.rooms ?? [])]) && !(isType && isWithin(target, rule.types))
      )
    })
    .map(({ specifier, isType }) => `${path} imports ${isType ? 'types of ' : ''}${specifier}`)
}

describe('imports point inward', () => {
  test.each([...new Set(files.map(({ path }) => path.split('/')[0] ?? path))])('%s', (room) => {
    const faults = files
      .filter(({ path }) => isWithin(path, [room]))
      .flatMap(({ path, imports }) => listFaults(path, imports))
    expect(faults).toEqual([])
  })

  test('every form of import is found, and type-only imports are recognized', () => {
    const { imports } = readSource(
      'claims/x.ts',
      `import { a } from './a.ts'
       import type { B } from './b.ts'
       import { type C } from './c.ts'
       import { type D, d } from './d.ts'
       import './e.ts'
       export { f } from './f.ts'
       export * from './g.ts'
       export type { H } from './h.ts'
       const i = await import('./i.ts')
       type J = import('./j.ts').J
       // import './comment.ts'
       const text = "import './text.ts'"`,
    )
    const specifiersOf = (isType: boolean) =>
      imports
        .filter((found) => found.isType === isType)
        .map(({ specifier }) => specifier)
        .sort()
    expect(specifiersOf(false)).toEqual(['./a.ts', './d.ts', './e.ts', './f.ts', './g.ts', './i.ts'])
    expect(specifiersOf(true)).toEqual(['./b.ts', './c.ts', './h.ts', './j.ts'])
  })

  test.each([
    ['claims/x.ts', '../storage/storage.ts', true],
    ['claims/x.ts', '../lib/timing.ts', false],
    ['verify/x.ts', 'hono', true],
    ['http/x.ts', '../verify/verifier.ts', false],
    ['storage/storage.ts', 'kysely', true],
    ['nowhere/x.ts', './y.ts', true],
  ])('%s must not import %s', (path, specifier, isType) => {
    expect(listFaults(path, [{ specifier, isType }])).toHaveLength(1)
  })

  test('src/README.md shows this table', () => {
    expect(readFileSync(join(ROOT, 'src/README.md'), 'utf8')).toContain(renderRules())
  })

  test.each(['src', 'scripts'])('%s has no import cycle', (folder) => {
    expect(findCycles(readSources(folder))).toEqual([])
  })

  test('a test file that several folders of test/ use is in test/support', () => {
    const tests = readSources('test')
    const folderOf = (path: string) => path.split('/')[0] ?? ''
    const strays = tests.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith('.') && specifier.endsWith('.ts'))
        .map(({ specifier }) => resolveImport(path, specifier))
        .filter((target) => !target.startsWith('..') && !isWithin(target, ['support', folderOf(path)]))
        .map((target) => `${path} imports ${target}`),
    )
    expect(strays).toEqual([])
  })

  test('an import cycle is found', () => {
    const cycle = [
      readSource('a.ts', `import { b } from './b.ts'; export const a = b`),
      readSource('b.ts', `import type { C } from './c.ts'; export const b: C = 1`),
      readSource('c.ts', `export { a } from './a.ts'; export type C = number`),
    ]
    expect(findCycles(cycle)).toEqual(['a.ts -> b.ts -> c.ts -> a.ts'])
  })
})

describe('what files may do', () => {
  test('only the listed files read the environment', () => {
    const readers = files.filter(({ readsEnvironment }) => readsEnvironment).map(({ path }) => path)
    expect(readers.filter((path) => !isWithin(path, environmentReaders))).toEqual([])
    // A listed file that no longer reads the environment must be removed from the list.
    expect(environmentReaders.filter((room) => !readers.some((path) => isWithin(path, [room])))).toEqual([])
  })

  test.each([
    'process.env.A',
    'const { env } = process',
    'const { env: all } = globalThis.process',
    "process['env']",
    'scope.process?.env',
    '(globalThis as World).process?.env?.A',
    "import { env } from 'node:process'",
    'import.meta.env.A',
  ])('recognized as reading the environment: %s', (code) => {
    expect(readSource('x.ts', code).readsEnvironment).toBe(true)
  })

  test.each(['context.env.incoming', 'const { env } = context', "'process.env'", '// process.env'])(
    'not recognized as reading the environment: %s',
    (code) => {
      expect(readSource('x.ts', code).readsEnvironment).toBe(false)
    },
  )

  test('claims are pure: no clock, no I/O, nothing asynchronous', () => {
    for (const { path } of files.filter((file) => isWithin(file.path, ['claims']))) {
      const code = readFileSync(join(ROOT, 'src', path), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
      expect(code, path).not.toMatch(
        /\bDate\b|performance\.|\bfetch\(|\basync\b|\bawait\b|Math\.random|setTimeout/,
      )
    }
  })
})

describe('size of files and folders', () => {
  test('no file has over 250 code lines, and the median is under 80', () => {
    const sizes = files.map(({ path, codeLines }) => ({ path, codeLines }))
    expect(sizes.filter(({ codeLines }) => codeLines > 250)).toEqual([])
    const sorted = sizes.map(({ codeLines }) => codeLines).sort((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(80)
  })

  test('no folder of src has more than 15 names, except cli, which may have 21', () => {
    const folders = new Set(
      files.map(({ path }) => path.split('/').slice(0, -1).join('/')).filter((path) => path !== ''),
    )
    const crowded = [...folders]
      .map((folder) => ({ folder, names: readdirSync(join(ROOT, 'src', folder)).length }))
      .filter(({ folder, names }) => names > (maxNames[folder] ?? MAX_NAMES))
    expect(crowded).toEqual([])
  })
})
