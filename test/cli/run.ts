// Runs the command line on a "machine": a temporary folder with its own database and keys. A command is called as a
// function in this process, or started as a process.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { runProgram } from '../../src/cli/program.ts'
import type { Json } from '../support/wire.ts'

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** The content of stdin; empty by default. */
  readonly stdin?: string
}

export interface CallOptions extends RunOptions {
  /** Whether stdin counts as a terminal where a person types. */
  readonly isTerminal?: boolean
}

export interface ProcessOptions extends RunOptions {
  /** Arguments for Node, before the script. */
  readonly nodeArguments?: readonly string[]
}

export interface Machine {
  readonly dir: string
  /** Environment of every command on this machine. */
  readonly env: Readonly<Record<string, string>>
  /** Runs the program in this process. */
  run(argv: readonly string[], options?: CallOptions): Promise<RunResult>
  /** Runs with --json, expects success, and parses the document. */
  json(argv: readonly string[], options?: CallOptions): Promise<Json>
  /** Starts scripts/claimgate.mjs as a process in the machine's folder. */
  start(argv: readonly string[], options?: ProcessOptions): Promise<RunResult>
}

const MAIN = resolve('scripts/claimgate.mjs')
/** Node keeps compiled code here, which halves the time of later starts. */
const COMPILE_CACHE = resolve('node_modules/.cache/node')
const TIME_LIMIT_MS = 20_000

/**
 * A fresh machine: an empty folder, for the database, the keys and as the working directory of processes. It is removed at the
 * end of the test run.
 */
export function createMachine(more: Readonly<Record<string, string>> = {}): Machine {
  const dir = mkdtempSync(join(tmpdir(), 'claimgate-cli-'))
  const env = {
    DATABASE_URL: `sqlite:${join(dir, 'claimgate.db')}`,
    CLAIMGATE_KEYS_DIR: join(dir, 'keys'),
    ...more,
  }
  const run: Machine['run'] = (argv, options = {}) => callProgram(env, argv, options)
  return {
    dir,
    env,
    run,
    async json(argv, options) {
      const { code, stdout, stderr } = await run([...argv, '--json'], options)
      if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    start: (argv, options = {}) => startProcess(dir, env, argv, options),
  }
}

async function callProgram(
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
  { env: more, stdin = '', isTerminal = false }: CallOptions,
): Promise<RunResult> {
  const stdout = collectText()
  const stderr = collectText()
  const code = await runProgram(argv, {
    stdin: Object.assign(Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]), { isTTY: isTerminal }),
    stdout: stdout.stream,
    stderr: stderr.stream,
    isColoured: false,
    readEnvironment: () => ({ ...env, ...more }),
    serve: () => Promise.reject(new Error('a test starts the server as a process')),
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

function collectText(): { readonly stream: Writable; readonly text: () => string } {
  let text = ''
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  return { stream, text: () => text }
}

function startProcess(
  cwd: string,
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
  options: ProcessOptions,
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...(options.nodeArguments ?? []), MAIN, ...argv], {
      cwd,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        ...env,
        ...options.env,
      },
      timeout: TIME_LIMIT_MS,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    // A command that fails early does not read its stdin.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

/** Creates a machine's database without an account, by a command that opens it to write and then finds no account. */
export async function createDatabase(machine: Machine): Promise<void> {
  await machine.run(['account', 'suspend', 'nobody'])
}

/** How many times `text` contains `part`. */
export function countOf(text: string, part: string): number {
  return text.split(part).length - 1
}

/** Every byte of the database and its journal files, as Latin-1 text. */
export function readDatabase(dir: string): string {
  const names = readdirSync(dir).filter((name) => name.startsWith('claimgate.db'))
  return names.map((name) => readFileSync(join(dir, name), 'latin1')).join('\n')
}

/** The private JWK with this state in the keys folder. */
export function readKey(dir: string, state: 'current' | 'pending'): { readonly [member: string]: string } {
  const keys = readdirSync(join(dir, 'keys'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(dir, 'keys', name), 'utf8')))
  return keys.find((key) => key.state === state)
}
