// Account tokens in files and on stdin: never as an argument, which every user of a machine can read.
// A file is written for its owner alone, and is there whole or not at all.

import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CliError, usageError } from './fault.ts'
import { printAside } from './output.ts'

/** A place for a token, made before the token is: what can fail has then not cost a secret. */
export interface TokenFile {
  /** Writes the token and puts the file in its place, over an older one. */
  save(token: string): Promise<void>
  /** Removes what is not in its place; does nothing after `save`. */
  discard(): Promise<void>
}

/** Prepares `path` (mode 0600, missing folders 0700). Rejects with CliError when it cannot be a file. */
export async function prepareTokenFile(path: string): Promise<TokenFile> {
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
  const text = await explainFault(path, () => readFile(path, 'utf8'))
  return text.replace(/\r?\n$/, '')
}

/** The first line of stdin. A person at a terminal is asked for it, and it is not shown while typed. */
export async function readStdinLine(what: string): Promise<string> {
  const isTerminal = process.stdin.isTTY
  if (isTerminal) printAside(`${what}: `)
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silence, terminal: isTerminal })
  try {
    for await (const line of lines) return line
    throw usageError(`stdin holds no ${what}`)
  } finally {
    lines.close()
    if (isTerminal) printAside('\n')
  }
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
