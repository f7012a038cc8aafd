// The project's import rules as data, and the table of them in src/README.md.

/** What the files of a room may import. If several rooms contain a file, the longest path applies. */
export interface Rule {
  /** A folder or file below src/. */
  readonly room: string
  /** Folders or files below src/ whose code may be imported. */
  readonly rooms?: readonly string[]
  /** Folders or files below src/ of which only types may be imported. */
  readonly types?: readonly string[]
  /** Packages whose code may be imported; `node:` is every module of Node. */
  readonly packages?: readonly string[]
  /** Packages of which only types may be imported. */
  readonly packageTypes?: readonly string[]
}

const port = 'storage/storage.ts'

export const rules: readonly Rule[] = [
  { room: 'lib' },
  {
    room: 'claims',
    rooms: ['base62', 'base64url', 'freeze', 'json', 'options', 'result', 'utf8'].map(
      (name) => `lib/${name}.ts`,
    ),
  },
  { room: 'config', rooms: ['lib', 'claims'], types: ['http/log.ts', 'signing'], packages: ['zod'] },
  { room: 'counters', rooms: ['lib', 'claims'], packages: ['lru-cache'] },
  { room: 'signing', rooms: ['lib', 'claims'], packages: ['jose'] },
  { room: 'verify', rooms: ['lib', 'claims', 'counters'], packages: ['jose', 'lru-cache'] },
  { room: 'verify/middleware/hono.ts', rooms: ['lib', 'claims', 'verify'], packageTypes: ['hono'] },
  { room: 'verify/middleware/node.ts', rooms: ['lib', 'claims', 'verify'], packageTypes: ['node:'] },
  { room: 'verify/middleware/fastify.ts', rooms: ['lib', 'claims', 'verify'], packageTypes: ['fastify'] },
  { room: 'client', rooms: ['lib', 'claims'] },
  { room: 'client/browser', types: ['lib', 'claims'] },
  { room: port, types: ['lib', 'claims', 'signing'] },
  { room: 'storage', rooms: ['lib', 'claims'], packages: ['lru-cache'] },
  { room: 'storage/sql', rooms: ['lib', 'claims', 'storage/errors.ts'], types: [port], packages: ['kysely'] },
  {
    room: 'storage/sql/sqlite.ts',
    rooms: ['lib', 'storage/errors.ts', 'storage/sql'],
    packages: ['node:'],
  },
  {
    room: 'storage/sql/postgres.ts',
    rooms: ['lib', 'storage/errors.ts', 'storage/sql'],
    packages: ['pg'],
  },
  {
    room: 'storage/sql/keys.ts',
    rooms: ['lib', 'claims', 'storage/errors.ts', 'storage/sql'],
    types: ['signing'],
    packages: ['kysely', 'jose'],
  },
  {
    room: 'http',
    rooms: ['lib', 'claims', 'signing/errors.ts', 'storage/errors.ts', 'verify/middleware/cors.ts'],
    types: ['counters'],
    packages: ['prom-client'],
  },
  {
    room: 'issue',
    rooms: ['lib', 'claims', 'signing', 'http'],
    types: ['counters', port, 'storage/cached.ts'],
  },
  {
    room: 'oauth',
    rooms: ['lib', 'claims', 'signing', 'http', 'issue', 'storage/errors.ts', 'verify'],
    types: [port],
    packages: ['jose'],
  },
  {
    room: 'admin',
    rooms: [
      'lib',
      'claims',
      'signing',
      'http',
      'verify/keys/jwk.ts',
      'verify/explain.ts',
      'storage/errors.ts',
    ],
    types: ['counters', port, 'verify'],
    packages: ['zod', 'tldts'],
  },
  {
    room: 'service',
    rooms: ['lib', 'claims', 'signing', 'http', 'verify', 'storage/errors.ts'],
    types: ['config', 'counters', port, 'storage/cached.ts'],
    packages: ['jose'],
  },
  {
    room: 'wiring',
    rooms: ['claims', 'http', 'verify', 'issue', 'oauth', 'admin', 'service', 'storage/cached.ts'],
    types: ['config', 'counters', 'signing', port],
    packageTypes: ['hono'],
  },
  { room: 'app.ts', rooms: ['wiring', 'http', 'service'], packages: ['hono'] },
  {
    room: 'index.ts',
    rooms: ['app.ts', 'memory-deps.ts', 'config', 'storage/errors.ts'],
    types: ['wiring', port, 'storage/cached.ts'],
  },
  {
    room: 'memory-deps.ts',
    rooms: ['config', 'counters', 'signing', 'storage/memory.ts', 'verify/runtime', 'http', 'wiring'],
    packageTypes: ['hono'],
  },
  {
    room: 'errors.ts',
    rooms: ['claims', 'client', 'config/errors.ts', 'storage/errors.ts'],
  },
  {
    room: 'adapters/node',
    rooms: ['lib', 'claims', 'config', 'signing', 'verify', 'storage', 'http'],
    packages: ['node:', '@hono/node-server', 'zod'],
    packageTypes: ['jose'],
  },
  { room: 'adapters/worker', rooms: ['lib', 'config', 'signing', 'storage', 'verify'] },
  {
    room: 'cli',
    rooms: [
      ...['lib', 'claims', 'config', 'signing', 'verify', 'storage', 'http', 'issue', 'admin', 'service'],
      ...['adapters', 'node.ts'],
    ],
    packages: ['node:', 'commander', 'jose'],
  },
  {
    room: 'open-service.ts',
    rooms: ['config', 'counters', 'http', 'admin/settle.ts', 'wiring', 'app.ts', 'adapters/node'],
    packageTypes: ['hono', 'node:'],
  },
  {
    room: 'server.ts',
    rooms: ['config', 'http', 'storage/errors.ts', 'adapters/node/line-output.ts', 'open-service.ts'],
    packageTypes: ['hono'],
  },
  { room: 'node.ts', rooms: ['config', 'http', 'adapters/node', 'open-service.ts'] },
  {
    room: 'worker.ts',
    rooms: [
      ...['lib', 'config', 'counters', 'signing', 'http', 'admin/settle.ts', 'adapters/worker', 'wiring'],
      'app.ts',
    ],
    types: ['service'],
    packages: ['cloudflare:'],
  },
]

/** The files that may read environment variables of the process. */
export const environmentReaders: readonly string[] = [
  'adapters/node/environment.ts',
  'cli/main.ts',
  'client/backend/load-config.ts',
]

/** The most files and folders in a folder of src/. */
export const maxNames: Readonly<Record<string, number>> = { cli: 21 }
export const MAX_NAMES = 15

/** Whether a path is one of these folders or files, or below one of them. */
export function isWithin(path: string, rooms: readonly string[] = []): boolean {
  return rooms.some((room) => path === room || path.startsWith(`${room}/`))
}

/** The rule for a file: that of the room with the longest path that contains the file; undefined when none does. */
export function ruleOf(path: string): Rule | undefined {
  return rules
    .filter(({ room }) => isWithin(path, [room]))
    .toSorted((a, b) => b.room.length - a.room.length)[0]
}

/** The rules as the Markdown table of src/README.md. */
export function renderRules(): string {
  const list = (rooms: readonly string[] = [], packages: readonly string[] = []) =>
    [...rooms, ...packages.map((name) => `\`${name}\``)].join(', ')
  return [
    '| room | may import | only types of |',
    '| --- | --- | --- |',
    ...rules.map(({ room, rooms, types, packages, packageTypes }) =>
      `| ${room} | ${list(rooms, packages)} | ${list(types, packageTypes)} |`.replaceAll('|  |', '| |'),
    ),
  ].join('\n')
}
