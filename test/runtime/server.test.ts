// When a test server stops, its output and its database files are searched for secrets. These tests plant secrets: the search
// must find each one and report where it is, without printing it.

import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createClientSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { createMint } from '../support/mint.ts'
import {
  ADMIN_TOKEN,
  type RunningServer,
  runServer,
  type ServerOptions,
  startServer,
  useServers,
} from '../support/server.ts'
import { sendToSocket, type WireRequest } from '../support/wire.ts'
import { createAccount } from '../support/world.ts'

const { makeFolder, start } = useServers()

/** Servers with a planted secret, started without `useServers`, whose search would fail. Killed after all tests. */
const unwatched: RunningServer[] = []
afterAll(() => {
  for (const { kill } of unwatched) kill()
})
async function startUnwatched(options: ServerOptions): Promise<RunningServer> {
  const server = await startServer(options)
  unwatched.push(server)
  return server
}

/** A script that logs `listening` as a server does, then writes the secret in PLANT to the stream in PLANT_AT. */
const FAKE = `
console.log('{"msg":"listening","url":"http://127.0.0.1:1"}')
if (process.env.PLANT_AT === 'stdout') console.log('{"msg":"' + process.env.PLANT + '"}')
if (process.env.PLANT_AT === 'stderr') console.error('Error: ' + process.env.PLANT + ' is wrong')
process.on('SIGTERM', () => process.exit(0))
setTimeout(() => process.exit(1), 30_000)`

const plants: readonly (readonly [kind: string, secret: string])[] = [
  ['an account token', formatAccountToken(createClientSecret())],
  ['a JWT', createMint('ES256').token({})],
  [
    'a JWT',
    createMint('ES256')
      .token({})
      .replace(/\.[^.]*$/, '.'),
  ],
  ['the admin token', ADMIN_TOKEN],
]
const files = ['claimgate.db', 'claimgate.db-wal', 'claimgate.db-shm']

/** Options of a fake server with a planted secret: among other bytes in the file `place`, or on the stream `place`. */
function plant(place: string, secret: string, dir: string, file = join(dir, place)): ServerOptions {
  if (files.includes(place)) appendFileSync(file, Buffer.from(`\u0000\xff${secret}\u0000`, 'latin1'))
  const env = { PLANT: secret, PLANT_AT: place }
  return { dir, env, command: [process.execPath, '-e', FAKE] }
}

const messageOf = (ended: Promise<unknown>): Promise<string> =>
  ended.then(
    () => 'the search found no secret',
    (error: Error) => `${error.message}\n${error.stack}`,
  )

describe.concurrent.each(plants)('%s', (kind, secret) => {
  test.each(['stdout', 'stderr', ...files])('in %s: the search fails and names the place', async (place) => {
    const server = await startUnwatched(plant(place, secret, makeFolder()))
    await vi.waitUntil(() => place.startsWith('std') === (server.stdout() + server.stderr()).includes(secret))
    const message = await messageOf(server.stop())
    expect(message).toMatch(`the server wrote ${kind} to `)
    expect(message).toContain(place)
    expect(message).not.toContain(secret)
  })

  test('in the database at the default path, without DATABASE_URL: found', async () => {
    const dir = makeFolder()
    mkdirSync(join(dir, 'data'))
    const options = plant('claimgate.db', secret, dir, join(dir, 'data/claimgate.db'))
    const server = await startUnwatched({ ...options, env: { DATABASE_URL: undefined } })
    expect(await messageOf(server.stop())).toMatch(`the server wrote ${kind} to ${dir}/data/claimgate.db`)
  })

  test('on stderr of a server that fails to start: found', async () => {
    const command = [process.execPath, '-e', `console.error(process.env.PLANT)`] as const
    const message = await messageOf(runServer({ dir: makeFolder(), env: { PLANT: secret }, command }))
    expect(message).toMatch(`the server wrote ${kind} to stderr`)
  })
})

describe.concurrent('a real server', () => {
  const createScoped = async (url: string, scope: string): Promise<void> => {
    const send = (request: WireRequest) => sendToSocket(url, request)
    const account = { name: 'Real', allowedOrigins: ['*'], scopes: [scope] }
    await createAccount({ issuer: url, send, stop: async () => undefined }, account)
  }

  test('that created an account wrote no secret', async () => {
    const server = await start()
    await createScoped(server.url, 'read')
    await server.stop()
  })

  test.each(plants)('with %s stored as a scope fails the search', async (kind, secret) => {
    const dir = makeFolder()
    const server = await startUnwatched({ dir })
    await createScoped(server.url, secret)
    expect(await messageOf(server.stop())).toMatch(`the server wrote ${kind} to ${dir}/claimgate.db`)
  })
})
