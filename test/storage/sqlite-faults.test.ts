// Faults of a SQLite file: files that openSqlite must refuse, a full disk, several processes, kill -9.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StorageError } from '../../src/storage/errors.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { addAccount, makeAudit } from '../support/records.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-faults-'))
  file = join(folder, 'claimgate.db')
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

async function openStorage(): Promise<Storage> {
  const engine = openSqlite(file)
  await migrateSchema(engine)
  return createSqlStorage(engine)
}

/** Writes a database of some dozens of pages and closes it. */
async function writeDatabase(): Promise<void> {
  const storage = await openStorage()
  for (let index = 0; index < 200; index++) await addAccount(storage, { name: 'x'.repeat(200) })
  await storage.close()
}

function overwrite(from: number, to: number): void {
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.fill(0xa5, from, Math.min(to, bytes.length)))
}

describe('the start stops at', () => {
  const faults: readonly [string, () => Promise<void> | void, RegExp][] = [
    ['a text file', () => writeFileSync(file, 'name,status\n'.repeat(500)), /not a SQLite database; move it/],
    ['a short text file', () => writeFileSync(file, 'hello'), /not a SQLite database; move it/],
    ['a folder', () => mkdirSync(file), /not a file; name a file/],
    [
      'a dangling link into a missing folder',
      () => symlinkSync(join(folder, 'no', 'such'), file),
      /cannot be opened; check the path/,
    ],
    [
      'a database whose header is overwritten',
      async () => {
        await writeDatabase()
        overwrite(0, 100)
      },
      /not a SQLite database/,
    ],
    [
      'a database whose schema is overwritten',
      async () => {
        await writeDatabase()
        overwrite(100, 4096)
      },
      /corrupt; restore/,
    ],
    [
      'a database with a page overwritten',
      async () => {
        await writeDatabase()
        overwrite(4096 * 9, 4096 * 10)
      },
      /corrupt; restore/,
    ],
    [
      'a database with all but its header overwritten',
      async () => {
        await writeDatabase()
        overwrite(100, Number.MAX_SAFE_INTEGER)
      },
      /corrupt; restore/,
    ],
    [
      'a database cut in half',
      async () => {
        await writeDatabase()
        truncateSync(file, statSync(file).size / 2)
      },
      /corrupt; restore/,
    ],
    [
      'a read-only file',
      async () => {
        await writeDatabase()
        chmodSync(file, 0o444)
      },
      /read-only; let the server write/,
    ],
    [
      'an empty read-only file',
      () => {
        writeFileSync(file, '')
        chmodSync(file, 0o400)
      },
      /read-only; let/,
    ],
    [
      'a read-only folder',
      async () => {
        await writeDatabase()
        chmodSync(folder, 0o500)
      },
      /read-only; let/,
    ],
  ]

  test.each(faults)(
    '%s, with one line that names the file, and does not change it',
    async (_name, spoil, expected) => {
      await spoil()
      const isFile = statSync(file, { throwIfNoEntry: false })?.isFile()
      const before = isFile ? readFileSync(file) : undefined
      const error = catchError(() => openSqlite(file))
      expect(error).toBeInstanceOf(StorageError)
      expect(error.message).toMatch(expected)
      expect(error.message).toContain(file)
      expect(error.message).not.toContain('\n')
      if (before) expect(readFileSync(file).equals(before)).toBe(true)
    },
  )

  test.each(['file/claimgate.db', 'file/deeper/claimgate.db'])('a path through a file: %s', (path) => {
    writeFileSync(join(folder, 'file'), '')
    const error = catchError(() => openSqlite(join(folder, path)))
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toBe(
      `database file ${join(folder, path)} cannot be made, a part of its path is a file; name another path`,
    )
  })

  test('a path with control characters, with one line that replaces them', () => {
    const error = catchError(() => openSqlite(`${file}\n\u0000`))
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toBe(`database file ${file}?? cannot be used (ERR_INVALID_ARG_VALUE)`)
  })

  test('a database that another process keeps locked', { timeout: 20_000 }, async () => {
    await writeDatabase()
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const error = catchError(() => openSqlite(file))
    other.close()
    expect(error.message).toMatch(/locked by another process/)
    await (await openStorage()).close()
  })
})

test('an empty file is accepted, and its mode is not changed', async () => {
  writeFileSync(file, '', { mode: 0o640 })
  const storage = await openStorage()
  await addAccount(storage)
  await storage.close()
  expect(statSync(file).mode & 0o777).toBe(0o640)
})

test('on a full disk writes are refused and rolled back, and reads still work', async () => {
  const engine = openSqlite(file)
  await migrateSchema(engine)
  const storage = createSqlStorage(engine)
  const made: Awaited<ReturnType<typeof addAccount>>[] = [await addAccount(storage)]
  const limitPages = (limit: string) =>
    engine.run({ sql: `PRAGMA max_page_count = ${limit}`, parameters: [] })
  const { rows } = await engine.run({ sql: 'PRAGMA page_count', parameters: [] })
  await limitPages(String(Number(rows[0]?.page_count) + 2))

  let error: unknown
  for (let tries = 0; tries < 500 && !error; tries++) {
    await addAccount(storage, { name: 'x'.repeat(200) }).then(
      (added) => made.push(added),
      (fault: unknown) => {
        error = fault
      },
    )
  }
  expect(error).toBeInstanceOf(StorageError)
  expect((error as Error).message).toBe(
    `database file ${file} cannot grow, the disk is full; free some space`,
  )
  await expect(storage.appendAudit(makeAudit({ target: 'x'.repeat(10_000) }))).rejects.toThrow(StorageError)

  await storage.ping()
  for (const { account, credential } of made) {
    expect(await storage.findCredential(credential.id)).toEqual({ account, credential })
  }
  expect(await storage.listAccounts(undefined, 1000)).toHaveLength(made.length)
  expect(await storage.listAudit(undefined, 1000)).toHaveLength(made.length)

  // There is space again: writes succeed without a restart.
  await limitPages('1000000')
  made.push(await addAccount(storage))
  expect(await storage.listAccounts(undefined, 1000)).toHaveLength(made.length)
  await storage.close()
})

/** Starts a process that holds the write lock of `file` for half a second. It does not change the journal mode of the file. */
async function holdLock(): Promise<{ end: Promise<unknown[]> }> {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(process.argv[1])
    database.exec('CREATE TABLE IF NOT EXISTS other (id TEXT); BEGIN IMMEDIATE; INSERT INTO other VALUES (1)')
    process.stdout.write('locked')
    setTimeout(() => { database.exec('COMMIT'); database.close() }, 500)`
  const child = spawn(process.execPath, ['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return { end: once(child, 'exit') }
}

test('a write waits while another process holds the lock', async () => {
  const storage = await openStorage()
  const { end } = await holdLock()
  await addAccount(storage)
  expect(await storage.listAccounts(undefined, 50)).toHaveLength(1)
  expect(await end).toEqual([0, null])
  await storage.close()
})

test('the first start waits for the lock too, before the file is in WAL mode', async () => {
  const { end } = await holdLock()
  const storage = await openStorage()
  await addAccount(storage)
  expect(await end).toEqual([0, null])
  await storage.close()
})

function startWriter(prefix: string, count: number) {
  const script = fileURLToPath(new URL('writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, prefix, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => acknowledged.push(line))
  const end = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(
    ([[code]]) => code as number | null,
  )
  return { child, acknowledged, lines, end }
}

async function expectWhole(acknowledged: readonly string[]): Promise<void> {
  const storage = await openStorage()
  const accounts = await storage.listAccounts(undefined, 100_000)
  const ids = new Set(accounts.map(({ id }) => id))
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  // A write that was not acknowledged is stored completely (account, credential, origin, audit entry) or not at all.
  const audit = new Set((await storage.listAudit(undefined, 100_000)).map(({ target }) => target))
  expect(audit).toEqual(ids)
  for (const id of ids) {
    expect((await storage.findCredential(`cred-${id}`))?.account.id).toBe(id)
    expect(await storage.isAnyOriginListed([`https://${id}.example`])).toBe(true)
  }
  await storage.close()
}

test('three processes that create the file together and write together lose no record', async () => {
  const writers = ['a', 'b', 'c'].map((prefix) => startWriter(prefix, 300))
  expect(await Promise.all(writers.map(({ end }) => end))).toEqual([0, 0, 0])
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  expect(acknowledged).toHaveLength(900)
  await expectWhole(acknowledged)
})

test('kill -9 at any moment, 20 times, loses no acknowledged record', async () => {
  const acknowledged: string[] = []
  for (let round = 0; round < 20; round++) {
    const writer = startWriter(`r${round}-`, 1_000_000)
    // Each round kills the process after another number of acknowledgements.
    const target = 1 + round * 3
    await new Promise<void>((resolve, reject) => {
      writer.lines.on('line', () => writer.acknowledged.length >= target && resolve())
      writer.lines.on('close', () => reject(new Error('the writing process exited by itself')))
    })
    writer.child.kill('SIGKILL')
    expect(await writer.end).toBeNull()
    expect(writer.acknowledged.length).toBeGreaterThanOrEqual(target)
    acknowledged.push(...writer.acknowledged)
  }
  await expectWhole(acknowledged)
})

test.each(Array.from({ length: 10 }, (_, index) => index * 3))(
  'after kill -9 of a first start, %i ms after its file appeared, the next start succeeds',
  async (delay) => {
    const writer = startWriter('first', 1_000_000)
    while (!existsSync(file) && writer.child.exitCode === null) await setTimeout(1)
    await setTimeout(delay)
    writer.child.kill('SIGKILL')
    expect(await writer.end).toBeNull()
    await expectWhole(writer.acknowledged)
  },
)

function catchError(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
