// A new project with the packed package and the frameworks, installed by npm, as an API developer would have it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { installProject, packPackages } from '../support/packed.ts'

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

export interface Project {
  readonly folder: string
  /** Writes a file into the project, and returns its path. Imports of this repository's sources become package imports. */
  write(name: string, text: string): string
  /** Copies files of `test/` to the same paths in the project. Their imports are replaced as by `write`. */
  copy(...names: readonly string[]): void
  remove(): void
}

/** Builds, packs and installs the package with the frameworks. */
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
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const frameworks = FRAMEWORKS.map((name) => [
    name,
    manifest.devDependencies[name] ?? manifest.dependencies[name],
  ])
  const tarballs = Object.entries(
    packPackages(folder, ['claimgate', '@claimgate/verify', '@claimgate/client']),
  )
  const ours = tarballs.map(([name, path]) => [name, `file:${path}`])
  installProject(folder, { ...Object.fromEntries(frameworks), ...Object.fromEntries(ours) })
}

function quoteDoor(quoted: string, source: string): string {
  const door = DOORS[source]
  if (door === undefined) throw new Error(`${quoted} is not a package export`)
  return `'${door}'`
}
