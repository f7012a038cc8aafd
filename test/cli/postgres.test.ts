// The command line on a Postgres database, which also holds the signing keys.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_BIN, type PostgresServer, runOnce, startPostgres } from '../support/postgres.ts'
import { createMachine } from './run.ts'

const MASTER_KEY = Buffer.alloc(32, 9).toString('base64url')

describe.skipIf(POSTGRES_BIN === undefined)('the command line on Postgres', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres(['fsync=off'])
  })
  afterAll(() => postgres?.stop())

  test('reading commands create nothing in a database without tables, and name it', async () => {
    const url = await postgres.createDatabase()
    const machine = createMachine({ DATABASE_URL: url, CLAIMGATE_MASTER_KEY: MASTER_KEY })
    for (const argv of [
      ['account', 'list'],
      ['key', 'list'],
      ['audit', 'list'],
    ]) {
      const { code, stdout, stderr } = await machine.run(argv)
      expect([argv, code, stdout]).toEqual([argv, 1, ''])
      expect(stderr).toMatch(/Postgres database \S+ has no tables of claimgate, .*start the server/)
    }
    expect(await runOnce(url, `select nspname from pg_namespace where nspname = 'claimgate'`)).toEqual([])
  })

  test('accounts, keys, claims and revocations work', async () => {
    const url = await postgres.createDatabase()
    const machine = createMachine({ DATABASE_URL: url, CLAIMGATE_MASTER_KEY: MASTER_KEY })
    const origin = 'https://shop.example'
    const { credential } = await machine.json(['account', 'create', '--name', 'Shop', '--origin', origin])
    const { keys } = await machine.json(['key', 'rotate', '--force'])
    expect((await machine.json(['key', 'list'])).keys).toEqual(keys)
    const { token } = await machine.json(['claim', '--origin', origin, '-'], { stdin: credential.token })
    expect(await machine.json(['explain', token, '--origin', origin])).toMatchObject({ allowed: true })
    expect(await machine.json(['inspect', token])).toMatchObject({ validSignature: 'yes' })
    await machine.json(['revoke', token])
    expect(await machine.json(['explain', token, '--origin', origin])).toMatchObject({
      code: 'token_revoked',
    })
  })
})
