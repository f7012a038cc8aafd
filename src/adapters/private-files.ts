// Files for their owner alone (mode 0600), each whole and on disk before it has its name. Every fault becomes one line
// that names the file and says what to do, and never holds what is inside.

import { randomUUID } from 'node:crypto'
import { type FileHandle, link, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../storage/errors.ts'

const TEMPORARY = '.temporary-'
/** A temporary file is written within moments; an older one was left by a process that was killed. */
const TEMPORARY_LIFETIME_MS = 60_000

/** The names in a folder; none when there is no folder. */
export async function readNames(dir: string): Promise<readonly string[]> {
  return (await readdir(dir).catch(ignoreMissing)) ?? []
}

/** The text of a file, or undefined when it has just been removed. Modes that let others read are put right. */
export function readPrivateFile(path: string): Promise<string | undefined> {
  return explainFaults(path, () =>
    withFile(path, async (file) => {
      await closeToOthers(file, 0o600)
      return file.readFile('utf8')
    }).catch(ignoreMissing),
  )
}

/** Puts the mode of a folder right. */
export function closeFolder(dir: string): Promise<void> {
  return withFile(dir, (folder) => closeToOthers(folder, 0o700))
}

/** Creates a file whole and for good, or leaves the one that has its name: a link, unlike a rename, replaces nothing. */
export async function createFile(dir: string, name: string, text: string): Promise<void> {
  const temporary = await writeTemporary(dir, text)
  try {
    await link(temporary, join(dir, name)).catch(ignore('EEXIST'))
  } finally {
    await unlink(temporary)
  }
  await syncFolder(dir)
}

/** Creates a file whole and for good, in place of the one that has its name. */
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
  for (const name of (await readNames(dir)).filter((one) => one.startsWith(TEMPORARY))) {
    const path = join(dir, name)
    const age = Date.now() - ((await stat(path).catch(ignoreMissing))?.mtimeMs ?? Date.now())
    if (age > TEMPORARY_LIFETIME_MS) await unlink(path).catch(ignoreMissing)
  }
}

/** Turns what the system says into one line about `path`. */
export async function explainFaults<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    throw createFault(
      path,
      `cannot be read or written (${code}); check its owner, its mode and the disk`,
      error,
    )
  }
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
function syncFolder(dir: string): Promise<void> {
  return withFile(dir, (folder) => folder.sync())
}

/** A folder mounted read-only, or owned by another user, keeps the mode it was given. */
async function closeToOthers(file: FileHandle, mode: number): Promise<void> {
  const isOpen = ((await file.stat()).mode & 0o077) !== 0
  if (isOpen) await file.chmod(mode).catch(() => undefined)
}

/** Opens a file or folder for reading, and closes it again. */
async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'r')
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error
  }
}

function ignoreMissing(error: unknown): undefined {
  return ignore('ENOENT')(error)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
