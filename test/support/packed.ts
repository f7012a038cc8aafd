// The published packages, built and packed from a copy of this checkout, because other tests may build in the checkout
// meanwhile; and npm, run as a customer runs it.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = [
  ...['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src', 'scripts'],
  ...['README.md', 'CHANGELOG.md', 'LICENSE', 'docs', 'test/examples'],
]

/** The published packages. */
export type PackageName = 'claimgate' | '@claimgate/verify' | '@claimgate/client'

/** The environment without the variables that npm sets for the scripts it runs. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

/** Builds all packages and packs these ones into `folder`. Returns the paths of their tarballs. */
export function packPackages<Name extends PackageName>(
  folder: string,
  names: readonly Name[],
): Readonly<Record<Name, string>> {
  const checkout = join(folder, 'checkout')
  for (const name of SOURCES) cpSync(join(ROOT, name), join(checkout, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
  run('npm', ['run', '-s', 'build'], checkout)
  const tarballs = join(folder, 'tarballs')
  mkdirSync(tarballs)
  const packed = names.map((name) => {
    const source = join(checkout, 'dist-packages', name.replace('@claimgate/', ''))
    run('npm', ['pack', '--ignore-scripts', '--pack-destination', tarballs, source], checkout)
    const prefix = `${name.replace(/^@(.*)\//, '$1-')}-`
    const file = readdirSync(tarballs).find((one) => new RegExp(`^${prefix}\\d`).test(one)) ?? ''
    return [name, join(tarballs, file)] as const
  })
  rmSync(checkout, { recursive: true })
  return Object.fromEntries(packed) as Record<Name, string>
}

/** Makes `folder` an npm project, and installs these dependencies: versions or `file:` paths by name. */
export function installProject(folder: string, dependencies: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'], folder)
}

/** Runs a command and returns its standard output. The error of a failure contains all of its output. */
export function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  }
}

/** Options of the compiler for the code of a careful customer. The declarations of other packages are checked too. */
export const STRICT: object = {
  target: 'ES2023',
  lib: ['ES2024', 'DOM', 'DOM.Iterable'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  noEmit: true,
}
