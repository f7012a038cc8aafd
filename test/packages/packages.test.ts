// The three published packages, each packed and installed into an empty project, as a customer does.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findNode } from '../support/old-nodes.ts'
import { installProject, type PackageName, packPackages, run, STRICT } from '../support/packed.ts'
import { startServer } from '../support/server.ts'
import { clientUse, serviceUse, toScript, verifyUse } from './uses.ts'

const ROOT = join(import.meta.dirname, '../..')
const root = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

const ERRORS = ['ClaimError', 'claimErrorCodes']
const VERIFY = ['ClaimError', 'createVerifier']
const HONO = ['claimAuth', 'claimCors', 'requireScope']
const NODE = ['claimAuth', 'claimsOf', 'requireScope']
const FASTIFY = ['claimAuth', 'requireScope']
const BACKEND = [
  'ClaimRequestError',
  'createClaimClient',
  'createClientTokenEndpoint',
  'createNodeClientTokenEndpoint',
  'loadConfig',
]
const BROWSER = ['DataClientError', 'autoInitializeDataClient', 'createTokenSource']

/** Every export of each package, with the names that it has at run time; undefined where Node cannot load it. */
const packages: Readonly<Record<PackageName, Readonly<Record<string, readonly string[] | undefined>>>> = {
  claimgate: {
    '.': ['ConfigError', 'StorageError', 'createApp', 'openMemoryDeps', 'parseConfig'],
    './verify': VERIFY,
    './hono': HONO,
    './node': NODE,
    './fastify': FASTIFY,
    './backend': BACKEND,
    './browser': BROWSER,
    './errors': [...ERRORS, 'ClaimRequestError', 'ConfigError', 'DataClientError', 'StorageError'],
    './server': ['ConfigError', 'StorageError', 'openService'],
    './worker': undefined,
  },
  '@claimgate/verify': {
    '.': VERIFY,
    './hono': HONO,
    './node': NODE,
    './fastify': FASTIFY,
    './errors': ERRORS,
  },
  '@claimgate/client': {
    './backend': BACKEND,
    './browser': BROWSER,
    './errors': [...ERRORS, 'ClaimRequestError', 'DataClientError'],
  },
}
const names = Object.keys(packages) as PackageName[]

/** The packages that each brings along when it is installed alone. */
const brought: Partial<Record<PackageName, readonly string[]>> = {
  '@claimgate/verify': ['@claimgate', 'jose', 'lru-cache'],
  '@claimgate/client': ['@claimgate'],
}

/** What the examples of README and docs use. */
const FRAMEWORKS = ['hono', '@hono/node-server', 'fastify', 'express', '@types/express', '@types/node']

const resolutions = { NodeNext: 'NodeNext', Bundler: 'ESNext' }

const folder = mkdtempSync(join(tmpdir(), 'claimgate-packages-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const projectOf = (name: string): string => join(folder, name.replace('@claimgate/', ''))
const installed = (name: PackageName): string => join(projectOf(name), 'node_modules', name)
const readManifest = (name: PackageName) =>
  JSON.parse(readFileSync(join(installed(name), 'package.json'), 'utf8'))
const specifierOf = (name: PackageName, door: string): string => name + door.slice(1)

/** The script, run by a Node in the project of a package. It must print `ok`. */
function runScript(node: string, name: string, file: string, text: string): void {
  writeFileSync(join(projectOf(name), file), text)
  expect(run(node, [file], projectOf(name)).trim()).toBe('ok')
}

let tarballs: Readonly<Record<PackageName, string>>
beforeAll(() => {
  tarballs = packPackages(folder, names)
  for (const name of names) installProject(projectOf(name), { [name]: `file:${tarballs[name]}` })
  const frameworks = FRAMEWORKS.map((name) => [name, root.devDependencies[name] ?? root.dependencies[name]])
  installProject(projectOf('frameworks'), {
    ...Object.fromEntries(frameworks),
    ...Object.fromEntries(names.map((name) => [name, `file:${tarballs[name]}`])),
  })
})

describe.each(names)('%s', (name) => {
  const doors = Object.entries(packages[name])
  const loadable = doors.filter(([, exported]) => exported !== undefined)

  test('has exactly these exports', () => {
    const { exports } = readManifest(name)
    expect(Object.keys(exports).sort()).toEqual([...doors.map(([door]) => door), './package.json'].sort())
  })

  test.each(['import', 'require'])('each has exactly its names, with %s', (way) => {
    const list = JSON.stringify(loadable.map(([door]) => specifierOf(name, door)))
    const load = way === 'import' ? 'await import(one)' : 'require(one)'
    const type = way === 'import' ? 'module' : 'commonjs'
    const code = `const found = []; for (const one of ${list}) found.push(Object.keys(${load}).filter((key) => key !== 'module.exports'))
      console.log(JSON.stringify(found))`
    const found = JSON.parse(run(process.execPath, [`--input-type=${type}`, '-e', code], projectOf(name)))
    expect(found.map((one: string[]) => one.toSorted())).toEqual(
      loadable.map(([, exported]) => exported?.toSorted()),
    )
  })

  test('brings only its dependencies', () => {
    const found = readdirSync(join(projectOf(name), 'node_modules')).filter((one) => !one.startsWith('.'))
    if (brought[name]) expect(found.sort()).toEqual(brought[name])
    else expect(found).toEqual(expect.arrayContaining(['hono', 'jose', 'kysely']))
    expect(found).not.toContain('fastify')
  })

  test('has what a published package has: metadata, ranges, texts', () => {
    const manifest = readManifest(name)
    expect(manifest).toMatchObject({
      version: root.version,
      license: 'MIT',
      repository: { type: 'git', url: expect.stringMatching(/^git\+https:/) },
      bugs: expect.stringMatching(/^https:/),
      homepage: expect.stringMatching(/^https:/),
      keywords: expect.arrayContaining(['jwt', 'origin']),
    })
    for (const range of Object.values({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      expect(range).toMatch(/^\^\d+\.\d+\.\d+$/)
    }
    expect(manifest).not.toHaveProperty('scripts')
    expect(manifest).not.toHaveProperty('devDependencies')
    for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) {
      expect(existsSync(join(installed(name), file)), file).toBe(true)
    }
  })
})

/** README, docs, and the READMEs of the small packages. */
const pages = ['README.md', ...list('docs'), ...list('scripts/packages')]

function list(dir: string): readonly string[] {
  return readdirSync(join(ROOT, dir)).map((name) => `${dir}/${name}`)
}

/** The TypeScript blocks of a page, each as a file. */
function readBlocks(page: string): readonly { readonly file: string; readonly text: string }[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```(?:ts|tsx|typescript)\n(.*?)^```$/gms)].map(([, block = ''], at) => ({
    file: `${page.replaceAll(/[/.]/g, '-')}-${at}.ts`,
    text: block,
  }))
}

/** What the blocks expect of the reader's own project: a check of the visitor's session. */
const SESSION =
  'export const isSignedIn = (cookie: string | null | undefined): boolean => cookie === undefined\n'

describe('README, docs and the READMEs of the small packages', () => {
  test('use every export of every package', () => {
    const imported = pages.flatMap((page) =>
      readBlocks(page).flatMap(({ text }) => [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from)),
    )
    const wanted = names.flatMap((name) => Object.keys(packages[name]).map((door) => specifierOf(name, door)))
    // What an export of a small package is called in claimgate.
    const toWhole = (specifier = ''): string =>
      specifier
        .replace(/^@claimgate\/verify$/, 'claimgate/verify')
        .replace(/^@claimgate\/\w+\//, 'claimgate/')
    const shown = [...imported, ...imported.map(toWhole)]
    expect(wanted.filter((specifier) => !shown.includes(specifier))).toEqual([])
  })

  test.each(Object.entries(resolutions))('compile: %s', (moduleResolution, module) => {
    const blocks = pages.flatMap(readBlocks)
    expect(blocks.length).toBeGreaterThan(20)
    const project = projectOf('frameworks')
    writeFileSync(join(project, 'session.ts'), SESSION)
    for (const { file, text } of blocks) writeFileSync(join(project, file), `${text}\nexport {}\n`)
    const files = blocks.map(({ file }) => file)
    const compilerOptions = { ...STRICT, module, moduleResolution }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    expect(run(process.execPath, [tsc, '-p', 'tsconfig.json'], project)).toBe('')
  })
})

/** The oldest version that a range names: `22.16.0` for `^22.16.0 || >=24.0.0`. */
const oldestOf = (range: string): string => /\d+\.\d+\.\d+/.exec(range)?.[0] ?? ''

describe.each(['import', 'require'] as const)('with %s, on the oldest Node', (way) => {
  const file = way === 'import' ? 'use.mjs' : 'use.cjs'
  const small = findNode('22.12.0')
  const whole = findNode(oldestOf(root.engines.node))

  test.skipIf(small === undefined)('22.12: the small packages verify tokens and ask an issuer', () => {
    for (const name of names.slice(1)) expect(oldestOf(readManifest(name).engines.node)).toBe('22.12.0')
    const node = small ?? ''
    runScript(node, 'frameworks', `verify-${file}`, toScript(way, verifyUse('@claimgate/verify', '')))
    runScript(node, '@claimgate/client', file, toScript(way, clientUse('@claimgate/client')))
  })

  test.skipIf(small === undefined)('22.12: the same exports of claimgate do', () => {
    const node = small ?? ''
    runScript(node, 'claimgate', `verify-${file}`, toScript(way, verifyUse('claimgate', '/verify')))
    runScript(node, 'claimgate', `client-${file}`, toScript(way, clientUse('claimgate')))
  })

  test.skipIf(whole === undefined)('of engines: claimgate runs its service', () => {
    runScript(whole ?? '', 'claimgate', `service-${file}`, toScript(way, serviceUse))
  })
})

describe('the command line', () => {
  const bin = 'node_modules/.bin/claimgate'
  const old = findNode('22.12.0')
  const oldest = findNode(oldestOf(root.engines.node))

  test('runs from the package', () => {
    expect(run(process.execPath, [bin, '--version'], projectOf('claimgate')).trim()).toBe(root.version)
  })

  test.skipIf(oldest === undefined)('runs on the oldest Node of engines, without flags', () => {
    const create = ['account', 'create', '--name', 'a', '--origin', 'https://shop.example.org', '--json']
    expect(JSON.parse(run(oldest ?? '', [bin, ...create], projectOf('claimgate')))).toHaveProperty('account')
  })

  test.skipIf(oldest === undefined)('serves on the oldest Node of engines, without flags', async () => {
    const file = join(projectOf('claimgate'), bin)
    const server = await startServer({ command: [oldest ?? '', file, 'serve'] })
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    await server.stop()
    expect(server.child.exitCode).toBe(0)
  })

  test.skipIf(old === undefined)('says on an older Node which one it needs', () => {
    expect(() => run(old ?? '', [bin, '--version'], projectOf('claimgate'))).toThrow(
      /claimgate needs Node 22\.16 or later.*this is v22\.12\.0/,
    )
  })
})

test('claimgate/worker exports every Durable Object class that wrangler.toml binds', () => {
  const bound = [...readFileSync(join(ROOT, 'wrangler.toml'), 'utf8').matchAll(/class_name = "(\w+)"/g)]
  const worker = readFileSync(join(installed('claimgate'), 'dist/worker.js'), 'utf8')
  for (const [, name] of bound) expect(worker).toMatch(new RegExp(`export (class |\\{[^}]*\\b)${name}\\b`))
  expect(worker).toContain('export default')
})

test('the one-file build of the client is in both packages that have the client, and is what issuers serve', async () => {
  const { SDK_TEXT } = await import('../../src/service/sdk-file.ts')
  for (const name of ['claimgate', '@claimgate/client'] as const) {
    const file = readManifest(name).unpkg
    expect(readFileSync(join(installed(name), file), 'utf8')).toBe(SDK_TEXT)
  }
})
