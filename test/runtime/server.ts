// Starts the real server as a user would, in a folder of its own, and stops it by pid.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const ADMIN_TOKEN = 'test-admin-token-of-thirty-two-or-more-characters'

export interface RunningServer {
  readonly url: string
  readonly dir: string
  readonly child: ChildProcess
  /** Everything written so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves with the exit code (null when killed by a signal). */
  readonly exited: Promise<number | null>
  /** SIGTERM, waits, removes the folder. */
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Existing data folder; a new one otherwise. */
  readonly dir?: string
}

/** Environment of a server whose files all live in `dir`. */
export function serverEnvironment(
  dir: string,
  env: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: '0',
    DATABASE_URL: `sqlite:${join(dir, 'claimgate.db')}`,
    CLAIMGATE_KEYS_DIR: join(dir, 'keys'),
    CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
    ...env,
  }
}

/** Starts `src/node.ts` on a free port and waits until it listens; rejects with its stderr when it does not. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'claimgate-test-'))
  const child = spawn(process.execPath, ['src/node.ts'], {
    env: serverEnvironment(dir, options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      const line = stdout.split('\n').find((text) => text.includes('"msg":"listening"'))
      if (line) resolve(JSON.parse(line).url)
    })
    void exited.then((code) => reject(new Error(`the server exited with ${code}: ${stderr}`)))
  })
  return {
    url,
    dir,
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async stop() {
      child.kill('SIGTERM')
      await exited
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
    },
  }
}
