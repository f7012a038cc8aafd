// Starts on Postgres: what is waited for, and what the last line of a failed one says.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../support/ports.ts'
import { POSTGRES_BIN, type PostgresServer, runOnce, startPostgres } from '../support/postgres.ts'
import { runServer, useServers } from '../support/server.ts'

const MASTER_KEY = Buffer.alloc(32, 9).toString('base64url')
const PREFIX = 'claimgate cannot start: '

const { makeFolder, start } = useServers()

/** Starts a server that fails. Resolves to its lines on stderr without their prefix, and to how long it took. */
async function failToStart(url: string): Promise<{ lines: readonly string[]; ms: number }> {
  const startedAt = performance.now()
  const { code, stderr } = await runServer({
    dir: makeFolder(),
    env: { DATABASE_URL: url, CLAIMGATE_MASTER_KEY: MASTER_KEY },
  })
  expect(code).toBe(1)
  const lines = stderr.trimEnd().split('\n')
  for (const line of lines) expect(line).toMatch(new RegExp(`^${PREFIX}`))
  return { lines: lines.map((line) => line.slice(PREFIX.length)), ms: performance.now() - startedAt }
}

describe.skipIf(POSTGRES_BIN === undefined).concurrent('a server on Postgres', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres(['fsync=off'])
  })
  afterAll(() => postgres?.stop())

  test('waits ten seconds for a server that is not there, and then names DATABASE_URL and no password', async () => {
    const port = await findFreePort()
    const { lines, ms } = await failToStart(`postgres://me:marked-password@127.0.0.1:${port}/claims`)
    expect(lines).toEqual([
      `Postgres database 127.0.0.1:${port}/claims cannot be reached (ECONNREFUSED); check DATABASE_URL and the server`,
    ])
    expect(ms).toBeGreaterThan(9000)
    expect(ms).toBeLessThan(20_000)
  })

  test('starts when the server becomes reachable within ten seconds', async () => {
    const port = await findFreePort()
    const starting = start({
      env: {
        DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres`,
        CLAIMGATE_MASTER_KEY: MASTER_KEY,
      },
    })
    const late = await startPostgres(['fsync=off'], port)
    try {
      const server = await starting
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
      await server.stop()
    } finally {
      await late.stop()
    }
  })

  test('does not start on a database that takes no writes', async () => {
    const url = await postgres.createDatabase()
    await runOnce(
      url,
      `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
    )
    const { lines } = await failToStart(url)
    expect(lines).toEqual([expect.stringMatching(/ is read-only; check DATABASE_URL, /)])
  })

  test('does not start with another master key than the one that encrypted its keys', async () => {
    const url = await postgres.createDatabase()
    const server = await start({ env: { DATABASE_URL: url, CLAIMGATE_MASTER_KEY: MASTER_KEY } })
    await server.stop()
    const { code, stderr } = await runServer({
      dir: makeFolder(),
      env: { DATABASE_URL: url, CLAIMGATE_MASTER_KEY: Buffer.alloc(32, 1).toString('base64url') },
    })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/cannot be decrypted with this master key; set /),
    ])
  })

  test('eight servers that start at the same time on an empty database all start, with the same keys', async () => {
    const env = { DATABASE_URL: await postgres.createDatabase(), CLAIMGATE_MASTER_KEY: MASTER_KEY }
    const servers = await Promise.all(Array.from({ length: 8 }, () => start({ env })))
    const sets = await Promise.all(
      servers.map(async ({ url }) => (await fetch(`${url}/.well-known/jwks.json`)).text()),
    )
    expect(new Set(sets).size).toBe(1)
    await Promise.all(servers.map((server) => server.stop()))
  })
})
