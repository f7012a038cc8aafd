// A SQLite file that another process locks, deletes or replaces while it is open: the event loop is never blocked, and
// no write is acknowledged that the next start would not find.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StorageError } from '../../src/storage/errors.ts'
import type { SqlEngine, SqlQuery } from '../../src/storage/sql/engine.ts'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { addAccount } from '../support/records.ts'

const query = (sql: string, ...parameters: unknown[]): SqlQuery => ({ sql, parameters })
const insert = (id: string) => query('INSERT INTO things VALUES (?)', id)
const ALL = query('SELECT id FROM things ORDER BY rowid')

let folder: string
let file: string
let engine: SqlEngine
let other: DatabaseSync
let children: ChildProcess[]
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-locks-'))
  file = join(folder, 'claimgate.db')
  engine = openSqlite(file)
  await engine.run(query('CREATE TABLE things (id TEXT PRIMARY KEY)'))
  other = new DatabaseSync(file)
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  if (other.isOpen) other.close()
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const lock = () => other.exec('BEGIN IMMEDIATE')
const release = () => other.exec('COMMIT')

async function readIds(of: SqlEngine = engine): Promise<readonly unknown[]> {
  return (await of.run(ALL)).rows.map(({ id }) => id)
}

/**
 * Starts a timer of 10 ms. The returned function stops it and returns the share of the time (0 to 1) that was spent in pauses
 * of more than 100 ms. It does not return the longest pause, because a busy machine has a long one now and then.
 */
function watchPace(): () => number {
  const began = performance.now()
  let last = began
  let lost = 0
  const tick = () => {
    const pause = performance.now() - last
    if (pause > 100) lost += pause
    last += pause
  }
  const timer = setInterval(tick, 10)
  return () => {
    tick()
    clearInterval(timer)
    return lost / (last - began)
  }
}

const LOCKED = /^database file .*claimgate\.db is locked by another process; stop that process or try again$/

describe('while another connection writes', () => {
  test('for three seconds the event loop runs and look-ups are answered; then the write succeeds', async () => {
    lock()
    const stop = watchPace()
    const written = Promise.resolve(engine.batch([insert('a')]))
    for (let times = 0; times < 30; times++) {
      await setTimeout(100)
      expect(await engine.run(ALL)).toEqual({ rows: [], changes: 0 })
    }
    // Measured before the write, because a commit waits for the disk.
    expect(stop()).toBeLessThan(0.5)
    release()
    const released = performance.now()
    expect(await written).toEqual([{ rows: [], changes: 1 }])
    expect(performance.now() - released).toBeLessThan(1000)
    expect(await readIds()).toEqual(['a'])
  })

  test('each write waits five seconds of its own and then rejects', async () => {
    lock()
    const stop = watchPace()
    const began = performance.now()
    const first = expect(async () => engine.batch([insert('a')])).rejects.toThrow(LOCKED)
    await setTimeout(1000)
    const second = expect(async () => engine.batch([insert('b')])).rejects.toThrow(LOCKED)
    await setTimeout(1000)
    const third = engine.batch([insert('c')])
    await first
    const firstMs = performance.now() - began
    await second
    const secondMs = performance.now() - began
    expect(stop()).toBeLessThan(0.5)
    release()
    await third
    // A timer may fire a millisecond early.
    for (const [ms, least] of [
      [firstMs, 4990],
      [secondMs, 5990],
    ] as const) {
      expect(ms).toBeGreaterThan(least)
      expect(ms).toBeLessThan(least + 900)
    }
    expect(await readIds()).toEqual(['c'])
  }, 10_000)

  test('single statements and migrations wait in the same way', async () => {
    lock()
    const stop = watchPace()
    const work = [engine.run(insert('a')), migrateSchema(engine)]
    await setTimeout(500)
    expect(stop()).toBeLessThan(0.5)
    release()
    await Promise.all(work)
    expect(await readIds()).toEqual(['a'])
    await createSqlStorage(engine).ping()
  })

  test('writes keep their order, also those that come when the lock is released', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `n${String(index).padStart(2, '0')}`)
    lock()
    const early = names.slice(0, 20).map((name) => engine.batch([insert(name)]))
    await setTimeout(50)
    release()
    const late = names.slice(20).map((name) => engine.batch([insert(name)]))
    await Promise.all([...early, ...late])
    expect(await readIds()).toEqual(names)
  })

  test('a write that fails does not delay the next', async () => {
    lock()
    const outcomes = Promise.allSettled(
      [insert('a'), insert('a'), query('no such statement'), insert('b')].map((one) => engine.batch([one])),
    )
    await setTimeout(50)
    release()
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
    expect(await readIds()).toEqual(['a', 'b'])
  })

  test('closing rejects all waiting work immediately', async () => {
    lock()
    const work = [engine.batch([insert('a')]), engine.batch([insert('b')]), engine.run(insert('c'))]
    const outcomes = Promise.allSettled(work)
    await setTimeout(50)
    const closed = performance.now()
    await engine.close()
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StorageError) })
      expect(outcome).toMatchObject({ reason: { message: expect.stringMatching(/is closed$/) } })
    }
    expect(performance.now() - closed).toBeLessThan(200)
    release()
    expect(other.prepare(ALL.sql).all()).toEqual([])
  })

  test('when the lock is free, a write is committed before batch returns its promise', async () => {
    const countRows = () => other.prepare('SELECT count(*) AS count FROM things').get()?.count
    const first = engine.batch([insert('a')])
    expect(countRows()).toBe(1)
    await first
    lock()
    const waited = engine.batch([insert('b')])
    expect(countRows()).toBe(1)
    release()
    await waited
    await setTimeout(0)
    const last = engine.batch([insert('c')])
    expect(countRows()).toBe(3)
    await last
  })
})

function startWriter(prefix: string, count: number): ChildProcess {
  const script = fileURLToPath(new URL('writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, prefix, String(count)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  children.push(child)
  return child
}

test('two processes that write 500 accounts each lose none, and no write times out', async () => {
  const ends = ['a', 'b'].map((prefix) => once(startWriter(prefix, 500), 'exit'))
  // A write that timed out would make its process exit with 1.
  expect(await Promise.all(ends)).toEqual([
    [0, null],
    [0, null],
  ])
  expect(await createSqlStorage(engine).listAccounts(undefined, 2000)).toHaveLength(1000)
}, 30_000)

test('a process that writes without a pause does not lock others out', async () => {
  startWriter('a', 1_000_000)
  await migrateSchema(engine)
  const storage = createSqlStorage(engine)
  while ((await storage.listAccounts(undefined, 1)).length === 0) await setTimeout(10)
  // A write that never got the lock in five seconds would reject.
  for (let index = 0; index < 50; index++) {
    await engine.batch([insert(`${index}`)])
    await setTimeout(10)
  }
  expect(await readIds()).toHaveLength(50)
}, 30_000)

describe('a file that is replaced or deleted while it is open', () => {
  const GONE = /^database file .*claimgate\.db is not the file that was opened any more; restart the server$/

  const ways: readonly [string, () => void][] = [
    ['deleted', () => unlinkSync(file)],
    ['deleted with its folder', () => rmSync(folder, { recursive: true })],
    ['moved away', () => renameSync(file, `${file}.old`)],
    [
      'replaced by a copy of itself',
      () => {
        copyFileSync(file, `${file}.copy`)
        renameSync(`${file}.copy`, file)
      },
    ],
    [
      'replaced by a link to another',
      () => {
        copyFileSync(file, `${file}.copy`)
        unlinkSync(file)
        symlinkSync(`${file}.copy`, file)
      },
    ],
  ]
  test.each(ways)(
    '%s: every write and look-up is refused, and the store is not ready',
    async (_name, spoil) => {
      await migrateSchema(engine)
      const storage = createSqlStorage(engine)
      const { credential } = await addAccount(storage)
      other.close()
      spoil()
      await expect(addAccount(storage)).rejects.toThrow(GONE)
      await expect(addAccount(storage)).rejects.toThrow(StorageError)
      await expect(storage.ping()).rejects.toThrow(GONE)
      await expect(storage.findCredential(credential.id)).rejects.toThrow(GONE)
      await storage.close()
    },
  )

  test('when the file is put back, reads and writes work again', async () => {
    renameSync(file, `${file}.old`)
    await expect(async () => engine.batch([insert('a')])).rejects.toThrow(GONE)
    renameSync(`${file}.old`, file)
    await engine.batch([insert('b')])
    expect(await readIds()).toEqual(['b'])
  })

  test('a write that waits for a lock rejects too', async () => {
    lock()
    const written = expect(async () => engine.batch([insert('a')])).rejects.toThrow(GONE)
    await setTimeout(50)
    unlinkSync(file)
    release()
    await written
  })

  test('a file opened through a link is watched at the target of the link', async () => {
    const link = join(folder, 'link.db')
    symlinkSync(file, link)
    const linked = openSqlite(link)
    await linked.batch([insert('a')])
    expect(await readIds()).toEqual(['a'])
    await linked.close()
  })
})
