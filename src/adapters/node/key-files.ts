// Signing keys of one machine: a folder with one file per key. A new file gets owner, group and mode of the existing
// key files; in an empty folder, the folder's owner and group and mode 0600. Modes of existing files are not changed.
// A change of several keys is first written to one intent file, and is in force as soon as that file exists. Then the key
// files are written. If the process is killed in between, readers apply the intent in memory, and the next writer
// completes it.
// One process writes at a time, under the folder's lock. Reading needs neither a lock nor a writable folder, unless
// other processes change the folder faster than it can be read.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { SigningKeyChange, SigningKeyStore, StoredSigningKey } from '../../signing/signing-key.ts'
import { withFolderLock } from './folder-lock.ts'
import { type DecidedChange, formatChange, formatKeyFile, parseChange, parseKeyFile } from './key-file.ts'
import {
  chooseSecretOwnership,
  isOpenToOthers,
  makeFolder,
  type Ownership,
  readOwnership,
} from './ownership.ts'
import {
  createFault,
  explainFaults,
  readNames,
  readPrivateFile,
  removeFile,
  removeLeftovers,
  replaceFile,
} from './private-files.ts'

const CHANGE = '.change.json'
const KEY = /^[^.].*\.json$/s
/** Most reads of the folder without the lock, until two in a row are equal. After that it is read under the lock. */
const MAX_READS = 4

/**
 * The key files in `dir`, which is created by the first write. Files that are not called `<kid>.json` are ignored. With
 * `production` a key whose kid starts with `dev-` is refused.
 *
 * Every method rejects with StorageError. Its one line names the file or folder and says what to do; it contains no key
 * material.
 */
export function createFileKeyStore(dir: string, options: { readonly production: boolean }): SigningKeyStore {
  return {
    list: () => explainFaults(dir, () => listKeys(dir, options.production)),
    initialize: (keys) => explainFaults(dir, () => initializeKeys(dir, keys)),
    replace: (change) => explainFaults(dir, () => replaceKeys(dir, change)),
  }
}

/** A warning when group or others may write the folder; undefined otherwise, or when there is no folder. */
export function findOpenFolder(dir: string): string | undefined {
  if (!isOpenToOthers(dir)) return undefined
  return `${dir}: users other than its owner may write to this folder, and so add signing keys; forbid that (chmod go-w)`
}

async function listKeys(dir: string, production: boolean): Promise<readonly StoredSigningKey[]> {
  const texts = await readTexts(dir)
  // Fails while another process holds the lock, or in a read-only folder. That is ignored, because parseTexts applies the
  // intent in memory.
  if (texts.has(CHANGE)) await withFolderLock(dir, () => completeChange(dir), 0).catch(() => undefined)
  const keys = parseTexts(dir, texts)
  const developmentKey = production ? keys.find((key) => key.kid.startsWith('dev-')) : undefined
  if (developmentKey === undefined) return keys
  throw createFault(
    join(dir, `${developmentKey.kid}.json`),
    'is a development key; move it out of the folder',
  )
}

async function initializeKeys(dir: string, keys: readonly StoredSigningKey[]): Promise<void> {
  const [first] = keys
  if (first === undefined) return
  await makeChange(dir, { put: keys, remove: [] }, (stored) => stored.every(({ alg }) => alg !== first.alg))
}

async function replaceKeys(dir: string, { expect, ...change }: SigningKeyChange): Promise<boolean> {
  // A missing folder has none of the expected keys, and must not be created.
  if (expect.length > 0 && readNames(dir).length === 0) return false
  return makeChange(dir, change, (stored) =>
    expect.every(({ kid, state }) => stored.some((key) => key.kid === kid && key.state === state)),
  )
}

/** Makes a change durably and returns true if `isAllowed` accepts the stored keys; otherwise returns false. */
async function makeChange(
  dir: string,
  change: DecidedChange,
  isAllowed: (stored: readonly StoredSigningKey[]) => boolean,
): Promise<boolean> {
  const intent = formatChange(change)
  if (!parseChange(intent).ok) throw new RangeError('a key to store has a form that this store cannot read')
  makeFolder(dir)
  return withFolderLock(dir, async () => {
    await removeLeftovers(dir)
    await completeChange(dir)
    if (!isAllowed(parseTexts(dir, readFolder(dir)))) return false
    await replaceFile(dir, CHANGE, intent, chooseFileOwnership(dir, CHANGE))
    await completeChange(dir)
    return true
  })
}

/** Writes the change of the intent file, if there is one, to the key files. Only under the folder's lock. */
async function completeChange(dir: string): Promise<void> {
  const text = readPrivateFile(join(dir, CHANGE))
  if (text === undefined) return
  const { put, remove } = parseIntent(dir, text)
  for (const key of put) {
    const name = `${key.kid}.json`
    await replaceFile(dir, name, formatKeyFile(key), chooseFileOwnership(dir, name))
  }
  for (const kid of remove) await removeFile(dir, `${kid}.json`)
  await removeFile(dir, CHANGE)
}

/** The ownership for a file: that of the file it replaces, else of any key file, else the default for this folder. */
function chooseFileOwnership(dir: string, name: string): Ownership {
  const keys = readNames(dir).filter((one) => KEY.test(one))
  for (const one of [name, ...keys]) {
    const found = readOwnership(join(dir, one))
    if (found !== undefined) return found
  }
  return chooseSecretOwnership(dir)
}

/** Texts of the key files and the intent file by name; undefined for a file that was removed while reading. */
type Texts = ReadonlyMap<string, string | undefined>

/**
 * A consistent state of the folder. No file ever gets an earlier text again (states of keys only advance, and a kid is not
 * used again), so nothing changed between two equal reads.
 */
async function readTexts(dir: string): Promise<Texts> {
  let last = readFolder(dir)
  for (let reads = 1; reads < MAX_READS; reads += 1) {
    const texts = readFolder(dir)
    // Two reads with a removed file may be equal by chance: it may be a different file in each.
    if (isDeepStrictEqual(texts, last) && ![...texts.values()].includes(undefined)) return texts
    last = texts
  }
  return withFolderLock(dir, async () => readFolder(dir))
}

/** Reads all files synchronously, which takes less than a millisecond. */
function readFolder(dir: string): Texts {
  const names = readNames(dir)
  const ours = names.filter((name) => name === CHANGE || KEY.test(name))
  return new Map(ours.map((name) => [name, readPrivateFile(join(dir, name))]))
}

/** The keys with the intent applied. */
function parseTexts(dir: string, texts: Texts): readonly StoredSigningKey[] {
  const intent = texts.get(CHANGE)
  const { put, remove } = intent === undefined ? { put: [], remove: [] } : parseIntent(dir, intent)
  const keys = new Map(put.map((key) => [key.kid, key]))
  for (const [name, text] of texts) {
    const kid = name.slice(0, -'.json'.length)
    if (name !== CHANGE && text !== undefined && !keys.has(kid)) keys.set(kid, parseKey(dir, name, kid, text))
  }
  for (const kid of remove) keys.delete(kid)
  return [...keys.values()]
}

function parseKey(dir: string, name: string, kid: string, text: string): StoredSigningKey {
  const key = parseKeyFile(text, kid)
  if (key.ok) return key.value
  throw createFault(join(dir, name), `${key.reason}; restore it from a backup or move it out of the folder`)
}

function parseIntent(dir: string, text: string): DecidedChange {
  const change = parseChange(text)
  if (change.ok) return change.value
  throw createFault(
    join(dir, CHANGE),
    `${change.reason}; delete it: it was left by a change that was interrupted`,
  )
}
