// Signing keys of a single machine: a folder with one file for each. What is written takes owner, group and mode of the
// key files that are there (in an empty folder: the folder's owner and mode 0600); modes that are there stay.
// A change touches several files: it is first written down in one intent file, in force from then on, and then made. A
// process killed at any moment leaves no intent, or one that readers take for made, and that the next process makes.
// Writing is for one process at a time, under the folder's lock. Reading needs no lock and no writable folder, unless
// others change the folder faster than it can be read.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { SigningKeyChange, SigningKeyStore, StoredSigningKey } from '../../signing/signing-key.ts'
import { withFolderLock } from './folder-lock.ts'
import { type DecidedChange, formatChange, formatKeys, parseChange, parseKeyFile } from './key-file.ts'
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
/** Looks at a folder, until two in a row are the same, before the lock has to make it stand still. */
const MAX_LOOKS = 4

/**
 * Opens the key files in `dir`; the folder is made when first needed. Files not called `<kid>.json` are left alone.
 * With `production` a key whose kid starts with `dev-` is refused.
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

/** A warning when group or others may write the folder; undefined otherwise, or when there is no folder. */
export function findOpenFolder(dir: string): string | undefined {
  if (!isOpenToOthers(dir)) return undefined
  return `${dir}: others than its owner may write this folder, and so make signing keys; take that away (chmod go-w)`
}

async function listKeys(dir: string, production: boolean): Promise<readonly StoredSigningKey[]> {
  const texts = await readTexts(dir)
  // Whoever holds the lock is at it already; a folder that cannot be written is read all the same.
  if (texts.has(CHANGE)) await withFolderLock(dir, () => completeChange(dir), 0).catch(() => undefined)
  const keys = parseTexts(dir, texts)
  const unfit = production ? keys.find((key) => key.kid.startsWith('dev-')) : undefined
  if (unfit === undefined) return keys
  throw createFault(join(dir, `${unfit.kid}.json`), 'is a development key; move it out of the folder')
}

async function initializeKeys(dir: string, keys: readonly StoredSigningKey[]): Promise<void> {
  const [first] = keys
  if (first === undefined) return
  await makeChange(dir, { put: keys, remove: [] }, (stored) => stored.every(({ alg }) => alg !== first.alg))
}

async function replaceKeys(dir: string, { expect, ...change }: SigningKeyChange): Promise<boolean> {
  // A folder that is missing is not made for a change that will not fit.
  if (expect.length > 0 && readNames(dir).length === 0) return false
  return makeChange(dir, change, (stored) =>
    expect.every(({ kid, state }) => stored.some((key) => key.kid === kid && key.state === state)),
  )
}

/** Makes a change for good if it fits the stored keys. */
async function makeChange(
  dir: string,
  change: DecidedChange,
  isFitting: (stored: readonly StoredSigningKey[]) => boolean,
): Promise<boolean> {
  const intent = formatChange(change)
  if (!parseChange(intent).ok) throw new RangeError('a key to be stored is not of the form this store reads')
  makeFolder(dir)
  return withFolderLock(dir, async () => {
    await removeLeftovers(dir)
    await completeChange(dir)
    if (!isFitting(parseTexts(dir, look(dir)))) return false
    await replaceFile(dir, CHANGE, intent, chooseFileOwnership(dir, CHANGE))
    await completeChange(dir)
    return true
  })
}

/** Makes the change that was decided, if one is left to be made. Only under the lock: it writes over files. */
async function completeChange(dir: string): Promise<void> {
  const text = readPrivateFile(join(dir, CHANGE))
  if (text === undefined) return
  const { put, remove } = parseIntent(dir, text)
  for (const key of put) {
    const name = `${key.kid}.json`
    await replaceFile(dir, name, formatKeys(key), chooseFileOwnership(dir, name))
  }
  for (const kid of remove) await removeFile(dir, `${kid}.json`)
  await removeFile(dir, CHANGE)
}

/** The ownership of a file to be written: of the one that it replaces, of a key file, or what the folder gives. */
function chooseFileOwnership(dir: string, name: string): Ownership {
  const keys = readNames(dir).filter((one) => KEY.test(one))
  for (const one of [name, ...keys]) {
    const found = readOwnership(join(dir, one))
    if (found !== undefined) return found
  }
  return chooseSecretOwnership(dir)
}

/** Key files and the intent by name; undefined for one that was removed between the names and the texts. */
type Texts = ReadonlyMap<string, string | undefined>

/**
 * The folder as it was at one moment. No file gets a text again that it had before (the life of a key goes forward, and
 * a kid is not used again), so what two looks in a row have both seen was there at every moment between them.
 */
async function readTexts(dir: string): Promise<Texts> {
  let last = look(dir)
  for (let looks = 1; looks < MAX_LOOKS; looks += 1) {
    const texts = look(dir)
    // A missing text may be another one each time.
    if (isDeepStrictEqual(texts, last) && ![...texts.values()].includes(undefined)) return texts
    last = texts
  }
  return withFolderLock(dir, async () => look(dir))
}

/** Reads everything in one go: this process does nothing else meanwhile, as it is over in less than a millisecond. */
function look(dir: string): Texts {
  const names = readNames(dir)
  const ours = names.filter((name) => name === CHANGE || KEY.test(name))
  return new Map(ours.map((name) => [name, readPrivateFile(join(dir, name))]))
}

/** The keys as they are once the intent is made. */
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
    `${change.reason}; delete it, it is left from a change that was cut short`,
  )
}
