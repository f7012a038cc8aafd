// Account tokens in files: never as an argument, which every user of a machine can read.
// A file is written for its owner alone, and is there whole or not at all.

import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CliError, usageError } from './fault.ts'

/** A place for a token, made before the token is: what can fail has then not cost a secret. */
interface TokenFile {
  /** Writes the token and puts the file in its place, over an older one. */
  save(token: string): Promise<void>
  /** Removes what is not in its place; does nothing after `save`. */
  discard(): Promise<void>
}

/** What was just made; its secret, where it has one. */
interface Made {
  readonly credential: { readonly id: string; readonly token?: string }
}

/**
 * Makes a credential and keeps its token in the file `path`, over an older one (mode 0600, missing folders 0700);
 * nothing is made when that cannot be a file. `describeLoss` says what is left, and what to do, where the file fails all
 * the same. Without a path it only makes it. Rejects with CliError, or with what `make` rejects with.
 */
export async function keepToken<T extends Made>(
  path: string | undefined,
  make: () => Promise<T>,
  describeLoss: (made: T) => string,
): Promise<T> {
  if (path === undefined) return make()
  const file = await prepareTokenFile(path)
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

async function prepareTokenFile(path: string): Promise<TokenFile> {
  if (path === '-') throw usageError('--token-file needs the name of a file')
  const temporary = join(dirname(path), `.${basename(path)}-${randomUUID()}`)
  const file = await explainFault(path, () => createTemporary(path, temporary))
  let isPending = true
  return {
    save: (token) =>
      explainFault(path, async () => {
        await file.writeFile(token)
        await file.sync()
        await rename(temporary, path)
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

async function createTemporary(path: string, temporary: string): Promise<FileHandle> {
  const found = await stat(path).catch(() => undefined)
  // Renaming over a device such as /dev/null would replace it.
  if (found !== undefined && !found.isFile())
    throw new CliError('conflict', `${path} is not a file; name a file`)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  return open(temporary, 'wx', 0o600)
}

/** The account token in a file, without its line end. */
export async function readTokenFile(path: string): Promise<string> {
  return (await readTextFile(path)).replace(/\r?\n$/, '')
}

/** The text in a file. Rejects with CliError. */
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
