// A new project with the packed package and the frameworks, installed by npm, as an API developer would have it.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const FRAMEWORKS = ['hono', '@hono/node-server', 'express', 'fastify', '@types/express', '@types/node']

/** The package export of each source file that the copied tests import. */
const DOORS: Readonly<Record<string, string>> = {
  'src/index.ts': 'claimgate',
  'src/verify/verifier.ts': 'claimgate/verify',
  'src/verify/middleware/hono.ts': 'claimgate/hono',
  'src/verify/middleware/fastify.ts': 'claimgate/fastify',
  'src/verify/middleware/node.ts': 'claimgate/node',
  'src/errors.ts': 'claimgate/errors',
  'src/server.ts': 'claimgate/server',
  'src/client/backend/index.ts': 'claimgate/backend',
  'src/client/browser/index.ts': 'claimgate/browser',
}

/** The environment without the variables that npm sets for the scripts it runs. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

export interface Project {
  readonly folder: string
  /** Writes a file into the project, and returns its path. Imports of this repository's sources become package imports. */
  write(name: string, text: string): string
  /** Copies files of `test/` to the same paths in the project. Their imports are replaced as by `write`. */
  copy(...names: readonly string[]): void
  remove(): void
}

/** Packs a copy of this checkout and installs it. A copy is used because other tests may build in the checkout meanwhile. */
export function createProject(): Project {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-doors-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    install(folder)
  } catch (error) {
    remove()
    throw error
  }

  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(
      file,
      text.replace(/'[./]*(src\/[\w/.]+)'/g, (quoted, source) => quoteDoor(quoted, source)),
    )
    return file
  }
  return {
    folder,
    write,
    copy: (...names) => {
      for (const name of names) write(name, readFileSync(join(ROOT, 'test', name), 'utf8'))
    },
    remove,
  }
}

function install(folder: string): void {
  const { version, manifest } = pack(folder)
  const dependencies = Object.fromEntries(
    FRAMEWORKS.map((name) => [name, manifest.devDependencies[name] ?? manifest.dependencies[name]]),
  )
  const customer = {
    private: true,
    type: 'module',
    dependencies: { ...dependencies, claimgate: `file:claimgate-${version}.tgz` },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(customer))
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'], folder)
}

function quoteDoor(quoted: string, source: string): string {
  const door = DOORS[source]
  if (door === undefined) throw new Error(`${quoted} is not a package export`)
  return `'${door}'`
}

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

function pack(folder: string): { version: string; manifest: Manifest } {
  const checkout = join(folder, 'checkout')
  const names = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src', 'scripts']
  for (const name of names) cpSync(join(ROOT, name), join(checkout, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
  run('npm', ['pack', '--pack-destination', folder], checkout)
  rmSync(checkout, { recursive: true })
  const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return { version: manifest.version, manifest }
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
