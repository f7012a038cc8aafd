// Private files of the folder of signing keys. A file is written completely and synced to disk before it gets its name. An
// error becomes one line that names the file and says what to do, and contains nothing from the file.
// Reading is synchronous, because for a few small files that is faster than asynchronous calls.

import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { readErrorCode } from '../../lib/error-code.ts'
import { StorageError } from '../../storage/errors.ts'
import { applyOwnership, type Ownership } from './ownership.ts'

const TEMPORARY = '.temporary-'
/** A temporary file that is older was left by a process that was killed. */
const TEMPORARY_LIFETIME_MS = 60_000

/** The names of the files in a folder; none when there is no folder. */
export function readNames(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    ignoreMissing(error)
    return []
  }
}

/** The text of a file; undefined when it does not exist. Throws StorageError when it cannot be read. */
export function readPrivateFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (readErrorCode(error) === 'ENOENT') return undefined
    throw explainFault(path, error)
  }
}

/** Writes a file atomically and durably, replacing one of the same name; sets the ownership as far as permitted. */
export async function replaceFile(
  dir: string,
  name: string,
  text: string,
  ownership: Ownership,
): Promise<void> {
  const temporary = await writeTemporary(dir, text, ownership)
  await rename(temporary, join(dir, name))
  await syncFolder(dir)
}

/** Removes a file durably, if it exists. */
export async function removeFile(dir: string, name: string): Promise<void> {
  await unlink(join(dir, name)).catch(ignoreMissing)
  await syncFolder(dir)
}

/** Removes temporary files of processes that were killed: those older than a minute. */
export async function removeLeftovers(dir: string): Promise<void> {
  for (const name of readNames(dir).filter((one) => one.startsWith(TEMPORARY))) {
    const path = join(dir, name)
    const age = Date.now() - ((await stat(path).catch(ignoreMissing))?.mtimeMs ?? Date.now())
    if (age > TEMPORARY_LIFETIME_MS) await unlink(path).catch(ignoreMissing)
  }
}

/** Runs `work`. A system error becomes a StorageError with one line about `path`; other errors stay as they are. */
export async function explainFaults<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explainFault(path, error)
  }
}

function explainFault(path: string, error: unknown): unknown {
  if (error instanceof StorageError) return error
  const code = readErrorCode(error)
  if (code === undefined) return error
  const problem = `cannot be read or written (${code}); check its owner, its mode and the disk, or choose another CLAIMGATE_KEYS_DIR`
  return createFault(path, problem, error)
}

/** A StorageError whose message is one line about `path`. */
export function createFault(path: string, problem: string, cause?: unknown): StorageError {
  return new StorageError(`${path.replace(/\p{Cc}/gu, '?')}: ${problem}`, cause)
}

async function writeTemporary(dir: string, text: string, ownership: Ownership): Promise<string> {
  const path = join(dir, `${TEMPORARY}${randomUUID()}`)
  const file = await open(path, 'wx', 0o600)
  try {
    applyOwnership(file.fd, ownership)
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

/** Syncs the folder, so that new and removed names survive a power failure. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function ignoreMissing(error: unknown): undefined {
  if (readErrorCode(error) !== 'ENOENT') throw error
}
