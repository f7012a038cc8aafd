// Owner, group and mode of files that are written into a folder. Users who may use the folder must be able to use its
// files, also when the superuser created them by running the command line.

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
/** Mode bits: the group, and all others, may write. */
const GROUP_WRITES = 0o020
const OTHERS_WRITE = 0o002

/** The ownership of the file at `path`, links followed; undefined when there is none or it is not a regular file. */
export function readOwnership(path: string): Ownership | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() ? { uid: stats.uid, gid: stats.gid, mode: stats.mode & PERMISSIONS } : undefined
}

/** Ownership for a secret file in a folder without other key files: the folder's owner and group, mode 0600. */
export function chooseSecretOwnership(dir: string): Ownership {
  const { uid, gid } = statSync(dir)
  return { uid, gid, mode: 0o600 }
}

/** Ownership for a lock file: every user who may write to the folder may lock it. */
export function chooseLockOwnership(dir: string): Ownership {
  const { uid, gid, mode } = statSync(dir)
  return { uid, gid, mode: 0o600 | (mode & GROUP_WRITES ? 0o060 : 0) | (mode & OTHERS_WRITE ? 0o006 : 0) }
}

/**
 * Sets the ownership of an open file as far as permitted: only the superuser can change the owner. When the group cannot be
 * set, the group gets no permissions. Never throws for that.
 */
export function applyOwnership(file: number, { uid, gid, mode }: Ownership): void {
  const isOwnerSet = tryTo(() => fchownSync(file, uid, gid))
  if (!isOwnerSet) tryTo(() => fchownSync(file, fstatSync(file).uid, gid))
  fchmodSync(file, fstatSync(file).gid === gid ? mode : mode & ~GROUP)
}

/** Makes an empty file with this ownership. Does nothing when the file exists or cannot be made. */
export function makeFile(path: string, ownership: Ownership): void {
  tryTo(() => {
    const file = openSync(path, 'wx', 0o600)
    try {
      applyOwnership(file, ownership)
    } finally {
      closeSync(file)
    }
  })
}

/**
 * Sets the ownership of an existing file by its path: opening and closing the file would drop the locks that this
 * process holds on it. Symbolic and hard links are skipped, because somebody could link to a file that only the superuser
 * may change.
 */
export function adjustOwnership(path: string, { uid, gid, mode }: Ownership): void {
  tryTo(() => {
    const stats = lstatSync(path)
    if (!stats.isFile() || stats.nlink !== 1) return
    if (stats.uid !== uid || stats.gid !== gid) tryTo(() => lchownSync(path, uid, gid))
    if ((stats.mode & PERMISSIONS) !== mode) chmodSync(path, mode)
  })
}

/** Makes a folder (mode 0700) and its missing parents, each with the owner and group of the folder above it. */
export function makeFolder(dir: string): void {
  const path = resolve(dir)
  const isFolder = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  if (isFolder()) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    mkdirSync(path, 0o700)
  } catch (error) {
    // Another process may have created it in the meantime.
    if (isFolder()) return
    throw error
  }
  const { uid, gid } = statSync(parent)
  tryTo(() => lchownSync(path, uid, gid))
}

/** Whether group or others may write to a folder; false when there is no folder. */
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
