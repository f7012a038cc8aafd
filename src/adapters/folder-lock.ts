// One at a time in a folder, over all processes of a machine. The lock is the operating system's own, on an empty file
// (through SQLite, as Node has no call for it): it ends with the process that holds it, so none can stay behind.

import { chmod } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { createFault } from './private-files.ts'

const NAME = '.lock'
const TIMEOUT_MS = 5000
const RETRY_MS = 5
const SQLITE_BUSY = 5

/** Runs `work` while nobody else works in `dir`. Rejects with StorageError after five seconds of waiting. */
export async function withFolderLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  // An absolute path is never taken for `:memory:` or a `file:` URI.
  const path = resolve(join(dir, NAME))
  const database = new DatabaseSync(path)
  try {
    // By its name: opening and closing the file ourselves would drop locks that this process holds on it.
    await chmod(path, 0o600).catch(() => undefined)
    await acquireLock(database, path)
    return await work()
  } finally {
    database.close()
  }
}

async function acquireLock(database: DatabaseSync, path: string): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      return
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)) throw error
      if (performance.now() > deadline) {
        throw createFault(path, 'is held by another process; stop that process or try again')
      }
    }
    // Not SQLite's own wait: that would stop this whole process, and with it perhaps the holder.
    await setTimeout(RETRY_MS)
  }
}
