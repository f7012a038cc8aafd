// Files for their owner alone (mode 0600), each whole and on disk before it has its name. Every fault becomes one line
// that names the file and says what to do, and never holds what is inside.
// Reading is synchronous: a few small files are read in less time than it takes to ask for each and be called back.

import { randomUUID } from 'node:crypto'
import { closeSync, fchmodSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../storage/errors.ts'

const TEMPORARY = '.temporary-'
/** A temporary file is written within moments; an older one was left by a process that was killed. */
const TEMPORARY_LIFETIME_MS = 60_000

/** The names in a folder; none when there is no folder. */
export function readNames(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    ignoreMissing(error)
    return []
  }
}

/** The text of a file, or undefined when it has just been removed. Modes that let others read are put right. */
export function readPrivateFile(path: string): string | undefined {
  try {
    return withOpened(path, (file) => {
      closeToOthers(file, 0o600)
      return readFileSync(file, 'utf8')
    })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw explainFault(path, error)
  }
}

/** Puts the mode of a folder right. */
export function closeFolder(dir: string): void {
  withOpened(dir, (folder) => closeToOthers(folder, 0o700))
}

/** Writes a file whole and for good, in place of the one that has its name. */
export async function replaceFile(dir: string, name: string, text: string): Promise<void> {
  const temporary = await writeTemporary(dir, text)
  await rename(temporary, join(dir, name))
  await syncFolder(dir)
}

/** Removes a file, if it is there, for good. */
export async function removeFile(dir: string, name: string): Promise<void> {
  await unlink(join(dir, name)).catch(ignoreMissing)
  await syncFolder(dir)
}

/** Removes what killed processes left half written. */
export async function removeLeftovers(dir: string): Promise<void> {
  for (const name of readNames(dir).filter((one) => one.startsWith(TEMPORARY))) {
    const path = join(dir, name)
    const age = Date.now() - ((await stat(path).catch(ignoreMissing))?.mtimeMs ?? Date.now())
    if (age > TEMPORARY_LIFETIME_MS) await unlink(path).catch(ignoreMissing)
  }
}

/** Does `work`; what the system says of it becomes one line about `path`. */
export async function explainFaults<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explainFault(path, error)
  }
}

function explainFault(path: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  const problem = `cannot be read or written (${code}); check its owner, its mode and the disk`
  return createFault(path, problem, error)
}

/** One line about `path`. */
export function createFault(path: string, problem: string, cause?: unknown): StorageError {
  return new StorageError(`${path.replace(/\p{Cc}/gu, '?')}: ${problem}`, cause)
}

async function writeTemporary(dir: string, text: string): Promise<string> {
  const path = join(dir, `${TEMPORARY}${randomUUID()}`)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await unlink(path)
    throw error
  } finally {
    await file.close()
  }
  return path
}

/** Makes names created in or removed from the folder survive a power cut. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A folder mounted read-only, or owned by another user, keeps the mode it was given. */
function closeToOthers(file: number, mode: number): void {
  if ((fstatSync(file).mode & 0o077) === 0) return
  try {
    fchmodSync(file, mode)
  } catch {
    // As said above.
  }
}

/** Opens a file or folder for reading, and closes it again. */
function withOpened<T>(path: string, use: (file: number) => T): T {
  const file = openSync(path, 'r')
  try {
    return use(file)
  } finally {
    closeSync(file)
  }
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
