// Finds the `@example` blocks of everything that the package exports, in the packed declarations.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseSync } from 'oxc-parser'

/** One exported name, and where it is declared. */
export interface PublicName {
  /** The package export that has the name, such as `claimgate/hono`. */
  readonly door: string
  readonly name: string
  readonly isType: boolean
  /** Whether it is a function or a class. */
  readonly isCallable: boolean
  /** File and name of the declaration. Two package exports can have the same declaration. */
  readonly declaration: string
  readonly examples: readonly string[]
}

interface Declared {
  readonly name: string
  readonly file: string
  readonly isType: boolean
  readonly isCallable: boolean
  /** The docstring and the declaration. */
  readonly text: string
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** Every name that the package in `folder` exports. */
export function readPublicNames(folder: string): readonly PublicName[] {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return Object.entries(manifest.exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const door = manifest.name + path.slice(1)
    return [...readExports(join(folder, target.types))].map(([name, declared]) => ({
      door,
      name,
      isType: declared.isType,
      isCallable: declared.isCallable,
      declaration: `${declared.file}#${declared.name}`,
      examples: readExamples(declared.text),
    }))
  })
}

/** The exports of a declaration file, by name. Re-exports from other files are included. */
function readExports(file: string): ReadonlyMap<string, Declared> {
  const source = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, source)
  const found = new Map<string, Declared>()
  const imported = new Map<string, () => Declared | undefined>()
  const open = (specifier: string) => readExports(join(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts')))

  for (const node of program.body) {
    if (node.type === 'ImportDeclaration' && node.source.value.startsWith('.')) {
      for (const { local, ...specifier } of node.specifiers) {
        if (specifier.type !== 'ImportSpecifier' || specifier.imported.type !== 'Identifier') continue
        const { name } = specifier.imported
        imported.set(local.name, () => open(node.source.value).get(name))
      }
    }
    if (node.type === 'ExportAllDeclaration') {
      const isType = node.exportKind === 'type'
      for (const [name, one] of open(node.source.value)) {
        found.set(name, { ...one, isType: isType || one.isType })
      }
    }
    if (node.type !== 'ExportNamedDeclaration') continue
    const { declaration } = node
    if (declaration) {
      const doc = comments.findLast(({ end }) => end <= node.start)
      const isDoc = doc !== undefined && source.slice(doc.end, node.start).trim() === ''
      const text = source.slice(isDoc ? doc.start : node.start, node.end)
      const isType =
        declaration.type === 'TSInterfaceDeclaration' || declaration.type === 'TSTypeAliasDeclaration'
      const isCallable = /Function|ClassDeclaration/.test(declaration.type)
      const [, name = ''] =
        /(?:const|function|class|interface|type)\s+(\w+)/.exec(source.slice(node.start)) ?? []
      found.set(name, { name, file, isType, isCallable, text })
      continue
    }
    for (const { local, exported, exportKind } of node.specifiers) {
      if (local.type !== 'Identifier' || exported.type !== 'Identifier') continue
      const one = node.source ? open(node.source.value).get(local.name) : imported.get(local.name)?.()
      const isType = node.exportKind === 'type' || exportKind === 'type'
      if (one !== undefined) found.set(exported.name, { ...one, isType: isType || one.isType })
    }
  }
  return found
}

/** The code of every example in a docstring, without the margin of the comment. */
function readExamples(text: string): readonly string[] {
  return [...text.matchAll(/@example\n((?:\s*\* ?.*\n)*?)\s*(?:\*\/|\* @)/g)].map((match) =>
    (match[1] ?? '').replace(/^\s*\* ?/gm, ''),
  )
}
