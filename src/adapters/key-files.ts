// Signing keys of a single machine: a folder (mode 0700) with one file for each (mode 0600).
// What touches several files is first written down in one intent file, and then done by whoever sees that: a process
// killed at any moment leaves either no intent or one that the next reader completes. First keys need no lock, since
// their intent only ever adds files; a change of keys is made, and completed, by one process at a time.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { SigningKeyChange, SigningKeyStore, StoredSigningKey } from '../signing/signing-key.ts'
import { withFolderLock } from './folder-lock.ts'
import { formatChange, formatKeys, parseChange, parseKeyFile, parseKeys } from './key-file.ts'
import {
  closeFolder,
  createFault,
  createFile,
  explainFaults,
  readNames,
  readPrivateFile,
  removeFile,
  removeLeftovers,
  replaceFile,
} from './private-files.ts'

const FIRST = /^\.first-(ES256|EdDSA|HS256)\.json$/
const CHANGE = '.change.json'
const OURS = /^\.|\.json$|^README\.md$/

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
    replace: (change) => explainFaults(dir, () => replaceKeys(dir, change)),
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
  if (!parseKeys(intent).ok) throw createUnfitKey()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await removeLeftovers(dir)
  const stored = await readKeys(dir)
  if (stored.some((key) => key.alg === first.alg)) return
  await createFile(dir, `.first-${first.alg}.json`, intent)
  await readKeys(dir)
}

async function replaceKeys(dir: string, change: SigningKeyChange): Promise<boolean> {
  const intent = formatChange(change)
  if (!parseChange(intent).ok) throw createUnfitKey()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await removeLeftovers(dir)
  // What others have left half done comes first; it may need the lock.
  await readKeys(dir)
  return withFolderLock(dir, async () => {
    await completeChange(dir)
    const stored = await readKeyFiles(dir, await readNames(dir))
    const isExpected = change.expect.every(({ kid, state }) =>
      stored.some((key) => key.kid === kid && key.state === state),
    )
    if (!isExpected) return false
    await createFile(dir, CHANGE, intent)
    await completeChange(dir)
    return true
  })
}

/** Reads every key, after completing what intents are there. */
async function readKeys(dir: string): Promise<readonly StoredSigningKey[]> {
  for (;;) {
    const isChanging = (await readNames(dir)).includes(CHANGE)
    const keys = isChanging
      ? await withFolderLock(dir, () => completeChange(dir).then(() => readStillKeys(dir)))
      : await readStillKeys(dir)
    if (keys !== undefined) return keys
  }
}

/** Every key, or undefined when a change was being made: parts of it may have been seen, and parts not. */
async function readStillKeys(dir: string): Promise<readonly StoredSigningKey[] | undefined> {
  // One look at the folder shows either all keys of an intent, or the intent itself.
  const names = await readNames(dir)
  const firsts = names.filter((name) => FIRST.test(name))
  for (const intent of firsts) await completeFirst(dir, intent)
  if (firsts.length > 0 || names.includes(CHANGE)) return undefined
  const keys = await readKeyFiles(dir, names)
  const namesAfter = await readNames(dir)
  if (namesAfter.some((name) => name === CHANGE || FIRST.test(name))) return undefined
  return isDeepStrictEqual(await readKeyFiles(dir, namesAfter), keys) ? keys : undefined
}

/**
 * Spells out the first keys of an intent, then removes it. An intent beside another key of its algorithm came too late
 * (its process looked before the other's keys were there) and is only removed.
 */
async function completeFirst(dir: string, intent: string): Promise<void> {
  const path = join(dir, intent)
  const text = await readPrivateFile(path)
  if (text === undefined) return
  const keys = parseKeys(text)
  if (!keys.ok) throw createFault(path, `${keys.reason}; delete it, it is left from a first start`)
  const kids = new Set(keys.value.map((key) => key.kid))
  const stored = await readKeyFiles(dir, await readNames(dir))
  const isLate = stored.some((key) => FIRST.exec(intent)?.[1] === key.alg && !kids.has(key.kid))
  if (!isLate) for (const key of keys.value) await createFile(dir, `${key.kid}.json`, formatKeys(key))
  await removeFile(dir, intent)
}

/** Makes the change that was decided, if one is left to be made. Only under the lock: it writes over files. */
async function completeChange(dir: string): Promise<void> {
  const path = join(dir, CHANGE)
  const text = await readPrivateFile(path)
  if (text === undefined) return
  const change = parseChange(text)
  if (!change.ok) {
    throw createFault(path, `${change.reason}; delete it and rotate again, it is left from a rotation`)
  }
  for (const key of change.value.put) await replaceFile(dir, `${key.kid}.json`, formatKeys(key))
  for (const kid of change.value.remove) await removeFile(dir, `${kid}.json`)
  await removeFile(dir, CHANGE)
}

async function readKeyFiles(dir: string, names: readonly string[]): Promise<readonly StoredSigningKey[]> {
  // A folder that holds other things is somebody else's too: its mode stays.
  if (names.length > 0 && names.every((name) => OURS.test(name))) await closeFolder(dir)
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

function createUnfitKey(): RangeError {
  return new RangeError('a key to be stored is not of the form this store reads')
}
