// The three packages that are published, all from the same compiled files: claimgate with everything, and two small ones for
// people who only verify tokens or only use a client. `npm run build` writes each as a folder that `npm pack` takes.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Where the folders are written. */
export const PACKAGES_DIR = 'dist-packages'

/** A small package: a part of claimgate under a name of its own. */
interface SmallPackage {
  readonly name: string
  readonly description: string
  readonly keywords: readonly string[]
  /** Its exports, each with the export of claimgate or the compiled file that it is. */
  readonly doors: Readonly<Record<string, string>>
  /** Other files of dist/ to add, which no export imports. */
  readonly files?: readonly string[]
  readonly unpkg?: string
}

const BROWSER_FILE = './dist/browser/claimgate.min.js'

const smallPackages: Readonly<Record<string, SmallPackage>> = {
  verify: {
    name: '@claimgate/verify',
    description:
      'Verifies the browser tokens of a claimgate issuer, in Hono, Express, Fastify, Node and Workers.',
    keywords: ['jwt', 'verifier', 'middleware', 'origin', 'dpop', 'hono', 'express', 'fastify', 'workers'],
    doors: {
      '.': './verify',
      './hono': './hono',
      './node': './node',
      './fastify': './fastify',
      './errors': './dist/claims/errors.js',
    },
  },
  client: {
    name: '@claimgate/client',
    description:
      'The two clients of a claimgate issuer: for the backend that has the secret, and for its pages.',
    keywords: ['jwt', 'client', 'browser', 'token', 'origin', 'dpop'],
    doors: { './backend': './backend', './browser': './browser', './errors': './dist/client/errors.js' },
    files: [BROWSER_FILE],
    unpkg: BROWSER_FILE,
  },
}

/** The members of the root's package.json that this script reads. */
interface Manifest {
  readonly version: string
  readonly files: readonly string[]
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly [member: string]: unknown
}

/** Members of the root's package.json that only its own development needs. */
const DEVELOPMENT = ['scripts', 'devDependencies', 'allowScripts', 'knip']

/** Oldest Node of the small packages. That of claimgate is in package.json. */
const SMALL_NODE = '>=22.12.0'

/** Writes all three folders below `PACKAGES_DIR`, from the root's package.json and the compiled files in dist/. */
export function writePackages(): void {
  rmSync(PACKAGES_DIR, { recursive: true, force: true })
  const root: Manifest = JSON.parse(readFileSync('package.json', 'utf8'))
  const kept = Object.entries(root).filter(([name]) => !DEVELOPMENT.includes(name))
  write('claimgate', Object.fromEntries(kept), [...root.files, 'README.md', 'LICENSE'])
  for (const [folder, one] of Object.entries(smallPackages)) writeSmall(folder, one, root)
}

function writeSmall(folder: string, one: SmallPackage, root: Manifest): void {
  const entries = Object.entries(one.doors).map(([door, target]) => [door, fileOf(target, root)] as const)
  const { files, packages } = follow(entries.map(([, file]) => file))
  const peers = pick(root.peerDependencies, packages)
  const dependencies = pick(root.dependencies, packages)
  const strangers = [...packages].filter((name) => !(name in peers) && !(name in dependencies))
  if (strangers.length > 0) throw new Error(`${one.name} imports ${strangers.join(', ')}`)
  const manifest = {
    name: one.name,
    version: root.version,
    description: one.description,
    keywords: one.keywords,
    homepage: root.homepage,
    bugs: root.bugs,
    repository: root.repository,
    license: root.license,
    type: 'module',
    engines: { node: SMALL_NODE },
    sideEffects: false,
    files: ['CHANGELOG.md', 'dist'],
    ...(one.unpkg && { unpkg: one.unpkg, jsdelivr: one.unpkg }),
    exports: {
      ...Object.fromEntries(
        entries.map(([door, file]) => [door, { types: file.replace(/\.js$/, '.d.ts'), default: file }]),
      ),
      './package.json': './package.json',
    },
    ...(Object.keys(dependencies).length > 0 && { dependencies }),
    ...(Object.keys(peers).length > 0 && {
      peerDependencies: peers,
      peerDependenciesMeta: Object.fromEntries(Object.keys(peers).map((name) => [name, { optional: true }])),
    }),
  }
  write(folder, manifest, [...files, ...(one.files ?? []), 'CHANGELOG.md', 'LICENSE'])
  cpSync(`scripts/packages/${folder}.md`, join(PACKAGES_DIR, folder, 'README.md'))
}

/** The compiled file of an export of claimgate, or the file itself. */
function fileOf(target: string, root: Manifest): string {
  const found = root.exports[target] ?? target
  return typeof found === 'string' ? found : found.default
}

function pick(
  all: Readonly<Record<string, string>>,
  names: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)))
}

/** The compiled files that these files import, themselves and their types included, and the packages they import. */
function follow(entries: readonly string[]): {
  readonly files: ReadonlySet<string>
  readonly packages: ReadonlySet<string>
} {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, specifier = ''] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g)) {
      if (specifier.startsWith('node:')) continue
      if (!specifier.startsWith('.')) {
        packages.add(/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
        continue
      }
      const target = normalize(join(dirname(file), specifier)).replace(/\.[jt]s$/, '')
      visitBoth(target)
    }
  }
  const visitBoth = (base: string): void => {
    for (const file of [`${base}.js`, `${base}.d.ts`]) if (existsSync(file)) visit(file)
  }
  for (const entry of entries) visitBoth(normalize(entry).replace(/\.js$/, ''))
  return { files, packages }
}

/** Writes one folder: its package.json, and copies of these files and folders. */
function write(folder: string, manifest: object, files: Iterable<string>): void {
  const target = join(PACKAGES_DIR, folder)
  mkdirSync(target, { recursive: true })
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  for (const file of files) cpSync(file, join(target, file), { recursive: true })
}
