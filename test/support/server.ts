// Starts the real server as a user would, in a folder of its own, and stops it. When a server has ended, all of its output
// and its database are searched for secrets and tokens.

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { expectNoLeak, type Remains } from './leaks.ts'

export const ADMIN_TOKEN = 'test-admin-token-of-thirty-two-or-more-characters'

/** Absolute path of the server's entry point. */
export const NODE_ENTRY: string = join(import.meta.dirname, '../../src/node.ts')

/** Whether this machine has an IPv6 loopback address. Some containers have none. */
export const HAS_IPV6: boolean = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1')

/** Folder with compiled code of earlier starts, which halves the time of a start. */
const COMPILE_CACHE: string = join(import.meta.dirname, '../../node_modules/.cache/node')

export interface RunningServer {
  readonly url: string
  readonly dir: string
  readonly child: ChildProcess
  /** Everything written to stdout so far. */
  readonly stdout: () => string
  /** Everything written to stderr so far. */
  readonly stderr: () => string
  /** Resolves with the exit code (null when killed by a signal), once all output has been read. */
  readonly exited: Promise<number | null>
  /** Sends SIGKILL, to the whole process group when the server is detached. */
  readonly kill: () => void
  /** Sends SIGTERM, waits, searches output and database for secrets, removes the folder. Rejects on a secret. */
  stop(): Promise<void>
  /** What {@link expectNoLeak} searches, to call when the server has ended. */
  readonly remains: () => Remains
}

/** Environment variables of a server. Undefined removes a variable that is set by default. */
export type ServerVariables = Readonly<Record<string, string | undefined>>

export interface ServerOptions {
  readonly env?: ServerVariables
  /** Existing data folder, which is kept. By default a new one, which is removed. */
  readonly dir?: string
  /** Working directory. By default the data folder. */
  readonly cwd?: string
  /** Program and arguments. By default the entry point with this Node. */
  readonly command?: readonly [string, ...string[]]
  /** Whether the server gets a process group of its own, as a job of a shell does. */
  readonly detached?: boolean
  /** User and group id of the server. Needs root. */
  readonly runAs?: number
}

/** Environment of a server that keeps all of its files in `dir`. */
export function serverEnvironment(dir: string, env: ServerVariables = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    PORT: '0',
    DATABASE_URL: `sqlite:${join(dir, 'claimgate.db')}`,
    CLAIMGATE_KEYS_DIR: join(dir, 'keys'),
    CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
    ...env,
  }
}

/** Copies the files that `npm start` and the command line need into `dir`, and links node_modules. */
export function copyRepository(dir: string): void {
  const root = join(import.meta.dirname, '../..')
  for (const name of ['src', 'scripts', 'package.json', '.npmrc']) {
    cpSync(join(root, name), join(dir, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
}

/** Starts a server and waits for its `listening` line. Rejects with exit code and stderr when it exits before that. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'claimgate-test-'))
  const running = spawnServer(dir, options)
  const { child, exited } = running
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const line = /^.*"msg":"listening".*\n/m.exec(running.stdout())
      if (line) resolve(JSON.parse(line[0]).url)
    })
    void exited.then((code) => reject(new Error(`the server exited with ${code}: ${running.stderr()}`)))
  })
  return {
    ...running,
    url,
    dir,
    async stop() {
      child.kill('SIGTERM')
      await exited
      try {
        expectNoLeak(running.remains())
      } finally {
        if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
      }
    },
  }
}

/** Starts servers and creates folders for one test file. */
export interface Servers {
  /** Creates an empty temporary folder, which is removed after the tests. */
  makeFolder(): string
  /** Like `startServer`, but the default folder is one of `makeFolder`. */
  start(options?: ServerOptions): Promise<RunningServer>
}

/**
 * Call it at the top of a test file. After the tests it kills the servers that still run, searches all of them for secrets,
 * and removes the folders.
 */
export function useServers(): Servers {
  const folders: string[] = []
  const running: RunningServer[] = []
  afterAll(async () => {
    for (const { kill } of running) kill()
    await Promise.all(running.map(({ exited }) => exited))
    try {
      for (const { remains } of running) expectNoLeak(remains())
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    }
  })
  const makeFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
    folders.push(folder)
    return folder
  }
  return {
    makeFolder,
    async start(options = {}) {
      const server = await startServer({ ...options, dir: options.dir ?? makeFolder() })
      running.push(server)
      return server
    },
  }
}

/** Starts a server that must end by itself, and waits for it. Kills it after 30 seconds. */
export async function runServer(
  options: ServerOptions & { readonly dir: string },
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const { kill, exited, stdout, stderr, remains } = spawnServer(options.dir, options)
  // The exit code of a killed server is null.
  const timer = setTimeout(kill, 30_000)
  const code = await exited
  clearTimeout(timer)
  expectNoLeak(remains())
  return { code, stdout: stdout(), stderr: stderr() }
}

function spawnServer(dir: string, options: ServerOptions): Omit<RunningServer, 'url' | 'dir' | 'stop'> {
  const [program, ...parameters] = options.command ?? [process.execPath, NODE_ENTRY]
  const cwd = options.cwd ?? dir
  const env = serverEnvironment(dir, options.env)
  const child = spawn(program, parameters, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
    ...(options.runAs !== undefined && { uid: options.runAs, gid: options.runAs }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const kill = (): void => {
    if (options.detached && child.pid !== undefined) killGroup(child.pid)
    else child.kill('SIGKILL')
  }
  const remains = (): Remains => ({ cwd, env, stdout, stderr })
  return { child, exited, kill, remains, stdout: () => stdout, stderr: () => stderr }
}

/** Kills a process group, because children may outlive the process that was started. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // The group has already ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
