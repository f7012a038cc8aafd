// A lock on a folder for all processes of a machine: a file lock of the operating system on an empty file, which is
// released when its process ends. It is taken through SQLite, because Node has no function for file locks. A second
// lock, the turn, is held while waiting for the first, so that a process that locks the folder repeatedly cannot keep
// the others out.

import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { adjustOwnership, chooseLockOwnership, makeFile } from './ownership.ts'
import { createFault } from './private-files.ts'

const LOCK = '.lock'
const TURN = '.turn'
const TIMEOUT_MS = 5000
const RETRY_MS = 5
const SQLITE_BUSY = 5

/**
 * Runs `work` while no other process holds the lock of `dir`. Waits for up to `timeoutMs` (default 5000; 0 tries once), then
 * rejects with StorageError. In a read-only folder several processes may work at the same time, but none that writes.
 */
export async function withFolderLock<T>(
  dir: string,
  work: () => Promise<T>,
  timeoutMs: number = TIMEOUT_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  const turn = await lockFile(join(dir, TURN), deadline)
  const lock = await lockFile(join(dir, LOCK), deadline).finally(() => turn.close())
  try {
    return await work()
  } finally {
    lock.close()
  }
}

/** Locks a file until the returned database is closed. */
async function lockFile(name: string, deadline: number): Promise<DatabaseSync> {
  // SQLite never reads an absolute path as `:memory:` or a `file:` URI.
  const path = resolve(name)
  const ownership = chooseLockOwnership(dirname(path))
  makeFile(path, ownership)
  // An earlier version may have created the file as the superuser; the server's user could not lock it.
  adjustOwnership(path, ownership)
  const database = new DatabaseSync(path)
  try {
    await acquireLock(database, path, deadline)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

async function acquireLock(database: DatabaseSync, path: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      // Nothing is written, but in the default mode SQLite would create a journal file.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      return
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)) throw error
      if (performance.now() >= deadline) {
        throw createFault(path, 'is held by another process; stop that process or try again')
      }
    }
    // SQLite's own wait would block the event loop of this process, which may be the one that holds the lock.
    await setTimeout(RETRY_MS)
  }
}
