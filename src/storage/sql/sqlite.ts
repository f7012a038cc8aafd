// SQLite in a file, through node:sqlite: synchronous, in WAL mode, synced to disk at every commit. Opening a file that
// cannot be written or is damaged fails with a message of one line that names the file.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { readErrorCode } from '../../lib/error-code.ts'
import { StorageError, type StorageErrorCode } from '../errors.ts'
import { sqliteDialect } from './dialect.ts'
import type { SqlEngine, SqlQuery, SqlResult } from './engine.ts'
import { createLockQueue, LOCK_TIMEOUT_MS, MAX_PAUSE_MS, runLocked } from './queue.ts'

/** Files up to this size are checked page by page when they are opened, which takes about a millisecond for each MiB. */
const QUICK_CHECK_MAX_BYTES = 256 * 1024 * 1024

const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11

const READ_ONLY = 'is read-only; let the server write to it and to its folder'

// What follows the name of the file in an error message: problem and advice, by SQLite's primary result code.
const FAULTS: Readonly<Record<number, string>> = {
  1: 'has other tables than those of claimgate, or lacks some; name another file',
  [SQLITE_BUSY]: 'is locked by another process; stop that process or try again',
  8: READ_ONLY,
  10: 'cannot be read or written; check the disk and its free space',
  [SQLITE_CORRUPT]: 'is corrupt; restore it from a backup',
  13: 'cannot grow, the disk is full; free some space',
  14: 'cannot be opened; check the path and its permissions',
  19: 'already has a record with this id, or lacks the record that it refers to',
  26: 'is not a SQLite database; move it away or name another file',
}

/** The code of the error by SQLite's primary result code; `unavailable` for all others. */
const CODES: Readonly<Record<number, StorageErrorCode>> = {
  1: 'incompatible',
  [SQLITE_CORRUPT]: 'damaged',
  19: 'conflict',
  26: 'damaged',
}

const THROUGH_A_FILE = 'cannot be made, a part of its path is a file; name another path'
/** Code of this module for a folder that cannot be made although the one above it exists. */
const NO_FOLDER = 'NO_FOLDER'
// The same, by error code of the file system and of the driver.
const FILE_FAULTS: Readonly<Record<string, string>> = {
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  EROFS: READ_ONLY,
  ENOTDIR: THROUGH_A_FILE,
  EEXIST: THROUGH_A_FILE,
  EISDIR: 'is not a file; name a file',
  ENOENT: 'does not exist; check DATABASE_URL, or create it: start the server, or make an account',
  ENOSPC: 'cannot be made, the disk is full; free some space',
  ESTALE: 'is not the file that was opened any more; restart the server',
  ETXTBSY: 'was written to while it was read; try again',
  [NO_FOLDER]: 'cannot be made, the system makes no folders there; name another path',
  ERR_INVALID_STATE: 'is closed',
}

/**
 * Opens the database in the file `path`; creates the file (mode 0600) and its folder (mode 0700) when they are missing.
 * Throws StorageError, with one line that names the path as given, when it is a folder, not a database, corrupt, read-only
 * or locked. In a file above 256 MiB, damage within a page is found only when that page is read.
 */
export function openSqlite(path: string): SqlEngine {
  // SQLite never reads an absolute path as `:memory:` or a `file:` URI.
  const file = resolve(path)
  attempt(path, () => prepareFile(file))
  // busy_timeout is 0, because SQLite's wait blocks the event loop; queue.ts retries instead.
  const database = attempt(path, () => new DatabaseSync(file, { timeout: 0 }))
  try {
    const requireSameFile = attempt(path, () => {
      retryWhileLocked(() => {
        configureConnection(database)
        checkDatabase(database, file)
      })
      return watchFile(file)
    })
    return createEngine(path, database, requireSameFile)
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Opens the database in the file `path` for reading. Creates no file, also none next to the database; a statement that
 * writes fails. Works in a read-only folder. Throws StorageError as `openSqlite` does, and when the file does not exist.
 * Not checked: whether pages are damaged.
 */
export function openSqliteToRead(path: string): SqlEngine {
  const file = resolve(path)
  return attempt(path, () => {
    if (!statSync(file).isFile()) throw createFault('EISDIR')
    // In WAL mode a read-only connection would create two files and leave them. If there is no WAL file, no process has
    // the database open, and SQLite can read it as immutable; `requireSameBytes` notices a process that writes later.
    const isIdle = !existsSync(`${file}-wal`)
    const requireSameBytes = watchBytes(file)
    const location = pathToFileURL(file)
    if (isIdle) location.search = '?immutable=1'
    const database = new DatabaseSync(location, { readOnly: true, timeout: 0 })
    const engine = createEngine(path, database, watchFile(file))
    return {
      dialect: engine.dialect,
      async run(query) {
        const result = await engine.run(query)
        if (isIdle) attempt(path, requireSameBytes)
        return result
      },
      batch: engine.batch,
      close: engine.close,
    }
  })
}

function createEngine(path: string, database: DatabaseSync, requireSameFile: () => void): SqlEngine {
  const prepared = new Map<string, { readonly statement: StatementSync; readonly isRead: boolean }>()

  function execute({ sql, parameters }: SqlQuery): SqlResult {
    let found = prepared.get(sql)
    if (!found) {
      const statement = database.prepare(sql)
      found = { statement, isRead: statement.columns().length > 0 }
      prepared.set(sql, found)
    }
    const values = parameters as SQLInputValue[]
    if (found.isRead) return { rows: found.statement.all(...values), changes: 0 }
    return { rows: [], changes: Number(found.statement.run(...values).changes) }
  }

  function transact(queries: readonly SqlQuery[]): readonly SqlResult[] {
    database.exec('BEGIN IMMEDIATE')
    try {
      const results = queries.map(execute)
      database.exec('COMMIT')
      return results
    } catch (error) {
      // When the disk is full, SQLite has already rolled back.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  function guard<T>(work: () => T): T {
    return attempt(path, () => {
      requireSameFile()
      return work()
    })
  }

  const inOrder = createLockQueue(isLocked)
  return {
    dialect: sqliteDialect,
    run: (query) => runLocked(() => guard(() => execute(query)), isLocked),
    batch: (queries) => inOrder(() => guard(() => transact(queries))),
    async close() {
      if (database.isOpen) attempt(path, () => database.close())
    },
  }
}

// An existing file is not opened here: closing it would drop the locks of other connections of this process.
function prepareFile(file: string): void {
  const folder = dirname(file)
  makeFolder(folder)
  // In WAL mode SQLite creates two more files in the folder.
  requireWritable(folder, statSync(folder))
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) createFile(file)
  else if (found.isFile()) requireWritable(file, found)
  else throw createFault('EISDIR')
}

/**
 * Makes a folder (mode 0700) and its missing parents. Not with `recursive: true`: where the system makes no folders, as in
 * `/proc`, Node then repeats the call without end.
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(folder, 0o700)
  } catch (error) {
    // Another process that starts at the same time may have made it.
    if (existsSync(folder)) return
    throw readErrorCode(error) === 'ENOENT' ? createFault(NO_FOLDER) : error
  }
}

// Checks the mode bits too, because root may write to a read-only file.
function requireWritable(file: string, stats: Stats): void {
  accessSync(file, constants.W_OK)
  if ((stats.mode & 0o222) === 0) throw createFault('EACCES')
}

function createFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    // Another process that starts at the same time has created it.
    if (readErrorCode(error) !== 'EEXIST') throw error
  }
}

/**
 * Returns a function that throws when there is another file, or none, at the path. SQLite would keep writing to a deleted
 * or replaced file, and committed writes would be lost at the next start.
 */
function watchFile(file: string): () => void {
  const opened = statSync(file, { bigint: true })
  return () => {
    const found = statSync(file, { bigint: true, throwIfNoEntry: false })
    if (found?.ino !== opened.ino || found.dev !== opened.dev) throw createFault('ESTALE')
  }
}

/** Returns a function that throws when the file has been written to in the meantime. */
function watchBytes(file: string): () => void {
  const { mtimeNs, size } = statSync(file, { bigint: true })
  return () => {
    const found = statSync(file, { bigint: true })
    if (found.mtimeNs !== mtimeNs || found.size !== size) throw createFault('ETXTBSY')
  }
}

function configureConnection(database: DatabaseSync): void {
  database.exec('PRAGMA journal_mode = WAL')
  // With FULL a committed write also survives a power failure, not only a crash of the process.
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA foreign_keys = ON')
}

/** Throws when the file is not a database, must not be written to, or (up to 256 MiB) has a damaged page. */
function checkDatabase(database: DatabaseSync, file: string): void {
  database.exec('SELECT count(*) FROM sqlite_master; BEGIN IMMEDIATE; ROLLBACK')
  if (statSync(file).size > QUICK_CHECK_MAX_BYTES) return
  const verdict = database.prepare('PRAGMA quick_check(1)').get()
  if (verdict?.quick_check !== 'ok') throw createFault(SQLITE_CORRUPT)
}

/** Runs `work`, and again while another process locks the file. Blocks the event loop, which only delays the start. */
function retryWhileLocked(work: () => void): void {
  const deadline = performance.now() + LOCK_TIMEOUT_MS
  for (;;) {
    try {
      work()
      return
    } catch (error) {
      if (readResultCode(error) !== SQLITE_BUSY || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * MAX_PAUSE_MS)
    }
  }
}

/** Runs `work`. Any error becomes a StorageError that names the path as given. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const place = `database file ${path.replace(/\p{Cc}/gu, '?')}`
    throw new StorageError(`${place} ${describeFault(error)}`, error, classifyFault(error))
  }
}

function describeFault(error: unknown): string {
  const result = readResultCode(error)
  if (result !== undefined) return FAULTS[result] ?? `failed with SQLite result ${result}`
  const code = readErrorCode(error) ?? 'unknown'
  return FILE_FAULTS[code] ?? `cannot be used (${code})`
}

function classifyFault(error: unknown): StorageErrorCode {
  if (readErrorCode(error) === 'ERR_INVALID_STATE') return 'closed'
  return CODES[readResultCode(error) ?? 0] ?? 'unavailable'
}

function isLocked(error: unknown): boolean {
  return error instanceof StorageError && readResultCode(error.cause) === SQLITE_BUSY
}

/** Creates an error for this module's own checks, with the code of a system error (text) or of SQLite (number). */
function createFault(code: string | number): Error {
  return Object.assign(new Error(String(code)), typeof code === 'string' ? { code } : { errcode: code })
}

/** SQLite's primary result code: the low byte of the extended one. */
function readResultCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' ? code & 0xff : undefined
}
