// One at a time in a folder, over all processes of a machine. The lock is the operating system's own, on an empty file
// (through SQLite, as Node has no call for it): it ends with the process that holds it, so none can stay behind.
// Who waits for it holds the turn, which is a lock too: who comes again at once finds that taken, and stands back.

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
 * Runs `work` while nobody else works in `dir`. `timeoutMs` is how long to wait at most (5000); 0 tries once. Rejects with
 * StorageError when that is over. In a folder that cannot be written, several may work at once, beside no writer.
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

/** Locks a file until the answer is closed. */
async function lockFile(name: string, deadline: number): Promise<DatabaseSync> {
  // An absolute path is never taken for `:memory:` or a `file:` URI.
  const path = resolve(name)
  const ownership = chooseLockOwnership(dirname(path))
  makeFile(path, ownership)
  // One that an earlier version has made as the superuser would keep the server's user out.
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
      // Nothing is ever written: without this there would be a journal file all the same.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      return
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)) throw error
      if (performance.now() >= deadline) {
        throw createFault(path, 'is held by another process; stop that process or try again')
      }
    }
    // Not SQLite's own wait: that would stop this whole process, and with it perhaps the holder.
    await setTimeout(RETRY_MS)
  }
}
