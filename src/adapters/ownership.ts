// Who owns what is written into a folder, and who may open it: everybody who may use the folder must be able to use the
// files in it, also when the superuser has made them from the command line.

import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Owner, group and mode (the permission bits) of a file. */
export interface Ownership {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

const PERMISSIONS = 0o777
const GROUP = 0o070
/** Who may write a folder, of its group and of all others. */
const GROUP_WRITES = 0o020
const OTHERS_WRITE = 0o002

/** The ownership of the file at `path`, links followed; undefined where there is none, or no plain file. */
export function readOwnership(path: string): Ownership | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() ? { uid: stats.uid, gid: stats.gid, mode: stats.mode & PERMISSIONS } : undefined
}

/** Of a secret in a folder that holds nothing to go by: the folder's owner and group, and nobody else. */
export function ownSecret(dir: string): Ownership {
  const { uid, gid } = statSync(dir)
  return { uid, gid, mode: 0o600 }
}

/** Of a lock in a folder: everybody who may change the folder may lock it. */
export function ownLock(dir: string): Ownership {
  const { uid, gid, mode } = statSync(dir)
  return { uid, gid, mode: 0o600 | (mode & GROUP_WRITES ? 0o060 : 0) | (mode & OTHERS_WRITE ? 0o006 : 0) }
}

/**
 * Gives an open file this ownership as far as the process may: only the superuser gives files away. Where the group
 * cannot be given, no group may open the file.
 */
export function takeOwnership(file: number, { uid, gid, mode }: Ownership): void {
  const isGiven = tryTo(() => fchownSync(file, uid, gid))
  if (!isGiven) tryTo(() => fchownSync(file, fstatSync(file).uid, gid))
  fchmodSync(file, fstatSync(file).gid === gid ? mode : mode & ~GROUP)
}

/** Makes an empty file with this ownership; does nothing where there is one, or none can be made. */
export function makeFile(path: string, ownership: Ownership): void {
  tryTo(() => {
    const file = openSync(path, 'wx', 0o600)
    try {
      takeOwnership(file, ownership)
    } finally {
      closeSync(file)
    }
  })
}

/**
 * As `takeOwnership`, of a file that is there already, by its name: opening and closing it would drop the locks that
 * this process holds on it. Links are left alone: the superuser must not be led to another file by one.
 */
export function adjustOwnership(path: string, { uid, gid, mode }: Ownership): void {
  tryTo(() => {
    const stats = lstatSync(path)
    if (!stats.isFile() || stats.nlink !== 1) return
    if (stats.uid !== uid || stats.gid !== gid) tryTo(() => lchownSync(path, uid, gid))
    if ((stats.mode & PERMISSIONS) !== mode) chmodSync(path, mode)
  })
}

/** Makes a folder (mode 0700) and those above it that are missing, for the owner of the one that they are made in. */
export function makeFolder(dir: string): void {
  const path = resolve(dir)
  const isThere = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  if (isThere()) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    mkdirSync(path, 0o700)
  } catch (error) {
    // Another process was faster.
    if (isThere()) return
    throw error
  }
  const { uid, gid } = statSync(parent)
  tryTo(() => lchownSync(path, uid, gid))
}

/** Whether others than its owner may write a folder; false where there is none. */
export function isOpenToOthers(dir: string): boolean {
  const stats = statSync(dir, { throwIfNoEntry: false })
  return stats !== undefined && (stats.mode & (GROUP_WRITES | OTHERS_WRITE)) !== 0
}

function tryTo(work: () => void): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}
