// Account tokens are read from and written to files, because every user of the machine can read the arguments of a
// command. Only the owner may read a written file, and it is written completely or not at all. An older file is replaced
// only when the caller asks for that, because it may hold the only copy of another secret.

import { randomUUID } from 'node:crypto'
import { type FileHandle, link, lstat, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../adapters/node/ownership.ts'
import { readErrorCode } from '../lib/error-code.ts'
import { CliError, usageError } from './fault.ts'
import type { TokenFileOptions } from './options.ts'

/** A file prepared before the token is made, so that most failures happen while there is no secret to lose. */
interface TokenFile {
  /** Writes the token and moves the file to its path. */
  save(token: string): Promise<void>
  /** Removes the temporary file; does nothing after `save`. */
  discard(): Promise<void>
}

/** A new credential; `token` is missing when it has registered keys instead of a secret. */
interface Made {
  readonly credential: { readonly id: string; readonly token?: string }
}

/**
 * Calls `make` and keeps the new token in the file `tokenFile` (mode 0600, missing folders 0700). Does not call `make` when
 * the file cannot be prepared, or exists and `force` is not set. When writing fails after that, the error begins with
 * `describeLoss`, which says what exists now and what to do. Without a file it only calls `make`.
 * Rejects with CliError, or with what `make` rejects with.
 */
export async function keepToken<T extends Made>(
  { tokenFile: path, force = false }: TokenFileOptions,
  make: () => Promise<T>,
  describeLoss: (made: T) => string,
): Promise<T> {
  if (path === undefined) {
    if (force) throw usageError('--force lets --token-file replace a file; pass both')
    return make()
  }
  const file = await prepareTokenFile(path, force)
  try {
    const made = await make()
    const { token } = made.credential
    if (token === undefined) return made
    await file.save(token).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : ''
      throw new CliError('unavailable', `${describeLoss(made)}. ${why}`)
    })
    return made
  } finally {
    await file.discard()
  }
}

/** A new credential as part of a JSON document: without its secret when a file keeps the secret. */
export function concealToken(credential: object, path: string | undefined): object {
  if (path === undefined) return credential
  return { ...credential, token: undefined, clientSecret: undefined }
}

async function prepareTokenFile(path: string, mayReplace: boolean): Promise<TokenFile> {
  if (path === '-') throw usageError('--token-file needs the name of a file')
  const temporary = join(dirname(path), `.${basename(path)}-${randomUUID()}`)
  const file = await explainFault(path, () => createTemporary(path, temporary, mayReplace))
  let isPending = true
  return {
    save: (token) =>
      explainFault(path, async () => {
        await file.writeFile(token)
        await file.sync()
        await (mayReplace ? rename(temporary, path) : moveToNew(temporary, path))
        isPending = false
        await file.close()
      }),
    discard: async () => {
      if (!isPending) return
      await file.close()
      await unlink(temporary)
    },
  }
}

async function createTemporary(path: string, temporary: string, mayReplace: boolean): Promise<FileHandle> {
  const found = await stat(path).catch(() => undefined)
  // Renaming a file to the path of a device such as /dev/null would replace the device.
  if (found !== undefined && !found.isFile())
    throw new CliError('conflict', `${path} is not a file; name a file`)
  // A link whose target is missing counts as a file too.
  if (!mayReplace && (await lstat(path).catch(() => undefined)) !== undefined) throw createExistsFault(path)
  makeFolder(dirname(path))
  return open(temporary, 'wx', 0o600)
}

/** Moves a file to a path where no file is. A link fails when another process has just made one; a rename replaces it. */
async function moveToNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (readErrorCode(error) === 'EEXIST') throw createExistsFault(path)
    // Some file systems have no links.
    return rename(temporary, path)
  }
  await unlink(temporary)
}

function createExistsFault(path: string): CliError {
  return new CliError(
    'conflict',
    `${path} exists, and may hold the only copy of another secret; name another file, or pass --force to replace it`,
  )
}

/** Reads the account token in a file, without its line end. Rejects with CliError when the file cannot be read. */
export async function readTokenFile(path: string): Promise<string> {
  return (await readTextFile(path)).replace(/\r?\n$/, '')
}

/** Reads a text file. Rejects with CliError when it cannot be read. */
export function readTextFile(path: string): Promise<string> {
  return explainFault(path, () => readFile(path, 'utf8'))
}

async function explainFault<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || error instanceof CliError) throw error
    throw new CliError(
      'unavailable',
      `${path} cannot be read or written (${error.code}); check the path, its owner and the disk`,
    )
  }
}
