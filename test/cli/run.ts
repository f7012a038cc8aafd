// Runs the command line as a user does: a process of its own, in a folder of its own, with an environment of its own.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import type { Json } from '../support/wire.ts'

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What stands on stdin; nothing by default. */
  readonly stdin?: string
  /** Arguments of Node itself. */
  readonly nodeArguments?: readonly string[]
}

export interface Machine {
  readonly dir: string
  /** Environment of every command on this machine. */
  readonly env: Readonly<Record<string, string>>
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>
  /** Runs with --json, expects success, and gives the document. */
  json(argv: readonly string[], options?: RunOptions): Promise<Json>
}

const MAIN = resolve('scripts/claimgate.mjs')
const TIME_LIMIT_MS = 20_000

/** Compiled code of the first command for those that follow: they start twice as fast. */
const COMPILED = mkdtempSync(join(tmpdir(), 'claimgate-compiled-'))
afterAll(() => rmSync(COMPILED, { recursive: true, force: true }))

/** A fresh machine: an empty folder, which is also where commands run, so that no `.env` of the repository is read. */
export function createMachine(more: Readonly<Record<string, string>> = {}): Machine {
  const dir = mkdtempSync(join(tmpdir(), 'claimgate-cli-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const env = {
    DATABASE_URL: `sqlite:${join(dir, 'claimgate.db')}`,
    CLAIMGATE_KEYS_DIR: join(dir, 'keys'),
    ...more,
  }
  const run: Machine['run'] = (argv, options = {}) => runProcess(dir, env, argv, options)
  return {
    dir,
    env,
    run,
    async json(argv, options) {
      const { code, stdout, stderr } = await run([...argv, '--json'], options)
      if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
  }
}

function runProcess(
  cwd: string,
  env: Readonly<Record<string, string>>,
  argv: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...(options.nodeArguments ?? []), MAIN, ...argv], {
      cwd,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        NODE_COMPILE_CACHE: COMPILED,
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

/** Creates a machine's database, without an account. */
export async function createDatabase(machine: Machine): Promise<void> {
  await machine.run(['account', 'suspend', 'nobody'])
}

/** How often a text stands in another. */
export function countOf(text: string, part: string): number {
  return text.split(part).length - 1
}

/** Every byte of the database, its journal files included, as text that keeps ASCII. */
export function readDatabase(dir: string): string {
  const names = readdirSync(dir).filter((name) => name.startsWith('claimgate.db'))
  return names.map((name) => readFileSync(join(dir, name), 'latin1')).join('\n')
}

/** A private JWK in the keys folder whose state is `state`. */
export function readKey(dir: string, state: 'current' | 'pending'): { readonly [member: string]: string } {
  const keys = readdirSync(join(dir, 'keys'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(dir, 'keys', name), 'utf8')))
  return keys.find((key) => key.state === state)
}
