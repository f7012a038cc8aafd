// The house's import rules as data: a room may import what its row names and nothing else.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Rule {
  /** Files it speaks of: a folder or a file under src/. The longest that fits a file rules it. */
  readonly room: string
  /** Folders or files under src/ whose code may be imported. */
  readonly rooms?: readonly string[]
  /** Folders or files under src/ of which only types may be imported. */
  readonly types?: readonly string[]
  /** Packages (or `node:`) whose code may be imported. */
  readonly packages?: readonly string[]
  /** Packages of which only types may be imported. */
  readonly packageTypes?: readonly string[]
}

const storagePort = 'storage/storage.ts'

const rules: readonly Rule[] = [
  { room: 'lib' },
  {
    room: 'claims',
    rooms: [
      'lib/result.ts',
      'lib/json.ts',
      'lib/utf8.ts',
      'lib/base64url.ts',
      'lib/base62.ts',
      'lib/freeze.ts',
    ],
  },
  { room: 'workers.d.ts' },
  { room: 'signing', rooms: ['claims', 'lib'], packages: ['jose'] },
  { room: 'counters', rooms: ['claims', 'lib'], packages: ['lru-cache'] },
  { room: 'verify', rooms: ['claims', 'lib', 'counters'], packages: ['jose', 'lru-cache'] },
  { room: 'verify/hono.ts', rooms: ['claims', 'lib'], packageTypes: ['hono'] },
  { room: 'verify/node.ts', rooms: ['claims', 'lib'], packageTypes: ['node:'] },
  { room: 'storage', rooms: ['claims', 'lib'], types: [storagePort], packages: ['lru-cache'] },
  { room: storagePort, types: ['claims', 'lib', 'signing'] },
  {
    room: 'storage/sql',
    rooms: ['claims', 'lib', 'storage/errors.ts'],
    types: [storagePort],
    packages: ['kysely'],
  },
  {
    room: 'storage/sql/sqlite.ts',
    rooms: ['storage/errors.ts'],
    types: ['claims', 'lib'],
    packages: ['node:'],
  },
  {
    room: 'storage/sql/keys.ts',
    rooms: ['claims', 'lib', 'storage/errors.ts'],
    types: ['signing'],
    packages: ['kysely', 'jose'],
  },
  {
    room: 'http',
    rooms: ['claims', 'lib', 'signing/errors.ts', 'storage/errors.ts'],
    types: ['counters', 'verify/cors.ts'],
    packages: ['prom-client'],
  },
  {
    room: 'issue',
    rooms: ['claims', 'lib', 'signing', 'http'],
    types: ['counters', storagePort, 'storage/cached.ts'],
  },
  {
    room: 'oauth',
    rooms: ['claims', 'lib', 'signing', 'http', 'issue', 'storage/errors.ts', 'verify'],
    types: [storagePort],
    packages: ['jose'],
  },
  {
    room: 'admin',
    rooms: ['claims', 'lib', 'signing', 'http', 'verify/jwk.ts', 'verify/explain.ts', 'storage/errors.ts'],
    types: ['counters', storagePort, 'verify'],
    packages: ['zod', 'tldts'],
  },
  {
    room: 'service',
    rooms: ['claims', 'lib', 'signing', 'http', 'verify', 'storage/errors.ts'],
    types: ['counters', storagePort, 'storage/cached.ts'],
    packages: ['jose'],
  },
  { room: 'client', rooms: ['claims', 'lib'] },
  ...[
    'browser-error',
    'browser',
    'data-client',
    'dpop-key',
    'refresh',
    'tabs',
    'token-source',
    'token-source-ask',
  ].map((name) => ({ room: `client/${name}.ts`, types: ['claims', 'lib'] })),
  { room: 'config.ts', rooms: ['claims', 'lib', 'config-fields.ts'], types: ['http/log.ts'] },
  { room: 'config-fields.ts', rooms: ['claims', 'lib'], types: ['http/log.ts'], packages: ['zod'] },
  {
    room: 'app.ts',
    rooms: ['admin', 'issue', 'oauth', 'service', 'verify', 'http', 'claims', 'lib'],
    types: ['config.ts', 'counters', 'signing', 'storage/cached.ts'],
    packages: ['hono'],
  },
  { room: 'index.ts', rooms: ['app.ts', 'config.ts'], types: [storagePort, 'storage/cached.ts'] },
  {
    room: 'adapters',
    rooms: ['claims', 'lib', 'signing', 'verify', 'storage', 'http', 'config.ts'],
    packages: ['node:', '@hono/node-server', 'zod'],
    packageTypes: ['jose'],
  },
  {
    room: 'cli',
    rooms: [
      'adapters',
      'admin',
      'claims',
      'lib',
      'config.ts',
      'http',
      'issue',
      'service',
      'signing',
      'verify',
      'storage',
      'node.ts',
    ],
    packages: ['node:', 'commander', 'jose'],
  },
  {
    room: 'node.ts',
    rooms: [
      'adapters',
      'admin/settle.ts',
      'app.ts',
      'config.ts',
      'counters',
      'http',
      'issue',
      'service',
      'storage/cached.ts',
      'verify',
    ],
  },
  {
    room: 'worker.ts',
    rooms: [
      'admin/settle.ts',
      'app.ts',
      'config.ts',
      'counters',
      'http',
      'issue',
      'service',
      'signing',
      'storage',
      'verify',
    ],
    packages: ['cloudflare:'],
  },
]

interface Import {
  readonly from: string
  readonly isType: boolean
}

const src = join(import.meta.dirname, '..', 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(src, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?([^'"]*?from\s*)?['"]([^'"]+)['"]/gms)
  const dynamic = text.matchAll(/import\(\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, type, names = '', from = '']) => ({
      from,
      isType: type !== undefined || isAllTypes(names),
    })),
    ...[...dynamic].map(([, from = '']) => ({ from, isType: false })),
  ]
}

/** `import { type A, type B }` leaves nothing at run time but the module's own effects; ours have none. */
function isAllTypes(names: string): boolean {
  const inner = /\{(.*)\}/s.exec(names)?.[1]
  if (inner === undefined) return false
  return inner.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

function isWithin(path: string, rooms: readonly string[] = []): boolean {
  return rooms.some((room) => path === room || path.startsWith(`${room}/`))
}

function isPackage(from: string, packages: readonly string[] = []): boolean {
  return packages.some((name) => from === name || from.startsWith(name.endsWith(':') ? name : `${name}/`))
}

function ruleOf(file: string): Rule | undefined {
  return rules
    .filter((rule) => isWithin(file, [rule.room]))
    .toSorted((a, b) => b.room.length - a.room.length)[0]
}

function faultsOf(file: string): readonly string[] {
  const rule = ruleOf(file)
  if (rule === undefined) return [`${file} stands in no room of the table`]
  const home = rule.room.endsWith('.ts') ? dirname(file) : rule.room
  return importsOf(file)
    .filter(({ from, isType }) => {
      if (!from.startsWith('.')) {
        return !isPackage(from, rule.packages) && !(isType && isPackage(from, rule.packageTypes))
      }
      const path = normalize(join(dirname(file), from))
      if (home !== '.' && isWithin(path, [home])) return false
      return !isWithin(path, rule.rooms) && !(isType && isWithin(path, rule.types))
    })
    .map(({ from, isType }) => `${file} imports ${isType ? 'types of ' : ''}${from}`)
}

describe('imports point inward', () => {
  test.each(files)('%s', (file) => {
    expect(faultsOf(file)).toEqual([])
  })

  test('the table sees a broken rule', () => {
    expect(importsOf('node.ts').length).toBeGreaterThan(5)
    expect(importsOf('claims/claims-set.ts').some((found) => found.from === './ip.ts' && !found.isType)).toBe(
      true,
    )
  })

  test('no room but the entry points reads the environment', () => {
    const readers = files.filter((file) => /process\.env/.test(readFileSync(join(src, file), 'utf8')))
    expect(readers.filter((file) => !isWithin(file, ['adapters', 'node.ts', 'cli']))).toEqual([])
  })

  test('claims are pure: no clock, no I/O, nothing asynchronous', () => {
    for (const file of files.filter((name) => name.startsWith('claims/'))) {
      const code = readFileSync(join(src, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
      expect(code, file).not.toMatch(
        /\bDate\b|performance\.|\bfetch\(|\basync\b|\bawait\b|Math\.random|setTimeout/,
      )
    }
  })
})

describe('rooms are small', () => {
  const sizes = files.map((file) => ({
    file,
    lines: readFileSync(join(src, file), 'utf8')
      .split('\n')
      .filter((line) => !/^\s*($|\/\/|\*|\/\*)/.test(line)).length,
  }))

  test('no file has over 250 code lines, and the median is under 80', () => {
    expect(sizes.filter(({ lines }) => lines > 250)).toEqual([])
    const sorted = sizes.map(({ lines }) => lines).sort((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(80)
  })
})
