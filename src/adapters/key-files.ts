// Signing keys of a single machine: a folder (mode 0700) with one file for each (mode 0600).
// The first keys of an algorithm are made all or nothing: they are first written down together in one intent file,
// which only one process can create, and then spelled out by whoever sees it. A process killed at any moment leaves
// either no intent or one that the next reader completes; there is no lock that could stay behind.

import { randomUUID } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { SigningKeyStore, StoredSigningKey } from '../signing/signing-key.ts'
import { StorageError } from '../storage/errors.ts'
import { formatKeys, parseKeyFile, parseKeys } from './key-file.ts'

const INTENT = /^\.first-(ES256|EdDSA|HS256)\.json$/
const OURS = /^\.|\.json$|^README\.md$/
const TEMPORARY = '.temporary-'
/** A temporary file is written within moments; an older one was left by a process that was killed. */
const TEMPORARY_LIFETIME_MS = 60_000

/**
 * Opens the key files in `dir`; the folder is made when first needed. Files not called `<kid>.json` are left alone.
 * Modes that let others read are put right. With `production` a key whose kid starts with `dev-` is refused.
 *
 * Every fault rejects with a StorageError whose one line names the file or folder and says what to do,
 * and never holds key material.
 */
export function createFileKeyStore(dir: string, options: { readonly production: boolean }): SigningKeyStore {
  return {
    list: () => explainFaults(dir, () => listKeys(dir, options.production)),
    initialize: (keys) => explainFaults(dir, () => initializeKeys(dir, keys)),
  }
}

async function listKeys(dir: string, production: boolean): Promise<readonly StoredSigningKey[]> {
  const keys = await readKeys(dir)
  const unfit = production ? keys.find((key) => key.kid.startsWith('dev-')) : undefined
  if (unfit === undefined) return keys
  throw createFault(join(dir, `${unfit.kid}.json`), 'is a development key; move it out of the folder')
}

async function initializeKeys(dir: string, keys: readonly StoredSigningKey[]): Promise<void> {
  const [first] = keys
  if (first === undefined) return
  const intent = formatKeys(keys)
  if (!parseKeys(intent).ok) throw new RangeError('a key to be stored is not of the form this store reads')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await removeLeftovers(dir)
  const stored = await readKeys(dir)
  if (stored.some((key) => key.alg === first.alg)) return
  await createFile(dir, `.first-${first.alg}.json`, intent)
  await readKeys(dir)
}

/** Reads every key, after completing what intents are there. */
async function readKeys(dir: string): Promise<readonly StoredSigningKey[]> {
  // One look at the folder shows either all keys of an intent, or the intent itself.
  const names = await readNames(dir)
  const intents = names.filter((name) => INTENT.test(name))
  if (intents.length > 0) {
    for (const intent of intents) await completeIntent(dir, intent)
    return readKeys(dir)
  }
  return readKeyFiles(dir, names)
}

/**
 * Spells out the keys of an intent, then removes it. An intent beside another key of its algorithm came too late
 * (its process looked before the other's keys were there) and is only removed.
 */
async function completeIntent(dir: string, intent: string): Promise<void> {
  const path = join(dir, intent)
  const text = await readPrivateFile(path)
  if (text === undefined) return
  const keys = parseKeys(text)
  if (!keys.ok) throw createFault(path, `${keys.reason}; delete it, it is left from a first start`)
  const kids = new Set(keys.value.map((key) => key.kid))
  const stored = await readKeyFiles(dir, await readNames(dir))
  const isLate = stored.some((key) => INTENT.exec(intent)?.[1] === key.alg && !kids.has(key.kid))
  if (!isLate) for (const key of keys.value) await createFile(dir, `${key.kid}.json`, formatKeys(key))
  await unlink(path).catch(ignoreMissing)
  await syncFolder(dir)
}

async function readNames(dir: string): Promise<readonly string[]> {
  return (await readdir(dir).catch(ignoreMissing)) ?? []
}

async function readKeyFiles(dir: string, names: readonly string[]): Promise<readonly StoredSigningKey[]> {
  // A folder that holds other things is somebody else's too: its mode stays.
  if (names.length > 0 && names.every((name) => OURS.test(name)))
    await withFile(dir, (folder) => closeToOthers(folder, 0o700))
  const keys: StoredSigningKey[] = []
  for (const name of names) {
    if (name.startsWith('.') || !name.endsWith('.json')) continue
    const text = await readPrivateFile(join(dir, name))
    if (text === undefined) continue
    const key = parseKeyFile(text, name.slice(0, -'.json'.length))
    if (!key.ok) {
      throw createFault(
        join(dir, name),
        `${key.reason}; restore it from a backup or move it out of the folder`,
      )
    }
    keys.push(key.value)
  }
  return keys
}

/** The text of a file, or undefined when it has just been removed. */
function readPrivateFile(path: string): Promise<string | undefined> {
  return explainFaults(path, () =>
    withFile(path, async (file) => {
      await closeToOthers(file, 0o600)
      return file.readFile('utf8')
    }).catch(ignoreMissing),
  )
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

/** Creates a file whole and for good, or leaves the one that has its name: a link, unlike a rename, replaces nothing. */
async function createFile(dir: string, name: string, text: string): Promise<void> {
  const temporary = join(dir, `${TEMPORARY}${randomUUID()}`)
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await link(temporary, join(dir, name)).catch(ignore('EEXIST'))
  } finally {
    await file.close()
    await unlink(temporary)
  }
  await syncFolder(dir)
}

/** Makes names created in or removed from the folder survive a power cut. */
function syncFolder(dir: string): Promise<void> {
  return withFile(dir, (folder) => folder.sync())
}

async function removeLeftovers(dir: string): Promise<void> {
  for (const name of (await readNames(dir)).filter((one) => one.startsWith(TEMPORARY))) {
    const path = join(dir, name)
    const age = Date.now() - ((await stat(path).catch(ignoreMissing))?.mtimeMs ?? Date.now())
    if (age > TEMPORARY_LIFETIME_MS) await unlink(path).catch(ignoreMissing)
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

/** Turns what the system says into one line about `path`. */
async function explainFaults<T>(path: string, work: () => Promise<T>): Promise<T> {
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

function createFault(path: string, problem: string, cause?: unknown): StorageError {
  return new StorageError(`${path.replace(/\p{Cc}/gu, '?')}: ${problem}`, cause)
}
