// Commands that read change no byte of the database, its WAL or the keys. They create no file, except `-shm`, the index of
// a WAL, when the database has a WAL.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { describeDatabase } from '../../src/cli/open.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createClientSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { openSqliteToRead } from '../../src/storage/sql/sqlite.ts'
import { createMachine, type Machine } from './run.ts'
import { createShop, expectFailure, ORIGIN, type Shop } from './shop.ts'

/** Every file below a machine's folder, with its content. */
function readAll({ dir }: Machine): Readonly<Record<string, string>> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, 'latin1')]))
}

/** Every command that reads, with arguments that succeed for this account and browser token. */
function listReads({ accountId }: Pick<Shop, 'accountId'>, token: string): readonly (readonly string[])[] {
  return [
    ['explain', token, '--origin', ORIGIN],
    ['explain', 'no token'],
    ['doctor', '-H', `Authorization: Bearer ${token}`, '-H', `Origin: ${ORIGIN}`],
    ['inspect', token],
    ['account', 'list'],
    ['account', 'show', accountId],
    ['key', 'list'],
    ['audit', 'list'],
    ['audit', 'export'],
    ['revocation', 'list'],
  ]
}

/** Commands that read the database. `inspect` and `key list` work without one. */
const NEED_DATABASE = listReads({ accountId: 'acct_nobody' }, 'x.y.z').filter(
  ([name]) => name !== 'inspect' && name !== 'key',
)

/** The machine, with these variables in the environment of commands that `run` calls. */
function withEnvironment(machine: Machine, env: Readonly<Record<string, string>>): Machine {
  return { ...machine, run: (argv, options = {}) => machine.run(argv, { ...options, env }) }
}

async function expectUnchanged(machine: Machine, reads: readonly (readonly string[])[]): Promise<void> {
  const before = readAll(machine)
  for (const argv of reads) {
    const { code, stderr } = await machine.run(argv)
    expect([argv, code, stderr]).toEqual([argv, 0, expect.not.stringContaining('claimgate:')])
    expect([argv, readAll(machine)]).toEqual([argv, before])
  }
}

/** `claim` with an account token that is well-formed, for commands that need one and end before they check it. */
const CLAIM = ['claim', '--origin', ORIGIN]
const env = { CLAIMGATE_ACCOUNT_TOKEN: formatAccountToken(createClientSecret()) }

test('without a database: exit code 1, a message that names the file, and none is created', async () => {
  const machine = createMachine()
  for (const argv of [...NEED_DATABASE, CLAIM]) {
    const { message } = await expectFailure(withEnvironment(machine, env), argv, [1, 'unavailable'])
    expect(message).toMatch(/^database file .*claimgate\.db does not exist; check DATABASE_URL/)
  }
  await expectFailure(machine, ['key', 'list'], [1, 'unavailable'])
  expect(readdirSync(machine.dir)).toEqual([])
})

test('while no server runs: nothing changes, not even the recorded longest token lifetime', async () => {
  const shop = await createShop()
  const token = await shop.claim()
  await expectUnchanged(shop, listReads(shop, token))
  const env = { CLAIMGATE_MAX_TTL: '31536000' }
  const before = readAll(shop)
  for (const argv of listReads(shop, token)) expect((await shop.run(argv, { env })).code).toBe(0)
  expect(readAll(shop)).toEqual(before)
  // A claim by the command line is not a use by the customer.
  expect(await shop.credentials()).toMatchObject([{ lastUsedAt: null }])
})

test('while another process has the database open: the newest records are read, and nothing changes', async () => {
  const shop = await createShop()
  const token = await shop.claim()
  const open = new DatabaseSync(join(shop.dir, 'claimgate.db'))
  open.exec("UPDATE accounts SET name = 'Renamed'")
  const { account } = await shop.json(['account', 'show', shop.accountId])
  expect(account.name).toBe('Renamed')
  const { '-shm': _, ...before } = readDatabaseFiles(shop)
  for (const argv of listReads(shop, token)) expect((await shop.run(argv)).code).toBe(0)
  expect(readDatabaseFiles(shop)).toMatchObject(before)
  open.close()
})

test('after a server was killed: its last writes are read, and stay in the WAL', async () => {
  const shop = await createShop()
  const token = await shop.claim()
  const open = new DatabaseSync(join(shop.dir, 'claimgate.db'))
  open.exec("UPDATE accounts SET name = 'Renamed'")
  const killed = createMachine()
  for (const name of ['claimgate.db', 'claimgate.db-wal'])
    copyFileSync(join(shop.dir, name), join(killed.dir, name))
  mkdirSync(join(killed.dir, 'keys'))
  for (const name of readdirSync(join(shop.dir, 'keys')))
    copyFileSync(join(shop.dir, 'keys', name), join(killed.dir, 'keys', name))
  open.close()
  const { '-shm': _, ...before } = readDatabaseFiles(killed)
  for (const argv of listReads(shop, token)) expect([argv, (await killed.run(argv)).code]).toEqual([argv, 0])
  expect((await killed.json(['account', 'show', shop.accountId])).account.name).toBe('Renamed')
  expect(readDatabaseFiles(killed)).toMatchObject(before)
})

/** The files of a machine's database by their ending. `-shm` is an index in shared memory and holds no record. */
function readDatabaseFiles({ dir }: Machine): Readonly<Record<string, string>> {
  const endings = ['', '-wal', '-shm'].filter((ending) => existsSync(join(dir, `claimgate.db${ending}`)))
  return Object.fromEntries(
    endings.map((ending) => [ending, readFileSync(join(dir, `claimgate.db${ending}`), 'latin1')]),
  )
}

describe('a database of another version', () => {
  test.each([
    ["DELETE FROM claimgate_migrations WHERE name LIKE '0006%'", /was written by an older claimgate/],
    ["INSERT INTO claimgate_migrations VALUES ('9999-future')", /was written by a newer claimgate/],
  ])('%s: exit code 1, and the database is not migrated', async (change, text) => {
    const shop = await createShop()
    const database = new DatabaseSync(join(shop.dir, 'claimgate.db'))
    database.exec(change)
    database.close()
    const before = readAll(shop)
    for (const argv of [...NEED_DATABASE, CLAIM]) {
      const { message } = await expectFailure(withEnvironment(shop, env), argv, [1, 'unavailable'])
      expect(message).toMatch(text)
    }
    expect(readAll(shop)).toEqual(before)
  })
})

describe('claim', () => {
  test('changes nothing in the database, although it makes the first signing keys', async () => {
    const shop = await createShop()
    const before = readDatabaseFiles(shop)
    await shop.claim()
    await shop.claim()
    expect(readDatabaseFiles(shop)).toEqual(before)
    expect(readdirSync(shop.dir).sort()).toEqual(['claimgate.db', 'keys'])
  })

  test('issues no token that lives longer than the database has recorded, which revocations would not cover', async () => {
    const shop = await createShop({ CLAIMGATE_MAX_TTL: '600', CLAIMGATE_TOKEN_TTL: '600' })
    const env = { CLAIMGATE_MAX_TTL: '7200', CLAIMGATE_TOKEN_TTL: '900', CLAIMGATE_ACCOUNT_TOKEN: shop.token }
    const before = readDatabaseFiles(shop)
    for (const argv of [CLAIM, [...CLAIM, '--expires-in', '601']]) {
      const { message } = await expectFailure(withEnvironment(shop, env), argv, [1, 'invalid_configuration'])
      expect(message).toContain('--expires-in 600')
    }
    expect(await shop.json([...CLAIM, '--expires-in', '600'], { env })).toMatchObject({ expiresIn: 600 })
    expect(readDatabaseFiles(shop)).toEqual(before)
  })
})

describe('what a command reads', () => {
  test('is named on stderr: the database, or the keys folder', async () => {
    const shop = await createShop()
    const token = await shop.claim()
    const database = shop.env.DATABASE_URL ?? ''
    const keys = shop.env.CLAIMGATE_KEYS_DIR ?? ''
    for (const argv of listReads(shop, token)) {
      const [name] = argv
      const readsKeys = name === 'inspect' || name === 'key'
      const expected = readsKeys ? `Keys folder: ${keys}\n` : `Database: ${database}\n`
      const text = await shop.run(argv)
      expect([argv, text.stderr]).toEqual([argv, expect.stringContaining(expected)])
      expect(text.stdout).not.toContain('Database:')
      const json = await shop.run([...argv, '--json'])
      const lines = json.stderr.split('\n').filter((line) => line.startsWith('{'))
      expect([argv, lines.map((line) => JSON.parse(line))]).toEqual([
        argv,
        [expect.objectContaining(readsKeys ? { keysFolder: keys } : { database })],
      ])
    }
    const failed = await expectFailure(shop, ['account', 'show', 'acct_nobody'], [1, 'not_found'])
    expect(failed).toMatchObject({ database })
  })

  test('is named as configured and in full when its path is relative', async () => {
    const shop = await createShop()
    const env = { DATABASE_URL: 'sqlite:claimgate.db', CLAIMGATE_KEYS_DIR: 'keys' }
    const list = await shop.start(['account', 'list'], { env })
    expect(list.stderr).toBe(`Database: sqlite:claimgate.db (${join(shop.dir, 'claimgate.db')})\n`)
    const keys = await shop.start(['key', 'list'], { env })
    expect(keys.stderr).toContain(`Keys folder: keys (${join(shop.dir, 'keys')})\n`)
  })

  test.each([
    [
      'postgres://app:hunter2@db.example:5433/claims?password=hunter2',
      'postgres://app@db.example:5433/claims',
    ],
    ['postgresql://db.example/claims', 'postgresql://db.example/claims'],
    ['memory:', 'memory:'],
  ])('%s is named without password and parameters', (url, name) => {
    const config = parseConfig({ DATABASE_URL: url, CLAIMGATE_MASTER_KEY: 'A'.repeat(43) })
    expect(describeDatabase(config)).toBe(name)
  })
})

describe('revocations that cannot be read', () => {
  test('are a warning on stderr of every command that needs them', async () => {
    const shop = await createShop()
    const token = await shop.claim()
    const database = new DatabaseSync(join(shop.dir, 'claimgate.db'))
    database.exec('ALTER TABLE revocations RENAME COLUMN value TO lost')
    database.close()
    const argvs = [
      ['explain', token, '--origin', ORIGIN],
      ['doctor', '-H', `Authorization: Bearer ${token}`],
      ['key', 'list'],
      ['account', 'update', shop.accountId, '--name', 'New'],
    ]
    for (const argv of argvs) {
      const { stderr } = await shop.run(argv)
      expect([argv, stderr]).toEqual([
        argv,
        expect.stringMatching(
          /^claimgate: revocations cannot be read; none are known: database file \S+ has other tables/m,
        ),
      ])
      const lines = (await shop.run([...argv, '--json'])).stderr.trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line).warning).join()).toContain('revocations cannot be read')
    }
    const claim = await shop.run([...CLAIM, '-'], { stdin: shop.token })
    expect([claim.code, claim.stdout]).toEqual([1, ''])
    expect(claim.stderr).toContain('revocations cannot be read')
  })
})

describe('openSqliteToRead on a database that no process has open', () => {
  test('rejects when another process has written to the file since it was opened', async () => {
    const shop = await createShop()
    const path = join(shop.dir, 'claimgate.db')
    const reader = openSqliteToRead(path)
    const query = { sql: 'SELECT name FROM accounts', parameters: [] }
    expect((await reader.run(query)).rows).toMatchObject([{ name: 'Shop' }])
    const writer = new DatabaseSync(path)
    writer.exec("UPDATE accounts SET name = 'Renamed'; PRAGMA wal_checkpoint(TRUNCATE)")
    writer.close()
    await expect(async () => reader.run(query)).rejects.toThrow(/was written to while it was read; try again/)
    await reader.close()
  })

  test('rejects statements that write', async () => {
    const shop = await createShop()
    const reader = openSqliteToRead(join(shop.dir, 'claimgate.db'))
    const before = readAll(shop)
    const query = { sql: "UPDATE accounts SET name = 'x'", parameters: [] }
    await expect(async () => reader.run(query)).rejects.toThrow(/is read-only/)
    await expect(async () => reader.batch([query])).rejects.toThrow(/is read-only/)
    await reader.close()
    expect(readAll(shop)).toEqual(before)
  })
})
