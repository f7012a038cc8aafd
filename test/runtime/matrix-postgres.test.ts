// The runtime tests on two servers that share a Postgres database. Requests go to both in turn, so what one has written is
// what the other reads.

import { afterAll, beforeAll, describe } from 'vitest'
import { findFreePort } from '../support/ports.ts'
import { POSTGRES_BIN, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { describeRuntime } from './matrix.ts'

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64url')

/** Paths at which one token can be revoked. */
const REVOCATIONS: readonly string[] = ['/admin/revocations', '/oauth/revoke']

describe.skipIf(POSTGRES_BIN === undefined)('Postgres', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres(['fsync=off'])
  })
  afterAll(() => postgres?.stop())

  describeRuntime('two servers', { rows: 'everywhere' }, async () => {
    const port = await findFreePort()
    const issuer = `http://127.0.0.1:${port}`
    const env = {
      DATABASE_URL: await postgres.createDatabase(),
      CLAIMGATE_MASTER_KEY: MASTER_KEY,
      CLAIMGATE_ISSUER: issuer,
    }
    const servers = await Promise.all([
      startServer({ env: { ...env, PORT: String(port) } }),
      startServer({ env }),
    ])
    let turn = 0
    let staysUntil = 0
    return {
      issuer,
      send: (request) => {
        if (performance.now() > staysUntil) turn = 1 - turn
        // One server refuses a token immediately that was revoked there, the other one within two seconds.
        if (REVOCATIONS.includes(request.path)) staysUntil = performance.now() + 2000
        return sendToSocket((servers[turn] as (typeof servers)[0]).url, request)
      },
      stop: async () => {
        await Promise.all(servers.map((server) => server.stop()))
      },
    }
  })
})
