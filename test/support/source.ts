// Parses the project's source files: imports, number of code lines, use of environment variables.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join, normalize } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

export const ROOT: string = join(import.meta.dirname, '../..')

export interface Import {
  /** The specifier in the source, such as `./ip.ts` or `jose`. */
  readonly specifier: string
  /** Whether it imports only types. */
  readonly isType: boolean
}

export interface SourceFile {
  /** Path relative to the folder that was read, with `/`. */
  readonly path: string
  readonly imports: readonly Import[]
  /** Number of lines that are neither blank nor comments. */
  readonly codeLines: number
  /** Whether it reads `process.env` or `import.meta.env`: as a member, by destructuring or by an import of `env`. */
  readonly readsEnvironment: boolean
}

/** Parses every TypeScript file below a folder of the repository. The files are sorted by path. */
export function readSources(folder: string): readonly SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => ['.ts', '.tsx'].includes(extname(path)))
    .sort()
    .map((path) => readSource(path, readFileSync(join(ROOT, folder, path), 'utf8')))
}

/** Parses the text of one file. Throws when it is not TypeScript. */
export function readSource(path: string, text: string): SourceFile {
  const { program, module, errors, comments } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const imports: Import[] = []
  for (const { moduleRequest, entries } of module.staticImports) {
    const isType = entries.length > 0 && entries.every((entry) => entry.isType)
    imports.push({ specifier: moduleRequest.value, isType })
  }
  for (const { entries } of module.staticExports) {
    const from = entries[0]?.moduleRequest?.value
    if (from !== undefined) imports.push({ specifier: from, isType: entries.every((entry) => entry.isType) })
  }
  let readsEnvironment = false
  const visitor = new Visitor({
    ImportExpression({ source }) {
      if (source.type === 'Literal') imports.push({ specifier: String(source.value), isType: false })
    },
    TSImportType({ source }) {
      imports.push({ specifier: source.value, isType: true })
    },
    MemberExpression({ object, property, computed }) {
      const name = computed
        ? property.type === 'Literal' && property.value
        : 'name' in property && property.name
      if (name === 'env' && isProcess(object)) readsEnvironment = true
    },
    VariableDeclarator({ id, init }) {
      const takesEnv =
        id.type === 'ObjectPattern' &&
        id.properties.some(
          (property) => property.type === 'Property' && 'name' in property.key && property.key.name === 'env',
        )
      if (takesEnv && init && isProcess(init)) readsEnvironment = true
    },
    ImportDeclaration({ source, specifiers }) {
      const names = specifiers.map((one) =>
        one.type === 'ImportSpecifier' && 'name' in one.imported ? one.imported.name : '',
      )
      if (/^(node:)?process$/.test(source.value) && names.includes('env')) readsEnvironment = true
    },
  })
  visitor.visit(program)
  return { path, imports, codeLines: countCodeLines(text, comments), readsEnvironment }
}

interface Node {
  readonly type: string
}

/** Whether a node is an object that may hold `env`: `process`, `globalThis.process`, `scope.process?` or `import.meta`. */
function isProcess(node: Node): boolean {
  if (
    node.type === 'ChainExpression' ||
    node.type === 'TSAsExpression' ||
    node.type === 'TSNonNullExpression'
  ) {
    return isProcess((node as Node & { readonly expression: Node }).expression)
  }
  if (node.type === 'MetaProperty') return true
  if (node.type === 'Identifier') return (node as Node & { readonly name: string }).name === 'process'
  if (node.type !== 'MemberExpression') return false
  const { property } = node as Node & {
    readonly property: Node & { readonly name?: string; readonly value?: unknown }
  }
  return property.name === 'process' || property.value === 'process'
}

function countCodeLines(
  text: string,
  comments: readonly { readonly start: number; readonly end: number }[],
): number {
  let code = ''
  let position = 0
  for (const { start, end } of comments) {
    code += text.slice(position, start)
    position = end
  }
  code += text.slice(position)
  return code.split('\n').filter((line) => line.trim() !== '').length
}

/** Resolves a relative import of the file `from`. The result is relative to the same folder as `from`. */
export function resolveImport(from: string, specifier: string): string {
  return normalize(join(dirname(from), specifier))
}

/** Cycles of imports, type imports included, each as the paths along it. Finds at least one if there is any, not all. */
export function findCycles(files: readonly SourceFile[]): readonly string[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolveImport(file.path, specifier)),
    ]),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) {
      cycles.push([...way.slice(start), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...way, path])
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return cycles
}
